"""Which density belongs to a kind of prior."""

from dataclasses import replace
from functools import singledispatch

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.numpyro_problem import NumPyroProblem
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.priors.numpyro_prior import NumPyroPrior
from bayes_nn.priors.prior import GaussianProcessMixture
from bayes_nn.runtime.memory import available_memory, refuse_beyond_memory

#: Matrices of the largest size that are held at once: by a likelihood, and by its gradient.
COPIES, COPIES_OF_GRADIENT = 4, 9
#: Rows up to which any prior fits the memory, and multiplications a second of one core, from below.
FEW_ROWS, MULTIPLICATIONS = 1000, 1e10
#: Condition number beyond which rounding, of 1e-16, moves evidences by tenths of a nat, and in the end hides the noise;
#: rows and draws from the prior by which it is judged.
LARGEST_CONDITION, ROWS, DRAWS = 1e14, 16, 3


@singledispatch
def problem_of(prior: object, dataset: Dataset) -> Problem:
    """The posterior of checked data under a prior, as a density.

    Args:
        prior: any of :mod:`bayes_nn.priors`.
        dataset: checked data with their likelihood.

    Raises:
        ValueError: for what is no prior, a prior that is not for such data, more rows than the memory holds, or a
            kernel so large that rounding would hide the noise.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=5)
        >>> dataset = Dataset.of(np.ones((3, 2)), np.arange(3.0), bnn.Gaussian(0.5))
        >>> problem_of(network, dataset).dimension
        15
    """
    raise ValueError(f"expected a prior such as bayes_nn.priors.NNGP(net); got {prior!r}")


@problem_of.register
def _(prior: GaussianProcessMixture, dataset: Dataset) -> Problem:
    _check(prior, dataset)
    problem = CollapsedProblem.of(prior, dataset.X, dataset.Y, dataset.likelihood)
    _refuse_too_many_rows(problem, prior)
    _refuse_lost_noise(problem, prior)
    return problem


@problem_of.register
def _(prior: NumPyroPrior, dataset: Dataset) -> Problem:
    _check(prior, dataset)
    return NumPyroProblem.of(prior, dataset.X, dataset.Y, dataset.likelihood)


def _check(prior: GaussianProcessMixture | NumPyroPrior, dataset: Dataset) -> None:
    prior.check_inputs(dataset.inputs.shape[1:])
    prior.check_targets(dataset.likelihood, dataset.targets.shape[1])


def _refuse_too_many_rows(problem: CollapsedProblem, prior: GaussianProcessMixture) -> None:
    """Refuse rows whose matrices do not fit the memory, before any is made.

    Raises:
        ValueError: with the bytes needed and available, the time, and how many rows would fit.
    """
    # Frozen features are scored row after row, by a factor of the N x N matrix of all rows.
    N = len(problem.Y) if problem.repeated is None or not prior.updated else len(problem.repeated.X)
    if N <= FEW_ROWS:
        return
    features = _features(problem)
    square = features >= N or not prior.updated
    entries = N * (N if square else features)
    at_once = COPIES_OF_GRADIENT * jax.local_device_count() if problem.latents else COPIES
    needed, seconds = 8.0 * entries * at_once, entries * (N / 3.0 if square else features) / MULTIPLICATIONS
    share = available_memory() / needed
    most = int(N * (share**0.5 if square else share))
    other = "a BayesianNetwork, whose memory grows like rows times width" if square else "a smaller width"
    refuse_beyond_memory(
        needed,
        f"{prior.name} with {N:,} rows",
        f"take a random part of at most {most:,} rows, or {other} (one evaluation would take about {seconds:,.0f} s)",
    )


def _refuse_lost_noise(problem: CollapsedProblem, prior: GaussianProcessMixture) -> None:
    """Refuse a kernel so much larger than the noise that double precision cannot hold their sum.

    Features no more than rows are factorised on their own side, where that does no harm.

    Raises:
        ValueError: saying what to change.
    """
    if not problem.likelihood.conjugate or (_features(problem) <= len(problem.Y) and prior.function_site == "readout"):
        return
    condition = float(_condition(_first_rows(problem), jax.random.key(0))) * len(problem.Y) / min(ROWS, len(problem.Y))
    if not condition <= LARGEST_CONDITION:
        raise ValueError(
            f"{prior.name} has a kernel whose trace is {condition:.0e} times the noise variance, so that double "
            "precision loses the noise: give smaller stds of the weights, smaller inputs, or more noise"
        )


def _first_rows(problem: CollapsedProblem) -> CollapsedProblem:
    return replace(problem, X=problem.X[:ROWS], Y=problem.Y[:ROWS], repeated=None)


def _features(problem: CollapsedProblem) -> int:
    """How many numbers f is linear in given z: the features of a network, the rows under a kernel."""
    return next(iter(problem.function_weights.values())).event_shape[0]


@jax.jit
def _condition(problem: CollapsedProblem, key: Array) -> Float[Array, ""]:
    """The smallest condition number under some draws from the prior."""

    def one(u: Float[Array, " D"]) -> Float[Array, ""]:
        values = problem.values(u)
        return problem.process(values).condition(problem.noise_variance(values))

    return jnp.min(jax.lax.map(one, problem.sample_prior(key, (DRAWS if problem.latents else 1,))))
