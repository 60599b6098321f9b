"""Running the cells of an atlas on workers, which may die, in a run that may stop and go on."""

import dataclasses
import secrets
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from bayes_nn.inference.atlases.cell import Cell
from bayes_nn.inference.atlases.folder import Folder
from bayes_nn.runtime.folder_lock import FolderInUseError, locked
from bayes_nn.runtime.progress import Report
from bayes_nn.runtime.workers import import_distributed, quietly

if TYPE_CHECKING:
    from distributed import Client

#: Seconds until cells that another run is at are looked at again.
BETWEEN_LOOKS = 5.0
#: What becomes of a cell on a worker.
DONE, FAILED, ELSEWHERE = "done", "failed", "elsewhere"


@dataclasses.dataclass(frozen=True, eq=False)
class CellTask:
    """What a worker is sent.

    Attributes:
        cell: to compute.
        folder: of the atlas, by a path that all workers see.
    """

    cell: Cell
    folder: Folder


def run_cell(task: CellTask) -> str:
    """Compute a cell and write what comes of it, unless that has been done; on a worker.

    The lock on the folder of the cell ends with the process that holds it, so that a cell is computed by one worker at
    a time, and goes on from its checkpoint where another worker died.

    Args:
        task: the cell.

    Returns:
        ``"done"``, ``"failed"`` with the error in the row, or ``"elsewhere"`` if another worker is at it.

    Raises:
        OSError: if the folder cannot be written.
    """
    cell, folder = task.cell, task.folder
    running = folder.running(cell.identity)
    try:
        with locked(running):
            if folder.is_done(cell.identity) or folder.recover(cell.identity):
                return DONE
            folder.clean(cell.identity)
            try:
                folder.save(cell.identity, cell.compare(running / "fits"))
            except OSError:
                raise
            except Exception as error:
                save_failure(cell, folder, error)
                return FAILED
            return DONE
    except FolderInUseError:
        return ELSEWHERE


def save_failure(cell: Cell, folder: Folder, error: BaseException) -> None:
    """Write the row of a cell that failed, with one line on why; a later run tries it again.

    Args:
        cell: that failed.
        folder: of the atlas.
        error: why.
    """
    line = " ".join(f"{type(error).__name__}: {error}".split())
    folder.save_row(cell.identity, cell.labels | {"cell": cell.identity, "error": line})


def run_cells(cells: Sequence[Cell], folder: Folder, client: "Client", seconds: float | None, report: Report) -> None:
    """Have all cells computed that are not done, in their order.

    Args:
        cells: of the atlas.
        folder: of the atlas.
        client: whose workers compute.
        seconds: after which no cell is begun and those under way are left to a later run; None for no end.
        report: told of every cell that is done.

    Raises:
        OSError: if the folder cannot be written.
    """
    began = time.monotonic()
    waiting = [cell for cell in cells if not folder.is_done(cell.identity)]
    before = len(cells) - len(waiting)
    report(before / len(cells), f"{before} of {len(cells)} cells were done")
    done = before
    while waiting:
        elsewhere: list[Cell] = []
        left = None if seconds is None else seconds - (time.monotonic() - began)
        for cell, outcome in _outcomes(waiting, folder, client, left):
            if outcome == ELSEWHERE:
                elsewhere.append(cell)
                continue
            done += 1
            pace = (time.monotonic() - began) / (done - before)
            report(done / len(cells), f"{done} of {len(cells)} cells, {in_words(pace * (len(cells) - done))} left")
        waiting = elsewhere
        if seconds is not None and time.monotonic() - began >= seconds:
            return
        if waiting:
            time.sleep(BETWEEN_LOOKS)


def _outcomes(cells: Sequence[Cell], folder: Folder, client: "Client", seconds: float | None) -> Any:
    """Every cell with what became of it, as they end, until the time is over."""
    if seconds is not None and seconds <= 0.0:
        return
    run = secrets.token_hex(4)
    futures = {
        client.submit(
            quietly, run_cell, CellTask(cell, folder), pure=False, priority=-place, key=f"{cell.name} {run}-{place}"
        ): cell
        for place, cell in enumerate(cells)
    }
    try:
        for future in import_distributed().as_completed(futures, timeout=seconds):
            cell, error = futures[future], future.exception()
            if isinstance(error, OSError):
                raise error
            if error is not None and not folder.is_done(cell.identity):  # such as the deaths of several workers at it
                save_failure(cell, folder, error)
            yield cell, DONE if error is not None else future.result()
    except TimeoutError:
        pass
    finally:
        client.cancel(list(futures))


def in_words(seconds: float) -> str:
    """A time, roughly.

    Example:
        >>> in_words(50.0), in_words(500.0), in_words(50000.0)
        ('50 s', '8 min', '13.9 h')
    """
    if seconds < 100.0:
        return f"{seconds:.0f} s"
    return f"{seconds / 60.0:.0f} min" if seconds < 6000.0 else f"{seconds / 3600.0:.1f} h"
