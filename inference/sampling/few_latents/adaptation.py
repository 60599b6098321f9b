"""Adaptive multiple importance sampling: proposals that approach the posterior, fitted to all draws so far."""

from functools import partial
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float
from scipy.special import logsumexp, softmax

from bayes_nn.inference.problem.monte_carlo_errors import log_effective_draws
from bayes_nn.inference.sampling.few_latents.densities import Density, densities_at, draws_from_prior
from bayes_nn.inference.sampling.few_latents.proposal import Proposal
from bayes_nn.inference.sampling.reweighted_prior import NEVER, highest_tempering
from bayes_nn.runtime.progress import Report

#: Draws from the prior to begin with, from every later proposal, and effective ones that a tempering leaves.
FIRST, LATER, EFFECTIVE = 512, 256, 128.0
#: Effective draws for every latent with which the fit is good enough.
EFFECTIVE_PER_LATENT = 50.0
#: Proposals after which no more are fitted.
MOST_PROPOSALS = 40


class Adapted(NamedTuple):
    """Where adaptation ended.

    Attributes:
        proposal: the last one.
        efficiency: effective part of the draws from the one before it.
        tempering: power of the likelihood that it is fitted to; below 1 where it was given up.
        evaluations: of the likelihood.
    """

    proposal: Proposal
    efficiency: float
    tempering: float
    evaluations: int


def adapt(problem: Density, key: Array, report: Report) -> Adapted:
    """A proposal for the posterior, by way of tempered posteriors.

    Every proposal has the moments of all draws so far, weighted towards the highest tempering that leaves enough of
    them effective; the denominator of a weight is the mixture of all proposals (Cornuet, Marin, Mira and Robert 2012,
    Scandinavian Journal of Statistics 39). Once the whole likelihood counts, further proposals refine the fit.

    Args:
        problem: the posterior; of few latents.
        key: random key.
        report: told the fraction done, and the tempering.
    """
    first_key, *keys = jax.random.split(key, MOST_PROPOSALS)
    u = draws_from_prior(problem, first_key, FIRST)
    log_prior, log_likelihood = _densities(problem, u)
    log_proposals, counts, proposals = log_prior[None], [FIRST], []
    tempering, last = 0.0, FIRST
    for own in keys:
        log_mixture = logsumexp(log_proposals, axis=0, b=np.array(counts)[:, None]) - np.log(len(u))
        to_prior = log_prior - log_mixture
        margin = partial(_margin, to_prior, log_likelihood)
        tempering = highest_tempering(margin, tempering)
        log_weights = to_prior + tempering * log_likelihood
        proposals.append(Proposal.fitted(u, softmax(log_weights)))
        report(0.5 + 0.5 * max(-1.0, np.log10(max(tempering, 1e-4)) / 4.0), f"adapting, tempering {tempering:.3g}")
        if tempering >= 1.0 and log_effective_draws(log_weights) >= np.log(EFFECTIVE_PER_LATENT * problem.dimension):
            break
        new = proposals[-1].sample(problem, own, LATER)
        new_prior, new_likelihood = _densities(problem, new)
        known = [new_prior, *(one.log_density(new, new_prior) for one in proposals)]
        of_old = [*log_proposals, proposals[-1].log_density(u, log_prior)]
        log_proposals = np.concatenate([np.stack(of_old), np.stack(known)], axis=1)
        u, last = np.concatenate([u, new]), LATER
        log_prior, log_likelihood = np.append(log_prior, new_prior), np.append(log_likelihood, new_likelihood)
        counts.append(LATER)
    own_weights = (log_prior + tempering * log_likelihood - log_proposals[-1])[-last:]
    efficiency = float(np.exp(log_effective_draws(own_weights))) / last
    return Adapted(proposals[-1], efficiency, tempering, len(u))


def _densities(
    problem: Density, u: Float[np.ndarray, "M D"]
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    log_prior, log_likelihood = densities_at(problem, u)
    return log_prior, np.maximum(log_likelihood, NEVER)


def _margin(to_prior: Float[np.ndarray, " M"], log_likelihood: Float[np.ndarray, " M"], tempering: float) -> float:
    """By how much the logarithm of the effective draws at a tempering exceeds what is asked."""
    return float(log_effective_draws(to_prior + tempering * log_likelihood)) - np.log(EFFECTIVE)
