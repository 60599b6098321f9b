"""The command line: ``bayes-nn compare``, ``sweep``, ``fit`` and ``report``."""

import json
import warnings
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import bayes_nn as bnn
from bayes_nn.cli.options import (
    PRIORS,
    Activation,
    Checkpoint,
    Depth,
    Islands,
    IslandsOfSMCAlone,
    KeepDuplicates,
    Likelihood,
    MaxSeconds,
    Particles,
    ParticlesOfSMCAlone,
    Seed,
    Std,
    TestFraction,
    Widths,
    chosen_priors,
    named_likelihood,
    named_priors,
    training_and_test,
    whole_numbers,
    with_table,
)
from bayes_nn.cli.printing import console, show_comparison, show_reasons, show_sweep
from bayes_nn.cli.running import EXIT_CODES, runs

if TYPE_CHECKING:
    from bayes_nn.cli.columns import TrainingTable

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Does a finite network beat its infinite-width limit by learning features, or as a better prior?",
    epilog=EXIT_CODES,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"bayes-nn {version('bayes_nn')}")
        raise typer.Exit


@app.callback()
def _before_every_command(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """What comes before every command."""


@app.command()
@runs
@with_table
def compare(
    table: "TrainingTable",
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
    out: Annotated[Path, typer.Option(help="Folder for report.html, result.nc and evidence.png.")] = Path("comparison"),
    particles: ParticlesOfSMCAlone = None,
    islands: IslandsOfSMCAlone = None,
    max_seconds: MaxSeconds = 120.0,
    likelihood: Likelihood = "gaussian",
    checkpoint: Checkpoint = None,
    seed: Seed = 0,
    keep_duplicates: KeepDuplicates = False,
) -> None:
    """Compare priors over functions on a data set, and say what explains the network's gain.

    Fits every rung between infinite width and hidden features: the NNGP, the NTK, kernels of free scale (scale mixture,
    Student t), kernels with a lengthscale for every input (RBF, Matern), and the Bayesian network; or the priors named.
    Those with a width are fitted at every width. Prints the table and the verdict; writes a report, the result and a
    picture.

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
    named: dict[str, Any] = {"particles": particles, "islands": islands}
    given = {name: count for name, count in named.items() if count is not None}
    sampler = replace(bnn.inference.SMC(), **given) if given else None
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
        )
    result = replace(result, settings=result.settings | {"levels": table.levels})
    result.save(out / "result.nc")
    show_comparison(result)
    result.report(out / "report.html")
    result.plot_evidence().savefig(out / "evidence.png", dpi=150)
    console.print(f"\nWritten to [bold]{out}[/]: report.html, result.nc, evidence.png")


@app.command()
@runs
@with_table
def sweep(
    table: "TrainingTable",
    width: Widths = "8,32,128",
    depth: Annotated[str, typer.Option(help="Numbers of hidden layers, separated by commas.")] = "1,2",
    activation: Activation = "relu",
    weight_std: Std = None,
    bias_std: Std = None,
    noise_std: Std = None,
    test_fraction: TestFraction = 0.25,
    out: Annotated[
        Path, typer.Option(help="Folder for sweep.csv, sweep.png, and a result and a report of every depth.")
    ] = Path("sweep"),
    particles: Particles = 128,
    islands: Islands = 4,
    likelihood: Likelihood = "gaussian",
    checkpoint: Checkpoint = None,
    seed: Seed = 0,
    keep_duplicates: KeepDuplicates = False,
) -> None:
    """Compare the network with its infinite-width limit at several depths and widths.

    Fits what [bold]compare[/] fits, once where it does not depend on width or depth; prints a line for every depth and
    width.

    Example: [bold]bayes-nn sweep houses.csv --target price --width 16,64,256 --depth 1,2,3[/]
    """
    from bayes_nn.runtime.sealed_file import check_writable, write_file

    parts = training_and_test(table, test_fraction, seed)
    check_writable(out)
    nets = [bnn.mlp(depth, activation, weight_std, bias_std) for depth in whole_numbers(depth, "--depth")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        result = bnn.inference.sweep(
            nets, whole_numbers(width, "--width"), *parts, seed,
            likelihood=named_likelihood(likelihood, noise_std),
            sampler=bnn.inference.SMC(particles=particles, islands=islands),
            duplicates="keep" if keep_duplicates else "error", checkpoint=checkpoint,
        )  # fmt: skip
    for net, comparison in zip(nets, result.comparisons.values(), strict=True):
        comparison.save(out / f"result_depth_{net.depth}.nc")
        comparison.report(out / f"report_depth_{net.depth}.html")
    show_sweep(result, len(parts[0]))
    write_file(out / "sweep.csv", result.table.to_csv().encode())
    result.plot().savefig(out / "sweep.png", dpi=150)
    console.print(f"\nWritten to [bold]{out}[/]: sweep.csv, sweep.png, and a result and a report of every depth")


@app.command()
@runs
@with_table
def fit(
    table: "TrainingTable",
    prior: Annotated[str, typer.Option(help=f"One of {', '.join(PRIORS)}.")] = "network",
    width: Annotated[int, typer.Option(help="Width of every hidden layer.")] = 64,
    depth: Depth = 2,
    activation: Activation = "relu",
    weight_std: Std = None,
    bias_std: Std = None,
    noise_std: Std = None,
    sampler: Annotated[
        str | None,
        typer.Option(help="exact, infinite_hmc, smc, replica_exchange, nuts, hmc; or the sensible one."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The posterior, an ArviZ DataTree in NetCDF.")] = Path("posterior.nc"),
    likelihood: Likelihood = "gaussian",
    checkpoint: Checkpoint = None,
    seed: Seed = 0,
    keep_duplicates: KeepDuplicates = False,
) -> None:
    """Fit one prior to a data set and write its posterior for ArviZ.

    Example: [bold]bayes-nn fit houses.csv --target price --prior network --width 32 --sampler nuts[/]
    """
    import arviz as az

    from bayes_nn.runtime.sealed_file import check_writable, write_file

    check_writable(out.parent)
    net = bnn.mlp(depth, activation, weight_std, bias_std)
    (chosen,) = named_priors([prior], net, [width])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        posterior = bnn.fit(
            chosen, table.X, table.y, named_likelihood(likelihood, noise_std), sampler, key=seed,
            duplicates="keep" if keep_duplicates else "error", checkpoint=checkpoint,
        )  # fmt: skip
    tree = posterior.to_datatree()
    if table.levels:
        tree.attrs["levels"] = json.dumps(table.levels)
    hyperparameters = [name for name in posterior.problem.hyperparameters if name in posterior.values]
    if hyperparameters:
        console.print(az.summary(tree, var_names=hyperparameters).to_string(), highlight=False)
    if posterior.sampler_evidence:
        scale = "standardised y" if posterior.dataset.likelihood.scales_targets else "y"
        console.print(f"log evidence of the {scale}: {posterior.log_evidence.estimate}", highlight=False)
    console.print(f"{posterior.prior.name}, {posterior.sampler}: {posterior.convergence.outcome}", highlight=False)
    show_reasons(posterior.prior.name, (*posterior.reasons, *posterior.noise_notes))
    content: Any = tree.to_netcdf(engine="h5netcdf")
    write_file(out, bytes(content))
    console.print(f"Written to [bold]{out}[/]; read it with arviz.from_netcdf")


@app.command()
@runs
def report(
    result: Annotated[Path, typer.Argument(help="A result of [bold]compare[/] or [bold]sweep[/], or an atlas.")],
    out: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("report.html"),
) -> None:
    """Print a saved comparison or fit, or read an atlas, and write its report again."""
    saved = bnn.load(result)
    if isinstance(saved, bnn.Comparison):
        show_comparison(saved)
    elif isinstance(saved, bnn.Posterior):
        show_reasons(saved.prior.name, (*saved.reasons, *saved.noise_notes))
    console.print(f"\nWritten to [bold]{saved.report(out)}[/]")


def main() -> None:
    """Entry point."""
    app(prog_name="bayes-nn")
