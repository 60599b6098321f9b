"""The atlas: comparisons of many data sets at several architectures and widths, by workers, kept in a folder."""

import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from bayes_nn.architecture.serial import Serial
from bayes_nn.inference.atlases.cell import Cell
from bayes_nn.inference.atlases.data_set import DataSet, checked_tables
from bayes_nn.inference.atlases.figure import plot_atlas
from bayes_nn.inference.atlases.folder import Folder
from bayes_nn.inference.atlases.page import write_atlas_page
from bayes_nn.inference.atlases.run import run_cells
from bayes_nn.inference.comparison import storage
from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.comparison.sweep import checked_nets, checked_widths
from bayes_nn.inference.drawing.backends import Backend, by_backend
from bayes_nn.inference.report.notebook import as_pairs
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.priors.ladder import chosen_candidates, ladder
from bayes_nn.priors.prior import Prior
from bayes_nn.runtime.progress import progress_bar
from bayes_nn.runtime.random_keys import checked_seed
from bayes_nn.runtime.sealed_file import check_writable
from bayes_nn.runtime.workers import checked_client, dashboard_of, local_workers


@dataclass(frozen=True, eq=False)
class Atlas:
    """What a folder holds of an atlas.

    Attributes:
        folder: of the atlas.
        table: a row for each data set, architecture and width that is done or failed. Columns: set, architecture,
            width, rows, inputs, likelihood, tested_on; outcome, rung and explained_by, as the
            :class:`bayes_nn.Verdict` has them; the columns of the table of a :class:`Sweep`; log_e_value and
            nats_on_shape, nats; network_log_evidence; seconds, of all fits; error, one line on why there is no outcome,
            else empty; cell, its identity, and rows_before, rows that the data set had before it was cut.
        not_done: names of the cells that were asked for and are not done; empty for an atlas that was read back.

    Example:
        >>> Atlas(Path("atlas"), pd.DataFrame({"outcome": ["undecided"], "error": [""]})).outcomes.to_dict()
        {'undecided': 1}
    """

    folder: Path
    table: pd.DataFrame
    not_done: tuple[str, ...] = ()

    @classmethod
    def of(cls, folder: str | Path, not_done: tuple[str, ...] = ()) -> "Atlas":
        """The atlas in a folder.

        Args:
            folder: that :func:`atlas` wrote, or to which the files of several were copied.
            not_done: names of cells that are not done.

        Raises:
            ValueError: naming a file that is damaged.
        """
        return cls(Path(folder), Folder(Path(folder)).table(), not_done)

    @property
    def outcomes(self) -> pd.Series:
        """Numbers of cells by outcome."""
        return self.table.loc[self.table.error == "", "outcome"].value_counts()

    def comparison(self, cell: str) -> Comparison:
        """The comparison behind a row.

        Args:
            cell: what the table has in the column of that name.

        Raises:
            ValueError: if there is none, or it is damaged.
        """
        path = Folder(self.folder).comparison_path(cell)
        if not path.is_file():
            raise ValueError(f"there is no comparison {path}")
        return Comparison(**storage.read(path))

    def plot(self, *, backend: Backend = "matplotlib") -> Any:
        """Data sets against architectures and widths: colour for what explains the gain, size for the gain.

        Args:
            backend: "matplotlib", or "plotly" for a figure to zoom and to hover over.

        Raises:
            ValueError: if no cell is done.
        """
        return by_backend(plot_atlas(self.table), backend)

    def report(self, path: str | Path) -> Path:
        """Write a self-contained HTML page with the figure and the table, and return its path.

        Raises:
            ValueError: if no cell is done.
            OSError: naming the folder and the reason, if it cannot be written.
        """
        return write_atlas_page(self.table, self.outcomes, self.not_done, Path(path))

    def __str__(self) -> str:
        failed = self.table.loc[self.table.error != "", ["set", "architecture", "width", "error"]]
        lines = [f"{count:4} {outcome}" for outcome, count in self.outcomes.items()]
        lines += [
            f"     failed: {row.set}, {row.architecture}, width={row.width}: {row.error}" for row in failed.itertuples()
        ]
        return "\n".join([*lines, *([f"{len(self.not_done):4} not done"] if self.not_done else [])])

    def _repr_html_(self) -> str:
        known = {outcome: str(count) for outcome, count in self.outcomes.items()}
        failed = {"failed": str((self.table.error != "").sum())} if (self.table.error != "").any() else {}
        left = {"not done": str(len(self.not_done))} if self.not_done else {}
        return as_pairs(f"Atlas in {self.folder}", {str(name): one for name, one in (known | failed | left).items()})


def atlas(
    sets: Iterable[str | DataSet],
    nets: Serial | Iterable[Serial],
    widths: Iterable[int],
    folder: str | Path,
    *,
    rows: int = 1000,
    candidates: Callable[[Serial, int], Sequence[Prior]] = ladder,
    splits: int | None = None,
    sampler: SMC | SMCFirst | None = None,
    max_seconds: float = 120.0,
    seed: int = 0,
    workers: int | None = None,
    client: Any = None,
    seconds: float | None = None,
    progress: bool = True,
) -> Atlas:
    """Ask of many data sets, at several architectures and widths, what explains the network's gain.

    Every data set, architecture and width is a cell: a comparison, by five folds unless told otherwise, computed by one
    worker with a checkpoint of its own and written to the folder when it is done. Workers may die, and the run may be
    stopped and started again, here or on another machine that sees the folder: what is done is never done twice, and
    what is under way goes on. A cell's numbers depend on its data, architecture, width, settings and ``seed``, and on
    nothing else. All data sets are compared at the first width before any is at the next. A cell that fails has the
    error in its row, and is tried again by the next run.

    Args:
        sets: names of bundled data sets (``tasks.bundled.BUNDLED``), or :class:`DataSet`.
        nets: one architecture or several.
        widths: of every hidden layer.
        folder: where to write; workers on other machines must see it under the same path.
        rows: of a data set at most; of a larger one as many are drawn at random.
        candidates: the priors of an architecture and a width.
        splits: a number of random splits with a fifth of the rows held out, the same for all cells of a data set; five
            folds when left out. One split takes a fifth of the time, and says less about other training sets.
        sampler: as in :func:`bayes_nn.compare`.
        max_seconds: as in :func:`bayes_nn.compare`.
        seed: of every random choice.
        workers: processes on this machine; one for every core when left out.
        client: a ``distributed.Client``, whose workers are used in place of those.
        seconds: after which no cell is begun and those under way are left to a later run; None for no end.
        progress: show a progress bar on a terminal, and the address of Dask's dashboard where there is one.

    Returns:
        All that the folder holds.

    Raises:
        ValueError: for bad data or settings, before any work.
        ImportError: without ``distributed``.
        OSError: naming the folder and the reason, if it cannot be written.

    Example:
        >>> import bayes_nn as bnn
        >>> atlas(["diabetes", "roses"], bnn.mlp(depth=1), [16], "atlas")
        Traceback (most recent call last):
        ValueError: there is no bundled data set 'roses'; choose from diabetes, digits, breast_cancer, wine, iris
    """
    tables = checked_tables(sets, rows, checked_seed(seed))
    named, sizes = checked_nets((nets,) if isinstance(nets, Serial) else tuple(nets)), checked_widths(widths)
    if seconds is not None and not seconds > 0.0:
        raise ValueError(f"seconds must be positive; got {seconds}")
    settings = SMCFirst(max_seconds=max_seconds) if sampler is None else sampler
    if not isinstance(settings, SMC | SMCFirst):
        raise ValueError(
            f"an atlas needs evidences, so sampler must be inference.SMC(...) or left out; got {sampler!r}"
        )
    cells = [
        Cell(table, name, net, width, list(chosen_candidates(candidates(net, width)).values()), settings, splits, seed)
        for width in sizes
        for name, net in named.items()
        for table in tables
    ]
    for cell in {cell.table.name: cell for cell in cells}.values():
        cell.row_pairs()  # of every data set once; refuses what is no number of splits
    kept = Folder(Path(folder).absolute())
    check_writable(kept.path)
    if client is not None:
        checked_client(client)
    if not all(kept.is_done(cell.identity) for cell in cells):
        with nullcontext(client) if client is not None else local_workers(workers) as sent:
            address = dashboard_of(sent)
            if progress and address:
                print(f"what the workers do: {address}", file=sys.stderr, flush=True)
            with progress_bar("atlas", enabled=progress) as report:
                run_cells(cells, kept, sent, seconds, report)
    left = tuple(cell.name for cell in cells if not kept.row(cell.identity))
    return Atlas.of(folder, left)
