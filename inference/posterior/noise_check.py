"""Whether the residuals of a fit contradict its Gaussian noise, and which likelihood would fit."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.data.dataset import Dataset
from bayes_nn.data.likelihoods.gaussian import Gaussian
from bayes_nn.data.residual_tests import TESTS, GaussianRows, Residuals, directions, kurtosis, p_values, varying_spread
from bayes_nn.inference.posterior.draws import Draws
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.gaussian.log_marginal import JITTER, factor, inverse_factor

#: Rate of false notes, of all tests of a fit together.
LEVEL = 0.01
#: Most rows that are looked at, evenly spread, and posterior draws whose p-values are combined.
MOST_ROWS, MOST_DRAWS = 1000, 5
#: Simulated data sets of every look, and the p-value beyond which no other follows (Besag and Clifford 1991, Biometrika
#: 78): each is several errors above the level that counts.
LOOKS = {200: 0.1, 1_000: 0.03, 10_000: 0.0}
#: What matters: largest over smallest spread, kurtosis (10 degrees of freedom have 4), standard deviations of outliers.
RATIO, KURTOSIS, FAR = 1.5, 4.0, 4.0
#: Most outliers that are listed.
LISTED = 5


def noise_notes(posterior: Draws, level: float = LEVEL) -> dict[str, str]:
    """What contradicts Gaussian noise, in words, by ``"spread"`` or ``"tails"``; empty where nothing does.

    Given a posterior draw of z, y has under the model the distribution that it has given the z that made it (Johnson
    2007, Bayesian Analysis 2), so that tests of the leave-one-out residuals given that draw have exact p-values. Those
    of several draws are combined by twice their median, which holds for any dependence between them (Meinshausen, Meier
    and Buhlmann 2009, JASA 104). A test must be significant by Bonferroni's rule, and what it finds must matter.
    Where the spread varies, tails are not judged.

    Args:
        posterior: of a mixture of Gaussian processes that is updated by the data, exact given z; none is checked else.
        level: rate of false notes, of all tests together.

    Example:
        >>> import bayes_nn as bnn
        >>> x, rng = np.linspace(-2.0, 2.0, 60), np.random.default_rng(0)
        >>> nngp, noise = bnn.priors.NNGP(bnn.mlp(1, "relu", 1.4, 1.0)), 0.3 * rng.normal(size=60)
        >>> noise[30] = 3.0
        >>> noise_notes(bnn.fit(nngp, x, np.sin(x) + noise, bnn.Gaussian(0.3), standardize=False))
        {'tails': '1 of 60 targets is further out than Gaussian noise explains (y = 3.034; p = 0.0001): ...'}
    """
    problem, prior = posterior.problem, posterior.prior
    if not isinstance(problem, CollapsedProblem) or not isinstance(problem.likelihood, Gaussian):
        return {}
    if not prior.updated or prior.peeks or prior.approximation or len(problem.Y) < 3:
        return {}
    rows = np.linspace(0, len(problem.Y) - 1, min(len(problem.Y), MOST_ROWS)).astype(int)
    some = replace(problem, X=problem.X[rows], Y=problem.Y[rows], repeated=None)
    given = [GaussianRows(*map(np.asarray, _factors(*_covariance(some, values)))) for values in _draws(posterior)]
    y, inputs = np.asarray(some.Y), posterior.dataset.inputs[rows]
    along = directions(inputs if inputs.ndim == 2 else np.zeros((len(rows), 0)))
    for look, unsuspicious in LOOKS.items():
        each = np.array([p_values(one, y, along, look) for one in given])
        combined = each[0] if len(each) == 1 else np.minimum(2.0 * np.median(each, axis=0), 1.0)
        if combined.min() > unsuspicious > 0.0:
            return {}
    found = {name: p for name, p in zip(TESTS, map(float, combined), strict=True) if p <= level / len(TESTS)}
    residuals = [one.residuals(y) for one in given]
    typical = Residuals(*(np.mean(parts, axis=0) for parts in zip(*residuals, strict=True)))
    if "spread" in found and (note := _of_spread(typical, along, inputs, posterior.dataset, found["spread"])):
        return {"spread": note}
    if "outliers" in found and (note := _of_outliers(typical, posterior.dataset.targets[rows], found["outliers"])):
        return {"tails": note}
    if "tails" in found and (note := _of_tails(typical, found["tails"])):
        return {"tails": note}
    return {}


def _draws(posterior: Draws) -> list[dict[str, Array]]:
    """Some draws of the latents, evenly spread; one where there are none to be drawn."""
    if not posterior.values:
        return [{}]
    count = posterior.log_likelihood.size
    chosen = np.linspace(0, count - 1, min(count, MOST_DRAWS)).astype(int)
    flat = {name: value.reshape(count, *value.shape[2:]) for name, value in posterior.values.items()}
    return [{name: jnp.asarray(value[i]) for name, value in flat.items()} for i in chosen]


@jax.jit
def _covariance(problem: CollapsedProblem, values: dict[str, Array]) -> tuple[Float[Array, "N N"], Array]:
    process = problem.process(values)
    K = process.K if isinstance(process, KernelProcess) else process.Phi @ process.Phi.T
    return K, problem.noise_variance(values) + JITTER


@jax.jit
def _factors(K: Float[Array, "N N"], v: Array) -> tuple[Float[Array, "N N"], Float[Array, "N N"]]:
    A = K + v * jnp.eye(len(K))
    return factor(A), inverse_factor(A)[0]


def _of_spread(residuals: Residuals, along: np.ndarray, inputs: np.ndarray, data: Dataset, p: float) -> str:
    """Where the spread is small and where large, along the direction that shows it best."""
    found = varying_spread(residuals, along)
    direction, output = np.unravel_index(np.argmax(found), found.shape)
    names = data.columns or tuple(f"x{i}" for i in range(along.shape[1] // 2))
    if direction < along.shape[1]:
        what, order = f"{names[direction // 2]}", along[:, direction]
    else:
        mean = residuals.mean[:, output]
        what, order = "the prediction", mean if direction == along.shape[1] else (mean - mean.mean()) ** 2
    third, ranked = max(len(order) // 3, 1), np.argsort(order, kind="stable")
    ends = ranked[:third], ranked[-third:]
    low, high = (float(np.sqrt(np.mean(residuals.z[rows, output] ** 2))) for rows in ends)
    if max(low, high) < RATIO * min(low, high):
        return ""
    first, last = ("in the middle of its range", "at its ends") if direction % 2 else ("where it is low", "high")
    return (
        f"the noise is not of one size: standardised residuals spread by {low:.2f} {first} and {high:.2f} {last}, "
        f"along {what} (p = {p:.2g}): likelihood=bnn.HeteroscedasticNoise() would fit"
    )


def _of_outliers(residuals: Residuals, targets: np.ndarray, p: float) -> str:
    """The targets that are far out, on the user's scale."""
    size = np.abs(residuals.z) / residuals.scale
    far = np.argwhere(size >= FAR)
    if not len(far):
        return ""
    far = far[np.argsort(-size[tuple(far.T)], kind="stable")]
    listed = ", ".join(f"{targets[row, output]:.4g}" for row, output in far[:LISTED])
    more = ", ..." if len(far) > LISTED else ""
    return (
        f"{len(far)} of {targets.size} targets {'is' if len(far) == 1 else 'are'} further out than Gaussian noise "
        f"explains (y = {listed}{more}; p = {p:.2g}): look at {'it' if len(far) == 1 else 'them'}, or "
        "likelihood=bnn.StudentTNoise() would fit"
    )


def _of_tails(residuals: Residuals, p: float) -> str:
    """How heavy they are."""
    largest = float(kurtosis(residuals).max())
    if largest < KURTOSIS:
        return ""
    return (
        f"the residuals have heavier tails than Gaussian noise (kurtosis {largest:.1f} where it has 3, p = {p:.2g}): "
        "likelihood=bnn.StudentTNoise() would fit"
    )
