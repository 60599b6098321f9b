"""What the commands of ``bayes-nn`` take: their options, and the values behind the words typed.

Nothing here imports JAX or pandas before a value is asked for, so that ``--help`` and completion answer at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

import bayes_nn as bnn

if TYPE_CHECKING:
    import pandas as pd

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
ParticlesOfSMCAlone = Annotated[
    int | None, typer.Option(help="SMC particles in each island. With this or --islands, SMC and nothing else is used.")
]
IslandsOfSMCAlone = Annotated[
    int | None, typer.Option(help="Independent SMC islands. With this or --particles, SMC and nothing else is used.")
]
MaxSeconds = Annotated[float, typer.Option(help="Seconds that a fit may take, where SMC settings are left out.")]
Checkpoint = Annotated[
    Path | None,
    typer.Option(help="A folder for the state of the run; the same command, killed and given again, goes on from it."),
]
KeepDuplicates = Annotated[bool, typer.Option("--keep-duplicates", help="Accept rows that repeat inputs and target.")]

#: Priors by the names that ``--prior`` and ``--priors`` take; those with hidden units are made once for every width.
PRIORS: dict[str, Callable[[bnn.Serial, int], bnn.priors.Prior]] = {
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
    "poisson": "Poisson",
    "bernoulli": "Bernoulli",
    "categorical": "Categorical",
}

Likelihood = Annotated[str, typer.Option(help=f"How y depends on the function: {', '.join(LIKELIHOODS)}.")]


def named_priors(names: list[str], net: bnn.Serial, widths: list[int]) -> list[bnn.priors.Prior]:
    """Priors by their names, those with hidden units at every width.

    Raises:
        ValueError: for an unknown name.
    """
    for name in names:
        if name not in PRIORS:
            raise ValueError(f"unknown prior {name!r}; choose from {', '.join(PRIORS)}")
    made = [PRIORS[name](net, width) for name in names for width in widths]
    return list({prior.name: prior for prior in made}.values())


def chosen_priors(names: str | None, net: bnn.Serial, widths: list[int]) -> list[bnn.priors.Prior]:
    """Priors by their names, separated by commas, or every rung of the ladder; at every width, without repeats.

    Raises:
        ValueError: for an unknown name.
    """
    if names is None:
        from bayes_nn.priors.ladder import ladders

        return ladders([net], widths)
    return named_priors([name.strip() for name in names.split(",")], net, widths)


def named_likelihood(name: str, noise_std: float | None) -> bnn.Likelihood:
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


def training_and_test(
    data: str, target: str, test_fraction: float, seed: int
) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame, pd.Series]:
    """X, y, X_test and y_test of a table, rows held out at random.

    Raises:
        ValueError: for a bad file, column or fraction.
    """
    from bayes_nn.cli.files import hold_out, inputs_and_target, read_table

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
