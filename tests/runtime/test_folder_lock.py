"""One run in a folder at a time, and none where a process has died."""

import os
import subprocess
import sys

import pytest

from bayes_nn.runtime import folder_lock
from bayes_nn.runtime.folder_lock import locked

HOLDS = """
import sys, time
from bayes_nn.runtime.folder_lock import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_the_second_is_refused_and_a_dead_one_taken_over(tmp_path):
    folder = tmp_path / "run"
    with subprocess.Popen([sys.executable, "-c", HOLDS, folder], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        with (
            pytest.raises(ValueError, match=f"the folder {folder} is in use by process {other.pid} on "),
            locked(folder),
        ):
            pass
        other.kill()
    assert (folder / "lock").exists()
    with locked(folder):
        assert str(os.getpid()) in (folder / "lock").read_text()
        (folder / "state").touch()
    assert [path.name for path in folder.iterdir()] == ["state"]


def test_empty_folders_go_whatever_happened(tmp_path):
    with pytest.raises(KeyboardInterrupt), locked(tmp_path / "deep" / "run"):
        raise KeyboardInterrupt
    assert not (tmp_path / "deep" / "run").exists()


def test_a_lock_removed_while_it_was_being_taken_is_not_held(tmp_path, monkeypatch):
    """Between opening and locking, the run before removes the file, and another makes it anew."""
    flock, calls = folder_lock.fcntl.flock, []

    def removed_first(file, how):
        calls.append(file)
        if len(calls) == 1:
            (tmp_path / "lock").unlink()
        flock(file, how)

    monkeypatch.setattr(folder_lock.fcntl, "flock", removed_first)
    with locked(tmp_path):
        assert len(calls) == 2
        monkeypatch.undo()
        with pytest.raises(ValueError, match="in use"), locked(tmp_path):
            pass


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    def unsupported(file, how):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(folder_lock.fcntl, "flock", unsupported)
    with pytest.warns(RuntimeWarning, match="cannot be locked .*Function not implemented"), locked(tmp_path / "run"):
        pass
