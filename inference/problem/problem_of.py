"""Which density belongs to a kind of prior."""

from functools import singledispatch

from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.numpyro_problem import NumPyroProblem
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.priors.numpyro_prior import NumPyroPrior
from bayes_nn.priors.prior import GaussianProcessMixture


@singledispatch
def problem_of(prior: object, dataset: Dataset) -> Problem:
    """The posterior of checked data under a prior, as a density.

    Args:
        prior: any of :mod:`bayes_nn.priors`.
        dataset: checked data with their likelihood.

    Raises:
        ValueError: for what is no prior, or a prior that is not for such data.

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
    return CollapsedProblem.of(prior, dataset.X, dataset.Y, dataset.likelihood)


@problem_of.register
def _(prior: NumPyroPrior, dataset: Dataset) -> Problem:
    _check(prior, dataset)
    return NumPyroProblem.of(prior, dataset.X, dataset.Y, dataset.likelihood)


def _check(prior: GaussianProcessMixture | NumPyroPrior, dataset: Dataset) -> None:
    prior.check_inputs(dataset.inputs.shape[1:])
    prior.check_targets(dataset.likelihood, dataset.targets.shape[1])
