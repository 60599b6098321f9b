"""What the commands of ``bayes-nn`` take: their options, and the values behind the words typed.

Nothing here imports JAX or pandas before a value is asked for, so that ``--help`` and completion answer at once.
"""

import functools
import inspect
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import bayes_nn as bnn
from bayes_nn.cli.screen import Screen

if TYPE_CHECKING:
    import pandas as pd

    from bayes_nn.cli.columns import TrainingTable
    from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst

Data = Annotated[
    str,
    typer.Argument(help="A CSV or Parquet file, or [bold]diabetes[/] for scikit-learn's bundled data.", metavar="DATA"),
]
Target = Annotated[str, typer.Option(help="Name of the column to predict; every other column is an input.")]
TestFraction = Annotated[float, typer.Option(help="Fraction of the rows held out to score predictions.")]
Depth = Annotated[int, typer.Option(help="Number of hidden layers.")]
Activation = Annotated[str, typer.Option(help="relu, erf, tanh, gelu, identity, ...")]
Widths = Annotated[str, typer.Option(help="Widths of the networks, separated by commas.")]
Std = Annotated[
    float | None, typer.Option(help="A number to fix it; left out, it is inferred under a LogNormal prior.")
]
Seed = Annotated[int, typer.Option(help="Seed of every random choice.")]
Particles = Annotated[int, typer.Option(help="SMC particles in each island; more make the evidence more precise.")]
Islands = Annotated[int, typer.Option(help="Independent SMC islands; their spread gives the evidence its error.")]
ParticlesAlone = Annotated[
    int | None, typer.Option(help="SMC particles in each island. With this or --islands, replica exchange is left out.")
]
IslandsAlone = Annotated[
    int | None, typer.Option(help="Independent SMC islands. With this or --particles, replica exchange is left out.")
]
MaxSeconds = Annotated[float, typer.Option(help="Seconds that a fit may take, where SMC settings are left out.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="A folder for the state of the run; the same command, killed and given again, goes on from it."),
]
Delimiter = Annotated[
    str | None, typer.Option(help="Between columns of a CSV file, such as ';' or tab. Recognised where left out.")
]
Decimal = Annotated[
    str | None, typer.Option(help="Sign before the fraction of a number: . or , . Recognised where left out.")
]
Thousands = Annotated[
    str | None, typer.Option(help="Sign between groups of three digits, such as , or . Recognised where left out.")
]
Encoding = Annotated[str | None, typer.Option(help="Of the file's text, such as latin-1; UTF-8 where left out.")]
Missing = Annotated[
    str | None, typer.Option(help="What to do about blanks: drop such rows, or fill in the mean of the column.")
]
KeepColumns = Annotated[
    bool, typer.Option("--keep-columns", help="Use columns that look like row numbers or names of rows too.")
]
KeepDuplicates = Annotated[bool, typer.Option("--keep-duplicates", help="Accept rows that repeat inputs and target.")]

#: Priors by the names that ``--prior`` and ``--priors`` take; those with hidden units are made once for every width.
PRIORS: "dict[str, Callable[[bnn.Serial, int], bnn.priors.Prior]]" = {
    "nngp": lambda net, width: bnn.priors.NNGP(net),
    "ntk": lambda net, width: bnn.priors.NTK(net),
    "student-t": lambda net, width: bnn.priors.StudentT(net),
    "renormalised": lambda net, width: bnn.priors.RenormalisedKernel(net, width),
    "scale-mixture": lambda net, width: bnn.priors.ScaleMixture(net, width),
    "ard-rbf": lambda net, width: bnn.priors.ARDKernel("rbf"),
    "ard-matern52": lambda net, width: bnn.priors.ARDKernel("matern52"),
    "frozen": lambda net, width: bnn.priors.FrozenFeatures(net, width),
    "network": lambda net, width: bnn.BayesianNetwork(net, width),
}

#: Likelihoods by the names that ``--likelihood`` takes; their classes are those of :mod:`bayes_nn`.
LIKELIHOODS = {
    "gaussian": "Gaussian",
    "student-t": "StudentTNoise",
    "heteroscedastic": "HeteroscedasticNoise",
    "poisson": "Poisson",
    "bernoulli": "Bernoulli",
    "categorical": "Categorical",
}

Likelihood = Annotated[str, typer.Option(help=f"How y depends on the function: {', '.join(LIKELIHOODS)}.")]


AsJSON = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors; no progress either.")]
OpenPage = Annotated[bool, typer.Option("--open", help="Open the page in the browser in the end.")]


def with_table(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say which table to read and how; it takes the table as its first argument."""
    _, *own = inspect.signature(command).parameters.values()
    shared = list(inspect.signature(_chosen_table).parameters.values())[1:]

    @functools.wraps(command)
    def wrapped(**given: Any) -> Any:
        reading = {option.name: given.pop(option.name) for option in shared}
        table = _chosen_table(named_likelihood(given["likelihood"], None), **reading)
        given["screen"].note(*table.notes)
        return command(table, **given)

    return _taking(wrapped, [*shared, *own])


def with_screen(command: Callable[..., Path]) -> Callable[..., None]:
    """Give a command the options that say what is printed; it takes a screen by that name, and returns its page."""
    own = [option for option in inspect.signature(command).parameters.values() if option.name != "screen"]
    shared = list(inspect.signature(_chosen_screen).parameters.values())

    @functools.wraps(command)
    def wrapped(open_page: bool, **given: Any) -> None:
        chosen = {option.name: given.pop(option.name) for option in shared if option.name in given}
        with _chosen_screen(**chosen) as screen:
            page = command(screen=screen, **given)
        if open_page:
            import webbrowser

            webbrowser.open(page.resolve().as_uri())

    return _taking(wrapped, [*own, *shared])


def _taking(command: Callable[..., Any], options: list[inspect.Parameter]) -> Callable[..., Any]:
    """The command, for which Typer finds these options."""
    del command.__wrapped__  # type: ignore[attr-defined]
    named = [option.replace(kind=inspect.Parameter.KEYWORD_ONLY) for option in options]
    command.__signature__ = inspect.Signature(named)  # type: ignore[attr-defined]
    command.__annotations__ = {option.name: option.annotation for option in options}
    return command


def _chosen_screen(as_json: AsJSON = False, quiet: Quiet = False, open_page: OpenPage = False) -> Screen:
    return Screen(as_json, quiet)


def _chosen_table(
    likelihood: "bnn.Likelihood",
    data: Data,
    target: Target = "target",
    delimiter: Delimiter = None,
    decimal: Decimal = None,
    thousands: Thousands = None,
    encoding: Encoding = None,
    missing: Missing = None,
    keep_columns: KeepColumns = False,
) -> "TrainingTable":
    """The table of a command."""
    from bayes_nn.cli.columns import TrainingTable
    from bayes_nn.cli.files import read_table

    frame = read_table(data, delimiter, decimal, thousands, encoding)
    return TrainingTable.of(frame, target, likelihood, missing, keep_columns)


def named_priors(names: list[str], net: "bnn.Serial", widths: list[int]) -> "list[bnn.priors.Prior]":
    """Priors by their names, those with hidden units at every width.

    Raises:
        ValueError: for an unknown name.
    """
    for name in names:
        if name not in PRIORS:
            raise ValueError(f"unknown prior {name!r}; choose from {', '.join(PRIORS)}")
    made = [PRIORS[name](net, width) for name in names for width in widths]
    return list({prior.name: prior for prior in made}.values())


def chosen_priors(names: str | None, net: "bnn.Serial", widths: list[int]) -> "list[bnn.priors.Prior]":
    """Priors by their names, separated by commas, or every rung of the ladder; at every width, without repeats.

    Raises:
        ValueError: for an unknown name.
    """
    if names is None:
        from bayes_nn.priors.ladder import ladders

        return ladders([net], widths)
    return named_priors([name.strip() for name in names.split(",")], net, widths)


def named_likelihood(name: str, noise_std: float | None) -> "bnn.Likelihood":
    """A likelihood by its name.

    Args:
        name: one of ``LIKELIHOODS``.
        noise_std: of the noise; None to infer it, or where there is none.

    Raises:
        ValueError: for an unknown name, or a noise_std where there is no noise.

    Example:
        >>> named_likelihood("student-t", 0.3).noise_std, named_likelihood("poisson", None).conjugate
        (0.3, False)
    """
    if name not in LIKELIHOODS:
        raise ValueError(f"unknown likelihood {name!r}; choose one of {', '.join(LIKELIHOODS)}")
    kind = getattr(bnn, LIKELIHOODS[name])
    if noise_std is None:
        return kind()
    noisy = [
        one for one, of in LIKELIHOODS.items() if "noise_std" in [field.name for field in fields(getattr(bnn, of))]
    ]
    if name not in noisy:
        raise ValueError(f"--noise-std belongs to --likelihood {' or '.join(noisy)}")
    return kind(noise_std=noise_std)


def without_exchange(particles: int | None, islands: int | None) -> "SMCFirst | None":
    """The sampler that compares, SMC of these sizes and no replica exchange; None, for the default, without sizes.

    Example:
        >>> without_exchange(None, None), without_exchange(32, None).smc.particles
        (None, 32)
    """
    from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst

    named: dict[str, Any] = {"particles": particles, "islands": islands}
    given = {name: count for name, count in named.items() if count is not None}
    return SMCFirst(bnn.inference.SMC(**given), exchange=None) if given else None


def training_and_test(
    table: "TrainingTable", test_fraction: float, seed: int
) -> "tuple[pd.DataFrame, pd.Series, pd.DataFrame, pd.Series]":
    """X, y, X_test and y_test of a table, rows held out at random.

    Raises:
        ValueError: for a bad fraction.
    """
    from bayes_nn.cli.columns import hold_out

    train, test = hold_out(len(table.y), test_fraction, seed)
    return table.X.iloc[train], table.y.iloc[train], table.X.iloc[test], table.y.iloc[test]


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
