"""The command ``bayes-nn atlas``: many data sets, architectures and widths, computed by workers into a folder."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

import bayes_nn as bnn
from bayes_nn.cli.documents import plain
from bayes_nn.cli.options import (
    PRIORS,
    IslandsAlone,
    KeepDuplicates,
    Likelihood,
    MaxSeconds,
    ParticlesAlone,
    Seed,
    Std,
    chosen_priors,
    named_likelihood,
    whole_numbers,
    without_exchange,
)
from bayes_nn.cli.running import INTERRUPTED

if TYPE_CHECKING:
    from bayes_nn.cli.screen import Screen


def atlas(
    screen: "Screen",
    data: Annotated[
        list[str],
        typer.Argument(
            help="CSV or Parquet files, or bundled sets: diabetes, digits, breast_cancer, wine, iris.",
            metavar="DATA...",
        ),
    ],
    target: Annotated[str, typer.Option(help="Name of the column to predict, of every file.")] = "target",
    depth: Annotated[str, typer.Option(help="Numbers of hidden layers, separated by commas.")] = "1,2",
    width: Annotated[
        str, typer.Option(help="Widths, separated by commas; all sets are done at one before the next.")
    ] = "16,64",
    activation: Annotated[str, typer.Option(help="relu, erf, tanh, ..., separated by commas.")] = "relu,erf",
    priors: Annotated[
        str | None,
        typer.Option(help=f"Which to compare, separated by commas: {', '.join(PRIORS)}. Left out, the whole ladder."),
    ] = None,
    weight_std: Std = None,
    bias_std: Std = None,
    noise_std: Std = None,
    rows: Annotated[
        int, typer.Option(help="Rows of a data set at most; of a larger one so many, drawn at random.")
    ] = 1000,
    splits: Annotated[
        int | None,
        typer.Option(help="Random splits with a fifth of the rows held out, in place of five folds; 1 is the fastest."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the atlas, to which cells are added.")] = Path("atlas"),
    workers: Annotated[
        int | None, typer.Option(help="Processes on this machine; one for every core when left out.")
    ] = None,
    scheduler: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler, whose workers see the folder, in place of those.")
    ] = None,
    seconds: Annotated[float | None, typer.Option(help="After which the run ends; the same command goes on.")] = None,
    particles: ParticlesAlone = None,
    islands: IslandsAlone = None,
    max_seconds: MaxSeconds = 120.0,
    likelihood: Likelihood = "gaussian",
    seed: Seed = 0,
    keep_duplicates: KeepDuplicates = False,
) -> Path:
    """Ask of many data sets, at several depths, widths and activations, what explains the network's gain.

    Every data set, architecture and width is a cell: a comparison, computed by one worker. Workers may
    die, and the run may be stopped: given again, the command goes on, and does nothing twice. Folders of several
    machines are merged by copying their files together. Writes table.csv, atlas.png, report.html and cells/.

    Example: [bold]bayes-nn atlas houses.csv wages.csv --target price --depth 1,2 --width 16,64 --out atlas[/]
    """
    widths = whole_numbers(width, "--width")
    nets = [
        bnn.mlp(layers, name.strip(), weight_std, bias_std)
        for name in activation.split(",")
        for layers in whole_numbers(depth, "--depth")
    ]
    sets = [_data_set(one, target, likelihood, noise_std, keep_duplicates, screen) for one in data]
    try:
        with _client_of(scheduler) as client:
            found = bnn.inference.atlas(
                sets, nets, widths, out, rows=rows, splits=splits,
                candidates=lambda net, width: chosen_priors(priors, net, [width]),
                sampler=without_exchange(particles, islands),
                max_seconds=max_seconds, seed=seed, workers=workers, client=client, seconds=seconds,
                progress=not screen.quiet,
            )  # fmt: skip
    except KeyboardInterrupt:
        typer.echo(f"interrupted; what is done is in {out}: the same command goes on from there", err=True)
        sys.exit(INTERRUPTED)
    screen.show(escape(str(found)))
    files = [out / "table.csv"]
    if len(found.outcomes):
        files += [out / "atlas.png", found.report(out / "report.html")]
        found.plot().savefig(files[1], dpi=150)
        screen.show(f"\nWritten to [bold]{escape(str(out))}[/]: table.csv, atlas.png, report.html, and cells/")
    screen.answer(plain({"table": found.table.reset_index().to_dict("records"), "files": files}))
    return files[-1]


@contextmanager
def _client_of(scheduler: str | None) -> Iterator[Any]:
    """A client of the scheduler at an address; None without an address."""
    if scheduler is None:
        yield None
        return
    from bayes_nn.runtime.workers import client_of

    with client_of(scheduler) as client:
        yield client


def _data_set(
    data: str, target: str, likelihood: str, noise_std: float | None, keep_duplicates: bool, screen: "Screen"
) -> "bnn.inference.DataSet":
    """A bundled data set by its name, or a file read as the other commands read it."""
    from bayes_nn.cli.columns import TrainingTable
    from bayes_nn.cli.files import read_table
    from bayes_nn.tasks.bundled import BUNDLED, bundled

    path = Path(data)
    if data in BUNDLED and not path.exists():
        X, y, own = bundled(data)
        return bnn.inference.DataSet(data, X, y, own if own.labels else named_likelihood("gaussian", noise_std))
    chosen = named_likelihood(likelihood, noise_std)
    try:
        table = TrainingTable.of(read_table(data), target, chosen)
    except ValueError as error:
        raise ValueError(f"{path.name}: {error}") from None
    for note in table.notes:
        screen.show(escape(f"{path.name}: {note}"))
    return bnn.inference.DataSet(path.stem, table.X, table.y, chosen, "keep" if keep_duplicates else "error")
