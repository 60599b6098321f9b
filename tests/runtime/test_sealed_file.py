"""Files are whole or refused, and what was there stays where a new one cannot be written."""

import os
import resource
import shutil
import tempfile
from pathlib import Path

import pytest

from bayes_nn.runtime.folder_lock import locked
from bayes_nn.runtime.sealed_file import check_writable, read_sealed, write_file, write_sealed


@pytest.fixture
def closed(tmp_path):
    """A folder with notes in it that may not be written to, by a user for whom permissions count."""
    folder = Path(tempfile.mkdtemp())
    (folder / "notes.txt").write_bytes(b"old")
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    yield folder
    os.seteuid(user)
    folder.chmod(0o755)
    shutil.rmtree(folder)


def test_every_flipped_bit_and_every_cut_is_refused(tmp_path):
    path = write_sealed(tmp_path / "number.txt", "number", 7, b"3.14\n")
    whole = path.read_bytes()
    assert read_sealed(path, "number", 7, "write it again") == b"3.14\n"
    flipped = [
        whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :]
        for place in range(len(whole))
        for bit in range(8)
    ]
    cut = [whole[:length] for length in range(len(whole))]
    longer = [whole + b"\n", whole + whole]
    for damaged in flipped + cut + longer:
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match=r"number.txt .*; write it again$"):
            read_sealed(path, "number", 7, "write it again")


def test_other_kinds_and_layouts_are_refused_in_words(tmp_path):
    path = write_sealed(tmp_path / "number.txt", "number", 7, b"3.14")
    with pytest.raises(ValueError, match="holds a number, not a state; remove it"):
        read_sealed(path, "state", 7, "remove it")
    with pytest.raises(ValueError, match=r"another version of bayes_nn \(layout 7; this one reads 8\); remove it"):
        read_sealed(path, "number", 8, "remove it")
    path.write_bytes(b"3.14")
    with pytest.raises(ValueError, match="another program or an earlier version wrote it; remove it"):
        read_sealed(path, "number", 7, "remove it")


@pytest.mark.parametrize("stops", ["write", "fsync", "replace"])
def test_a_write_that_is_cut_off_leaves_the_old_file(tmp_path, monkeypatch, stops):
    path = write_file(tmp_path / "notes.txt", b"old")

    def dies(*arguments):
        raise KeyboardInterrupt

    if stops == "write":
        monkeypatch.setattr("pathlib.Path.open", dies)
    else:
        monkeypatch.setattr(os, stops, dies)
    with pytest.raises(KeyboardInterrupt):
        write_file(path, b"new")
    monkeypatch.undo()
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("notes.txt", b"old")]


def test_file_and_folder_are_on_disk_before_it_returns(tmp_path, monkeypatch):
    """In this order: the bytes, the name, the folder that has the name."""
    calls, fsync, replace = [], os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda file: calls.append(os.readlink(f"/proc/self/fd/{file}")) or fsync(file))
    monkeypatch.setattr(os, "replace", lambda old, new: calls.append("renamed") or replace(old, new))
    write_file(tmp_path / "notes.txt", b"new")
    assert [call.endswith(".partial") for call in calls] == [True, False, False]
    assert calls[1:] == ["renamed", str(tmp_path)]


def test_a_full_disk_is_named_and_the_old_file_stays(tmp_path):
    """A limit on the size of files, which the system reports as it does a full disk: in the middle of writing."""
    path = write_file(tmp_path / "notes.txt", b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(OSError, match=f"cannot write to the folder {tmp_path} .*too large"):
            write_file(path, bytes(100_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("notes.txt", b"old")]


def test_a_read_only_folder_is_named(closed):
    for write in (lambda: write_file(closed / "notes.txt", b"new"), lambda: check_writable(closed)):
        with pytest.raises(OSError, match=f"cannot write to the folder {closed} .*Permission denied"):
            write()
    assert (closed / "notes.txt").read_bytes() == b"old"
    with pytest.raises(OSError, match="cannot write to the folder"):
        check_writable(closed / "deeper")
    with pytest.raises(OSError, match="cannot write to the folder"), locked(closed):
        pass
