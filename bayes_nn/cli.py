"""The command line: ``bayes-nn compare``, ``sweep``, ``fit`` and ``report``."""

import functools
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

import bayes_nn as bnn
from bayes_nn.tables import hold_out, inputs_and_target, read_table

if TYPE_CHECKING:
    from bayes_nn.inference.comparison import Comparison

#: Columns of a terminal from which on the whole table is printed; the report always has all of it.
WIDE = 130

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Does a finite network beat its infinite-width limit by learning features, or as a better prior?",
)
console = Console()

Data = Annotated[
    str,
    typer.Argument(help="A CSV or Parquet file, or [bold]diabetes[/] for scikit-learn's bundled data.", metavar="DATA"),
]
Target = Annotated[str, typer.Option(help="Name of the column to predict; every other column is an input.")]
TestFraction = Annotated[float, typer.Option(help="Fraction of the rows held out to score predictions.")]
Depth = Annotated[int, typer.Option(help="Number of hidden layers.")]
Activation = Annotated[str, typer.Option(help="relu, erf, tanh, gelu, identity, ...")]
Std = Annotated[
    float | None, typer.Option(help="A number to fix it; left out, it is inferred under a LogNormal prior.")
]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]
Particles = Annotated[int, typer.Option(help="SMC particles in each island; more make the evidence more precise.")]
Islands = Annotated[int, typer.Option(help="Independent SMC islands; their spread gives the evidence its error.")]
Likelihood = Annotated[str, typer.Option(help="gaussian for numbers; bernoulli or categorical for labels.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="A folder for the state of the run; the same command, killed and given again, goes on from it."),
]
KeepDuplicates = Annotated[bool, typer.Option("--keep-duplicates", help="Accept rows that repeat inputs and target.")]


def one_line_errors(command: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a ValueError into one line on standard error and exit code 2."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except ValueError as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(2) from None

    return wrapped


@app.command()
@one_line_errors
def compare(
    data: Data,
    target: Target = "target",
    width: Annotated[str, typer.Option(help="Widths of the networks, separated by commas.")] = "64",
    depth: Depth = 2,
    activation: Activation = "relu",
    weight_std: Std = None,
    bias_std: Std = None,
    noise_std: Std = None,
    test_fraction: TestFraction = 0.25,
    splits: Annotated[int, typer.Option(help="Random splits into training and test rows, averaged over.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for report.html, result.nc and evidence.png.")] = Path("comparison"),
    particles: Particles = 128,
    islands: Islands = 4,
    likelihood: Likelihood = "gaussian",
    checkpoint: Checkpoint = None,
    seed: Seed = 0,
    keep_duplicates: KeepDuplicates = False,
) -> None:
    """Compare priors over functions on a data set, and say what explains the network's gain.

    Fits the NNGP, the NTK, and for every width the scale mixture, frozen features (under Gaussian noise) and the
    Bayesian network; prints the table and the verdict; writes a report, the result and a picture.

    Example: [bold]bayes-nn compare houses.csv --target price --width 16,64 --out houses[/]
    """
    X, y = inputs_and_target(read_table(data), target)
    if splits < 1:
        raise ValueError(f"--splits must be at least 1; got {splits}")
    held_out = [hold_out(len(X), test_fraction, seed + number) for number in range(splits)]
    net = bnn.mlp(depth, activation, weight_std, bias_std)
    candidates: list[bnn.priors.Prior] = [bnn.priors.NNGP(net), bnn.priors.NTK(net)]
    for n in whole_numbers(width, "--width"):
        candidates += [bnn.priors.ScaleMixture(net, n), bnn.BayesianNetwork(net, n)]
        candidates += [bnn.priors.FrozenFeatures(net, n)] if likelihood == "gaussian" else []
    sampler = bnn.inference.SMC(particles=particles, islands=islands)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        result = bnn.compare(
            candidates,
            X,
            y,
            key=seed,
            splits=held_out,
            likelihood=named_likelihood(likelihood, noise_std),
            sampler=sampler,
            duplicates="keep" if keep_duplicates else "error",
            checkpoint=checkpoint,
        )
    show(result)
    result.report(out / "report.html")
    result.save(out / "result.nc")
    result.plot_evidence().savefig(out / "evidence.png", dpi=150)
    console.print(f"\nWritten to [bold]{out}[/]: report.html, result.nc, evidence.png")


@app.command()
@one_line_errors
def sweep(
    data: Data,
    target: Target = "target",
    width: Annotated[str, typer.Option(help="Widths of the networks, separated by commas.")] = "8,32,128",
    depth: Annotated[str, typer.Option(help="Numbers of hidden layers, separated by commas.")] = "1,2",
    activation: Activation = "relu",
    weight_std: Std = None,
    bias_std: Std = None,
    noise_std: Std = None,
    test_fraction: TestFraction = 0.25,
    out: Annotated[Path, typer.Option(help="Folder for sweep.csv, sweep.png and a report of every depth.")] = Path(
        "sweep"
    ),
    particles: Particles = 128,
    islands: Islands = 4,
    likelihood: Likelihood = "gaussian",
    checkpoint: Checkpoint = None,
    seed: Seed = 0,
    keep_duplicates: KeepDuplicates = False,
) -> None:
    """Compare the network with its infinite-width limit at several depths and widths.

    Fits the NNGP, the NTK, the scale mixture and the Bayesian network; prints a line for every depth and width.

    Example: [bold]bayes-nn sweep houses.csv --target price --width 16,64,256 --depth 1,2,3[/]
    """
    parts = training_and_test(data, target, test_fraction, seed)
    nets = [bnn.mlp(depth, activation, weight_std, bias_std) for depth in whole_numbers(depth, "--depth")]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        result = bnn.inference.sweep(
            nets, whole_numbers(width, "--width"), *parts, seed,
            likelihood=named_likelihood(likelihood, noise_std),
            sampler=bnn.inference.SMC(particles=particles, islands=islands),
            duplicates="keep" if keep_duplicates else "error", checkpoint=checkpoint,
        )  # fmt: skip
    table = Table(title=f"Networks against the NNGP on {len(parts[0])} rows", title_justify="left")
    for heading in ("architecture", "width", "log Bayes factor", "test gain", "feature inf.", "verdict", "ok"):
        table.add_column(heading, justify="left" if heading in ("architecture", "verdict") else "right")
    for (name, n), row in result.table.iterrows():
        table.add_row(
            name, str(n), f"{row.log_bayes_factor:.2f} ± {row.mcse:.2f}", f"{row.gain:.3f} ± {row.gain_se:.3f}",
            f"{row.feature_information:.2f} ± {row.feature_information_mcse:.2f}", row.verdict,
            "yes" if row.reliable else "NO",
        )  # fmt: skip
    console.print(table)
    out.mkdir(parents=True, exist_ok=True)
    result.table.to_csv(out / "sweep.csv")
    result.plot().savefig(out / "sweep.png", dpi=150)
    for net, comparison in zip(nets, result.comparisons.values(), strict=True):
        comparison.report(out / f"report_depth_{net.depth}.html")
    console.print(f"\nWritten to [bold]{out}[/]: sweep.csv, sweep.png, and a report of every depth")


@app.command()
@one_line_errors
def fit(
    data: Data,
    target: Target = "target",
    prior: Annotated[str, typer.Option(help="nngp, ntk, scale-mixture, frozen or network.")] = "network",
    width: Annotated[int, typer.Option(help="Width of every hidden layer.")] = 64,
    depth: Depth = 2,
    activation: Activation = "relu",
    weight_std: Std = None,
    bias_std: Std = None,
    noise_std: Std = None,
    sampler: Annotated[
        str | None,
        typer.Option(help="exact, infinite_hmc, smc, nuts, hmc; or the sensible one."),
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

    X, y = inputs_and_target(read_table(data), target)
    net = bnn.mlp(depth, activation, weight_std, bias_std)
    makers: dict[str, Callable[[], bnn.priors.Prior]] = {
        "nngp": lambda: bnn.priors.NNGP(net),
        "ntk": lambda: bnn.priors.NTK(net),
        "scale-mixture": lambda: bnn.priors.ScaleMixture(net, width),
        "frozen": lambda: bnn.priors.FrozenFeatures(net, width),
        "network": lambda: bnn.BayesianNetwork(net, width),
    }
    if prior not in makers:
        raise ValueError(f"unknown prior {prior!r}; choose one of {', '.join(makers)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        posterior = bnn.fit(
            makers[prior](), X, y, named_likelihood(likelihood, noise_std), sampler, key=seed,
            duplicates="keep" if keep_duplicates else "error", checkpoint=checkpoint,
        )  # fmt: skip
    tree = posterior.to_datatree()
    hyperparameters = [name for name in posterior.target.hyperparameters if name in posterior.values]
    if hyperparameters:
        console.print(az.summary(tree, var_names=hyperparameters).to_string(), highlight=False)
    if posterior.evidence:
        scale = "standardised y" if posterior.target.likelihood.conjugate else "y"
        console.print(f"log evidence of the {scale}: {posterior.log_evidence}", highlight=False)
    console.print(f"{posterior.target.prior.name}, {posterior.sampler}: {posterior.convergence}", highlight=False)
    out.parent.mkdir(parents=True, exist_ok=True)
    tree.to_netcdf(out, engine="h5netcdf")
    console.print(f"Written to [bold]{out}[/]; read it with arviz.from_netcdf")


@app.command()
@one_line_errors
def report(
    result: Annotated[Path, typer.Argument(help="A result.nc that [bold]compare[/] wrote.")],
    out: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("report.html"),
) -> None:
    """Print a saved comparison and write its report again."""
    comparison = bnn.load(result)
    show(comparison)
    console.print(f"\nWritten to [bold]{comparison.report(out)}[/]")


def named_likelihood(name: str, noise_std: float | None) -> bnn.Likelihood:
    """A likelihood by its name.

    Raises:
        ValueError: for an unknown name, or a noise_std where there is no noise.
    """
    if name == "gaussian":
        return bnn.Gaussian(noise_std)
    if noise_std is not None:
        raise ValueError("--noise-std belongs to --likelihood gaussian")
    labels: dict[str, Callable[[], bnn.Likelihood]] = {"bernoulli": bnn.Bernoulli, "categorical": bnn.Categorical}
    if name not in labels:
        raise ValueError(f"unknown likelihood {name!r}; choose gaussian, {', '.join(labels)}")
    return labels[name]()


def training_and_test(
    data: str, target: str, test_fraction: float, seed: int
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame, pd.Series]:
    """X, y, X_test and y_test of a table, rows held out at random.

    Raises:
        ValueError: for a bad file, column or fraction.
    """
    frame = read_table(data)
    X, y = inputs_and_target(frame, target)
    train, test = hold_out(len(frame), test_fraction, seed)
    return X.iloc[train], y.iloc[train], X.iloc[test], y.iloc[test]


def whole_numbers(text: str, option: str) -> list[int]:
    """Positive whole numbers from a comma-separated list.

    Raises:
        ValueError: for anything else, naming the option.
    """
    try:
        numbers = [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"{option} must be whole numbers separated by commas, such as 16,64; got {text!r}") from None
    if min(numbers) < 1:
        raise ValueError(f"{option} must be positive; got {text!r}")
    return list(dict.fromkeys(numbers))


def show(result: "Comparison") -> None:
    """Print the table and the verdict."""
    scale = "standardised y" if result.standardized else "y as given"
    table = Table(
        title=f"Priors on {result.n_train} rows; log evidence of {scale} in nats, best first", title_justify="left"
    )
    table.add_column("prior", overflow="fold")
    cells: dict[str, Callable[[Any], str]] = {
        "log evidence": lambda row: f"{row.log_evidence:.2f} ± {row.mcse:.2f}",
        "log BF": lambda row: f"{row.log_bayes_factor:.2f}",
        "test lpd": lambda row: f"{row.lpd_test:.3f} ± {row.lpd_test_se:.3f}",
    }
    if console.width >= WIDE:
        cells |= {
            "prob.": lambda row: f"{row.probability:.3f}",
            "RMSE": lambda row: f"{row.rmse:.4g}",
            **({"accuracy": lambda row: f"{row.accuracy:.3f}"} if "accuracy" in result.table else {}),
            "feature inf.": lambda row: f"{row.feature_information:.2f}",
            "sec.": lambda row: f"{row.seconds:.0f}",
        }
    cells["ok"] = lambda row: "yes" if row.reliable else "NO"
    for heading in cells:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in result.table.iterrows():
        table.add_row(str(name), *(cell(row) for cell in cells.values()))
    console.print(table)
    for row in result.rows:
        for reason in row.reasons:
            console.print(f"[yellow]{row.name}: {reason}[/]", highlight=False)
    console.print(str(result.verdict), highlight=False)


def main() -> None:
    """Entry point: use every core, then run the command."""
    bnn.use_all_cores()
    app(prog_name="bayes-nn")


if __name__ == "__main__":
    main()
