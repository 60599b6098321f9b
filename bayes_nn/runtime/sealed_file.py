"""Files that are whole or refused: written in one step, and sealed by a last line with their kind, layout and digest.

Archives of NumPy and NetCDF files stay what they are with a line behind their end, and nothing but this module reads
the bytes of a file before its digest has been found right.
"""

import contextlib
import hashlib
import os
import re
import secrets
import tempfile
from pathlib import Path

#: Of files that are being written.
PARTIAL = ".partial"
_SEAL = re.compile(rb"\n(bayes_nn ([a-z]+) (\d{1,6})) ([0-9a-f]{64})\n\Z")
_LONGEST_SEAL = 128


def write_file(path: str | Path, content: bytes) -> Path:
    """Write a file in one step, so that a killed process, a full disk or a power cut leaves the old one behind.

    Args:
        path: where to write; missing folders are made.
        content: of the file.

    Returns:
        The path.

    Raises:
        OSError: naming the folder and the reason, if that cannot be written.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_file(Path(folder) / "deep" / "notes.txt", b"hello").read_text()
        'hello'
    """
    path = Path(path)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{PARTIAL}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
        if hasattr(os, "O_DIRECTORY"):  # the new name is on disk once its folder is; Windows cannot open one
            descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except OSError as error:
        raise unwritable(path.parent, error) from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return path


def check_writable(folder: str | Path) -> None:
    """Refuse a folder that cannot be written to, before any work; it is made if it is missing.

    Raises:
        OSError: naming the folder and the reason.
    """
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, suffix=PARTIAL):
            pass
    except OSError as error:
        raise unwritable(folder, error) from None


def unwritable(folder: str | Path, error: OSError) -> OSError:
    """One sentence on a folder that cannot be written to."""
    return OSError(
        error.errno, f"cannot write to the folder {folder} ({error.strerror}); the files that it held are unharmed"
    )


def write_sealed(path: str | Path, kind: str, layout: int, content: bytes) -> Path:
    """:func:`write_file`, with a seal.

    Args:
        path: where to write.
        kind: of the file, one word in small letters.
        layout: number of its layout, raised whenever that changes.
        content: of the file.

    Returns:
        The path.

    Raises:
        OSError: as :func:`write_file`.
    """
    head = f"bayes_nn {kind} {layout}".encode()
    return write_file(path, b"%s\n%s %s\n" % (content, head, _digest(content, head)))


def read_sealed(path: str | Path, kind: str, layout: int, remedy: str) -> bytes:
    """What :func:`write_sealed` wrote.

    Args:
        path: of the file.
        kind: that it must be of.
        layout: that it must have.
        remedy: what to do about a file that is refused, for the error.

    Raises:
        ValueError: for a file that is cut or damaged, of another kind, or of another layout.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write_sealed(Path(folder) / "number", "number", 1, b"3.14")
        ...     _ = path.write_bytes(path.read_bytes().replace(b"3", b"4", 1))
        ...     read_sealed(path, "number", 1, "write it again")  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ValueError: ...number is damaged: its contents are not those that were written; write it again
    """
    data = Path(path).read_bytes()
    seal = _SEAL.search(data[-_LONGEST_SEAL:])
    if seal is None:
        raise ValueError(
            f"{path} does not end with the seal of bayes_nn: it is cut short or damaged, or another program or an "
            f"earlier version wrote it; {remedy}"
        )
    content = data[: -len(seal[0])]
    if _digest(content, seal[1]) != seal[4]:
        raise ValueError(f"{path} is damaged: its contents are not those that were written; {remedy}")
    if seal[2].decode() != kind:
        raise ValueError(f"{path} holds a {seal[2].decode()}, not a {kind}; {remedy}")
    if int(seal[3]) != layout:
        raise ValueError(
            f"{path} was written by another version of bayes_nn (layout {int(seal[3])}; this one reads {layout}); "
            f"{remedy}"
        )
    return content


def kind_of(path: str | Path) -> str:
    """The kind that the seal of a file says, or "" where there is none; whether the file is whole is not looked at.

    Args:
        path: of the file.
    """
    with Path(path).open("rb") as file:
        file.seek(-min(_LONGEST_SEAL, file.seek(0, os.SEEK_END)), os.SEEK_END)
        seal = _SEAL.search(file.read())
    return seal[2].decode() if seal else ""


def _digest(content: bytes, head: bytes) -> bytes:
    digest = hashlib.sha256(content)
    digest.update(head)
    return digest.hexdigest().encode()
