"""The commands that compare priors: ``bayes-nn compare`` and ``sweep``."""

import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape

import bayes_nn as bnn
from bayes_nn.cli.documents import comparison_document, sweep_document
from bayes_nn.cli.options import (
    PRIORS,
    Activation,
    Checkpoint,
    Depth,
    Islands,
    IslandsAlone,
    KeepDuplicates,
    Likelihood,
    MaxSeconds,
    Particles,
    ParticlesAlone,
    Seed,
    Std,
    TestFraction,
    Widths,
    chosen_priors,
    named_likelihood,
    training_and_test,
    whole_numbers,
    with_table,
    without_exchange,
)
from bayes_nn.cli.printing import show_comparison, show_sweep
from bayes_nn.cli.screen import LOG_NAME

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayes_nn.cli.columns import TrainingTable
    from bayes_nn.cli.screen import Screen


@with_table
def compare(
    table: "TrainingTable",
    screen: "Screen",
    width: Widths = "64",
    depth: Depth = 2,
    priors: Annotated[
        str | None,
        typer.Option(help=f"Which to compare, separated by commas: {', '.join(PRIORS)}. Left out, the whole ladder."),
    ] = None,
    activation: Activation = "relu",
    weight_std: Std = None,
    bias_std: Std = None,
    noise_std: Std = None,
    test_fraction: TestFraction = 0.25,
    splits: Annotated[int, typer.Option(help="Random splits into training and test rows, averaged over.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for the report, the result, plots and the log.")] = Path(
        "comparison"
    ),
    particles: ParticlesAlone = None,
    islands: IslandsAlone = None,
    max_seconds: MaxSeconds = 120.0,
    likelihood: Likelihood = "gaussian",
    checkpoint: Checkpoint = None,
    seed: Seed = 0,
    keep_duplicates: KeepDuplicates = False,
) -> Path:
    """Compare priors over functions on a data set, and say what explains the network's gain.

    Fits every rung between infinite width and hidden features: the NNGP, the NTK, kernels of free scale (scale mixture,
    Student t), kernels with a lengthscale for every input (RBF, Matern), and the Bayesian network; or the priors named.
    Those with a width are fitted at every width. Prints the outcome and the table; writes a page, the result, plots and
    a log.

    Example: [bold]bayes-nn compare houses.csv --target price --width 16,64 --out houses[/]
    """
    from bayes_nn.cli.columns import hold_out
    from bayes_nn.runtime.sealed_file import check_writable

    X, y = table.X, table.y
    check_writable(out)
    if splits < 1:
        raise ValueError(f"--splits must be at least 1; got {splits}")
    held_out = [hold_out(len(X), test_fraction, seed + number) for number in range(splits)]
    net = bnn.mlp(depth, activation, weight_std, bias_std)
    chosen_likelihood = named_likelihood(likelihood, noise_std)
    candidates = chosen_priors(priors, net, whole_numbers(width, "--width"))
    sampler = without_exchange(particles, islands)
    screen.keep_log(out)
    screen.log(*table.notes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        result = bnn.compare(
            candidates,
            X,
            y,
            key=seed,
            splits=held_out,
            likelihood=chosen_likelihood,
            sampler=sampler,
            max_seconds=max_seconds,
            duplicates="keep" if keep_duplicates else "error",
            checkpoint=checkpoint,
            progress=not screen.quiet,
        )
    result = replace(result, settings=result.settings | {"levels": table.levels})
    figures = {"evidence.png": result.plot_evidence()}
    if result.verdict.shares:
        figures["waterfall.png"] = result.plot_waterfall()
    if result.y_test:
        figures["predictions.png"] = result.plot_predictions()
    files = [result.save(out / "result.nc"), result.report(out / "report.html"), *_drawn(figures, out)]
    show_comparison(screen, result)
    screen.show(f"\nWritten to [bold]{escape(str(out))}[/]: {', '.join(file.name for file in files)}, {LOG_NAME}")
    screen.answer(comparison_document(result, [*files, out / LOG_NAME]))
    return out / "report.html"


@with_table
def sweep(
    table: "TrainingTable",
    screen: "Screen",
    width: Widths = "8,32,128",
    depth: Annotated[str, typer.Option(help="Numbers of hidden layers, separated by commas.")] = "1,2",
    activation: Activation = "relu",
    weight_std: Std = None,
    bias_std: Std = None,
    noise_std: Std = None,
    test_fraction: TestFraction = 0.25,
    out: Annotated[
        Path, typer.Option(help="Folder for the report, the result, plots and the log, and those of every depth.")
    ] = Path("sweep"),
    particles: Particles = 128,
    islands: Islands = 4,
    likelihood: Likelihood = "gaussian",
    checkpoint: Checkpoint = None,
    seed: Seed = 0,
    keep_duplicates: KeepDuplicates = False,
) -> Path:
    """Compare the network with its infinite-width limit at several depths and widths.

    Fits what [bold]compare[/] fits, once where it does not depend on width or depth; prints a line for every depth and
    width.

    Example: [bold]bayes-nn sweep houses.csv --target price --width 16,64,256 --depth 1,2,3[/]
    """
    from bayes_nn.runtime.sealed_file import check_writable, write_file

    parts = training_and_test(table, test_fraction, seed)
    check_writable(out)
    widths, chosen_likelihood = whole_numbers(width, "--width"), named_likelihood(likelihood, noise_std)
    nets = [bnn.mlp(depth, activation, weight_std, bias_std) for depth in whole_numbers(depth, "--depth")]
    screen.keep_log(out)
    screen.log(*table.notes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        result = bnn.inference.sweep(
            nets, widths, *parts, seed,
            likelihood=chosen_likelihood,
            sampler=bnn.inference.SMC(particles=particles, islands=islands),
            duplicates="keep" if keep_duplicates else "error", checkpoint=checkpoint,
            progress=not screen.quiet,
        )  # fmt: skip
    files = [result.save(out / "result.nc"), result.report(out / "report.html")]
    for net, comparison in zip(nets, result.comparisons.values(), strict=True):
        files.append(comparison.save(out / f"result_depth_{net.depth}.nc"))
        files.append(comparison.report(out / f"report_depth_{net.depth}.html"))
    files.append(write_file(out / "sweep.csv", result.table.to_csv().encode()))
    files += _drawn({"sweep.png": result.plot()}, out)
    show_sweep(screen, result)
    screen.show(
        f"\nWritten to [bold]{escape(str(out))}[/]: report.html, result.nc, sweep.csv, sweep.png, {LOG_NAME}, and a "
        "report and a result of every depth"
    )
    screen.answer(sweep_document(result, [*files, out / LOG_NAME]))
    return out / "report.html"


def _drawn(figures: dict[str, "Figure"], folder: Path) -> list[Path]:
    """Figures as files of a folder."""
    for name, figure in figures.items():
        figure.savefig(folder / name, dpi=150)
    return [folder / name for name in figures]
