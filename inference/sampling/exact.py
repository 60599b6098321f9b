"""The posterior of a Gaussian process without latents, which needs no sampling."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Array

from bayes_nn.inference.problem.evidence import exact_evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.sampler import Judge, SampledDraws, Sampler, draw_nothing_more, silent
from bayes_nn.runtime.progress import Report


@dataclass(frozen=True)
class Exact(Sampler):
    """No sampling: kernel priors under Gaussian noise with every standard deviation fixed.

    Args:
        chains: chains of draws of f that the posterior offers to ArviZ.
        draws: draws of f in each.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> from bayes_nn.data.dataset import Dataset
        >>> from bayes_nn.inference.problem.problem_of import problem_of
        >>> dataset = Dataset.of(np.arange(4.0), np.arange(4.0) ** 2, bnn.Gaussian(0.5))
        >>> problem = problem_of(bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)), dataset)
        >>> import jax
        >>> Exact().draw(problem, jax.random.key(0)).evidence.mcse
        0.0
    """

    name = "exact"
    chains: int = 4
    draws: int = 250

    def draw(
        self,
        problem: Problem,
        key: Array,
        *,
        report: Report = silent,
        checkpoint: Checkpoint = NOWHERE,
        good_enough: Judge = draw_nothing_more,
    ) -> SampledDraws:
        """The log likelihood, which is the evidence.

        Raises:
            ValueError: if there are latents.
        """
        evidence = exact_evidence(problem)
        return SampledDraws({}, np.full((self.chains, self.draws), evidence.value), evidence=evidence)
