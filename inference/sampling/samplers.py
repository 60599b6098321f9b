"""Every sampler by the name that :func:`bayes_nn.fit` takes, and which one fits a problem."""

from bayes_nn.inference.problem.evidence import refuse_latents
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.code_length import CodeLength
from bayes_nn.inference.sampling.exact import Exact
from bayes_nn.inference.sampling.exchange.replica_exchange import ReplicaExchange
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst
from bayes_nn.inference.sampling.few_latents.adaptive_importance import AdaptiveImportance
from bayes_nn.inference.sampling.infinite_hmc import InfiniteHMC
from bayes_nn.inference.sampling.nuts import HMC, NUTS
from bayes_nn.inference.sampling.sampler import Sampler
from bayes_nn.inference.sampling.smc import SMC

#: Samplers by name; to add one, list it here.
SAMPLERS: dict[str, type[Sampler]] = {
    one.name: one for one in (Exact, AdaptiveImportance, InfiniteHMC, SMC, ReplicaExchange, NUTS, HMC)
}


def choose_sampler(problem: Problem, sampler: str | Sampler | None) -> Sampler:
    """The settings of a sampler that fits a problem.

    Args:
        problem: the posterior.
        sampler: a name, settings, or None for the sensible ones.

    Raises:
        ValueError: for an unknown name, or a sampler that does not fit the prior.

    Example:
        >>> import bayes_nn as bnn, jax.numpy as jnp
        >>> from bayes_nn.inference.problem.collapsed import CollapsedProblem
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> problem = CollapsedProblem.of(nngp, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian(0.5))
        >>> choose_sampler(problem, None)
        Exact(chains=4, draws=250)
    """
    if not problem.prior.updated:
        if isinstance(sampler, SMCFirst):
            sampler = sampler.smc
        if sampler in (None, "smc"):
            return CodeLength()
        if not isinstance(sampler, SMC):
            raise ValueError(f"{problem.prior.name} is never updated by the data: leave sampler out")
        return CodeLength(sampler)
    if sampler is None:
        return InfiniteHMC() if problem.latents else Exact()
    if isinstance(sampler, str):
        if sampler not in SAMPLERS:
            raise ValueError(f"unknown sampler {sampler!r}; choose one of {', '.join(map(repr, SAMPLERS))}")
        sampler = SAMPLERS[sampler]()
    if not isinstance(sampler, Sampler):
        raise ValueError(f"sampler must be a name, or settings such as bayes_nn.inference.NUTS(); got {sampler!r}")
    if isinstance(sampler, Exact):
        refuse_latents(problem)
    return sampler if problem.latents else Exact()
