"""One run in a folder at a time.

The lock is the system's (``flock``), on a file that names the process: it ends with the process, however that ends, so
there are no stale ones. NFS passes it on to the other machines. Where a file system, or Windows, has no such lock, a
warning says so and the run goes on.
"""

import contextlib
import os
import socket
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from bayes_nn.runtime.sealed_file import unwritable

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

#: Name of the file in the folder.
LOCK = "lock"


class FolderInUseError(ValueError):
    """Another process has the folder; the message names it."""


@contextlib.contextmanager
def locked(folder: str | Path) -> Iterator[None]:
    """Keep other runs out of a folder, which is made if it is missing and removed in the end if it is empty.

    Args:
        folder: of the run.

    Raises:
        FolderInUseError: a ValueError that names the process, if another one has it.
        OSError: if it cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as outer, locked(outer), locked(outer):
        ...     pass  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        bayes_nn.runtime.folder_lock.FolderInUseError: ... is in use by process ...
    """
    folder = Path(folder)
    file = _lock(folder)
    try:
        with contextlib.suppress(OSError):  # a full disk may still be read
            file.truncate(0)
            file.write(f"process {os.getpid()} on {socket.gethostname()}")
            file.flush()
        yield
    finally:
        with contextlib.suppress(OSError):
            (folder / LOCK).unlink()
            folder.rmdir()
        with contextlib.suppress(OSError):
            file.close()


def _lock(folder: Path) -> IO[str]:
    """The file of the lock, open for as long as it is held."""
    path = folder / LOCK
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = path.open("a+")
        except OSError as error:
            raise unwritable(folder, error) from None
        try:
            if fcntl is None:
                raise OSError(None, "this system has no flock")
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read() or "another process"
            file.close()
            raise FolderInUseError(
                f"the folder {folder} is in use by {holder}: wait for it, stop it, or choose another folder"
            ) from None
        except OSError as error:
            warnings.warn(
                f"{folder} cannot be locked ({error.strerror}): start no second run in it", RuntimeWarning, stacklevel=4
            )
        if path.exists() and os.path.samestat(path.stat(), os.fstat(file.fileno())):
            return file
        file.close()  # that of a run that has just ended and removed it
