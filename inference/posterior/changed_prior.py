"""The evidence of a posterior's data under other priors of its hyperparameters: by its draws, or by another fit."""

from dataclasses import dataclass, fields
from functools import partial
from typing import NamedTuple, Self

import jax
import numpy as np
from jaxtyping import Array
from scipy.special import logsumexp

from bayes_nn.architecture.standard_deviations import Shared
from bayes_nn.inference.posterior.fit import fit_problem
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.monte_carlo_errors import jackknife_error, largest_k, pareto_smoothed
from bayes_nn.inference.sampling.sampler import Sampler
from bayes_nn.priors.prior import Latents
from bayes_nn.runtime.diagnostic_codes import coded

#: Parts that a single chain is cut into for the error.
PARTS = 4


class Change(NamedTuple):
    """By how much another prior changes a log evidence.

    Attributes:
        nats: the change.
        mcse: its Monte-Carlo standard error.
        degrees_of_freedom: of ``mcse``.
        pareto_k: shape of the tail of the importance weights; NaN for a change that is not by weights.
        reasons: why not to trust it; empty if nothing failed.

    Example:
        >>> Change(0.0).reasons
        ()
    """

    nats: float
    mcse: float = 0.0
    degrees_of_freedom: float = float("inf")
    pareto_k: float = float("nan")
    reasons: tuple[str, ...] = ()


def reweighted(posterior: Posterior, priors: Latents) -> Change:
    """The change of the log evidence by importance weights on the draws: ``log E_post[p'(h) / p(h)]``.

    The largest weights are Pareto-smoothed (Vehtari, Simpson, Gelman, Yao and Gabry 2024, Journal of Machine Learning
    Research 25). The error is by leaving out one chain (island) at a time. Of frozen features it is the change
    of the code length, all orders of the data taken together.

    Args:
        posterior: its draws.
        priors: the other priors p', by site name.

    Example:
        >>> import bayes_nn as bnn, numpyro.distributions as dist
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> posterior = bnn.fit(nngp, X, X[:, 0] + X[:, 1] ** 2, bnn.Gaussian(dist.LogNormal(-1.0, 0.5)))
        >>> change = reweighted(posterior, {"noise_std": dist.LogNormal(-1.0, 1.0)})
        >>> change.pareto_k < largest_k(1000), -0.7 < change.nats < 3.0
        (True, True)
    """
    own = posterior.problem.hyperparameters
    ratios = [
        np.asarray(prior.log_prob(posterior.values[site]) - own[site].log_prob(posterior.values[site]))
        for site, prior in priors.items()
    ]
    log_weights = np.sum(ratios, axis=0, dtype=float)
    smoothed, k = pareto_smoothed(log_weights.ravel())
    chains = posterior.shape[0] if posterior.shape[0] > 1 else min(PARTS, log_weights.size)
    of_chains = np.array([logsumexp(part) - np.log(len(part)) for part in np.array_split(smoothed, chains)])
    mcse = jackknife_error(logsumexp, of_chains) if chains > 1 else float("nan")
    reasons: tuple[str, ...] = ()
    if not k <= largest_k(log_weights.size):
        what = f"its draws do not carry over to another prior of {', '.join(priors)} (Pareto k {k:.2f})"
        reasons = (coded("B110", what),)
    return Change(float(logsumexp(smoothed) - np.log(smoothed.size)), mcse, max(chains - 1.0, 1.0), k, reasons)


def refitted(
    posterior: Posterior, priors: Latents, sampler: Sampler | None, key: Array, *, progress: bool | str = True
) -> Change:
    """The change of the log evidence by a fit to the same data under the other priors.

    Args:
        posterior: of a mixture of Gaussian processes.
        priors: the other priors, by site name.
        sampler: settings of one that gives an evidence.
        key: random key.
        progress: show a progress bar on a terminal; a string is its title.
    """
    assert isinstance(posterior.problem, CollapsedProblem)
    problem = ReplacedPriors.of_problem(posterior.problem, priors)
    found = fit_problem(problem, posterior.dataset, sampler, key, progress=progress)[0]
    before, after = posterior.log_evidence, found.log_evidence
    mcse, degrees = summed_error((before.mcse, before.degrees_of_freedom), (after.mcse, after.degrees_of_freedom))
    reasons = tuple(f"under another prior of {', '.join(priors)}: {reason}" for reason in found.reasons)
    return Change(after.value - before.value, mcse, degrees, reasons=reasons)


def summed_error(*errors: tuple[float, float]) -> tuple[float, float]:
    """Standard error of a sum of independent terms, with its degrees of freedom (Welch 1947, Biometrika 34).

    Args:
        errors: standard error and degrees of freedom of every term.

    Example:
        >>> summed_error((3.0, float("inf")), (4.0, 3.0))
        (5.0, 7.32421875)
    """
    total = sum(error**2 for error, _ in errors)
    shares = sum(error**4 / degrees for error, degrees in errors)
    return total**0.5, total**2 / shares if shares > 0.0 else float("inf")


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["X", "Y", "fixed", "repeated"],
    meta_fields=["prior", "likelihood", "replaced"],
)
@dataclass(frozen=True)
class ReplacedPriors(CollapsedProblem):
    """A posterior in which some hyperparameters have priors other than those of its prior and likelihood.

    Attributes:
        replaced: site names with the priors that take the place of their own.

    Example:
        >>> import bayes_nn as bnn, jax.numpy as jnp, numpyro.distributions as dist
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> problem = CollapsedProblem.of(nngp, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian())
        >>> other = ReplacedPriors.of_problem(problem, {"noise_std": dist.LogNormal(0.0, 2.0)})
        >>> float(other.latents["noise_std"].scale)
        2.0
    """

    replaced: tuple[tuple[str, Shared], ...] = ()

    @classmethod
    def of_problem(cls, problem: CollapsedProblem, priors: Latents) -> Self:
        """A problem with other priors of the hyperparameters of these names."""
        own = {field.name: getattr(problem, field.name) for field in fields(CollapsedProblem)}
        return cls(**own, replaced=tuple((site, Shared(prior)) for site, prior in priors.items()))

    @property
    def hyperparameters(self) -> Latents:
        """Low-dimensional latents, the likelihood's included."""
        return self._with_others(super().hyperparameters)

    @property
    def latents(self) -> Latents:
        """All latents in the order of u."""
        return self._with_others(super().latents)

    def _with_others(self, own: Latents) -> Latents:
        return own | {site: one.prior for site, one in self.replaced if site in own}
