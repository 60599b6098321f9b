"""Adaptive importance sampling: draws and evidence at once, where latents are few."""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.special import logsumexp, softmax

from bayes_nn.inference.problem.evidence import Evidence, combine_islands, degrees_between, with_approximation
from bayes_nn.inference.problem.monte_carlo_errors import (
    SMALLEST_EFFECTIVE_DRAWS,
    largest_k,
    log_effective_draws,
    pareto_smoothed,
)
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.repeated_estimates import Estimates
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.few_latents.adaptation import Adapted, adapt
from bayes_nn.inference.sampling.few_latents.densities import densities_at
from bayes_nn.inference.sampling.few_latents.folding import fold, unfold
from bayes_nn.inference.sampling.few_latents.proposal import Proposal
from bayes_nn.inference.sampling.sampler import Judge, SampledDraws, Sampler, all_values, draw_nothing_more, silent
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.progress import Report

#: Most latents that it is for.
MOST_LATENTS = 20
#: Effective draws for every one that a chain keeps, so that a proposal of large weight does not hold it up for long;
#: most proposals for each, and the efficiency below which even these are too few.
EFFECTIVE_PER_DRAW, MOST_PER_DRAW, SMALLEST_EFFICIENCY = 2.5, 16, 0.03


def has_few_latents(problem: Problem) -> bool:
    """Whether adaptive importance sampling is worth a try: few latents, each of which is a scale of its own.

    Hidden weights and metrics of low rank have many peaks however few they are.
    """
    others = set(problem.latents) - set(problem.hyperparameters) - set(problem.prior.scales_of_inputs)
    return not others and problem.dimension <= MOST_LATENTS


class _Weighted(NamedTuple):
    """Draws from fitted proposals, (chains, proposals), and what is known of them."""

    u: Float[np.ndarray, "C M D"]
    log_prior: Float[np.ndarray, "C M"]
    log_likelihood: Float[np.ndarray, "C M"]
    log_weights: Float[np.ndarray, "C M"]
    reasons: tuple[str, ...]
    details: dict

    def estimates(self) -> Estimates:
        """The evidence of every chain, with what speaks against it."""
        count = self.log_weights.shape[1]
        log_evidence = logsumexp(self.log_weights, axis=1) - np.log(count)
        effective = float(np.exp(log_effective_draws(self.log_weights.ravel())))
        k, reasons = pareto_smoothed(self.log_weights.ravel())[1], self.reasons
        if effective < SMALLEST_EFFECTIVE_DRAWS or not k <= largest_k(self.log_weights.size):
            what = f"{effective:.0f} of {self.log_weights.size} weighted draws are effective, Pareto k {k:.2f}"
            reasons += (coded("B209", f"{what}: use SMC"),)
        variance = np.exp(-log_effective_draws(self.log_weights)) - 1.0 / count
        return Estimates(
            log_evidence, variance, reasons, self.details | {"effective_draws": effective, "pareto_k": float(k)}
        )


@dataclass(frozen=True)
class AdaptiveImportance(Sampler):
    """Settings of adaptive importance sampling, for priors with few latents: kernels with inferred hyperparameters.

    Two pilots, independent of each other, fit a Student t with a share of the prior to the posterior
    (:func:`bayes_nn.inference.sampling.few_latents.adaptation.adapt`). Every other chain then draws from the one, the
    rest from the other, whose weights give an unbiased estimate of the evidence; the draws are those of Metropolis
    chains with these proposals (Tierney 1994, Annals of Statistics 22, section 2.3.3), thinned. Few effective draws, a
    heavy tail of the weights or chains that differ make it unreliable.

    Args:
        chains: of draws; their spread gives the error of the evidence.
        draws: that each keeps.

    Raises:
        ValueError: for a setting out of range, and, when it draws, for a posterior of many latents.

    Example:
        >>> AdaptiveImportance().chains
        4
    """

    name = "adaptive_importance"
    chains: int = 4
    draws: int = 128

    def __post_init__(self) -> None:
        if self.chains < 1 or self.draws < 1:
            raise ValueError(f"chains and draws must be at least 1; got {self.chains} and {self.draws}")

    def draw(
        self,
        problem: Problem,
        key: Array,
        *,
        report: Report = silent,
        checkpoint: Checkpoint = NOWHERE,
        good_enough: Judge = draw_nothing_more,
    ) -> SampledDraws:
        """Draws of every chain, and the evidence."""
        key, key_chains = jax.random.split(key)
        weighted = self._weighted(problem, key, 1, report)
        found = weighted.estimates()
        value, mcse, disagreement = combine_islands(found.log_evidence, found.variance)
        reasons = found.reasons + disagreement
        by_chain = {
            "log_evidence_by_island": found.log_evidence.tolist(),
            "variance_by_island": found.variance.tolist(),
        }
        evidence = Evidence(
            value,
            mcse,
            self.name,
            not reasons,
            reasons,
            by_chain | found.details,
            unbiased=True,
            degrees_of_freedom=degrees_between(self.chains),
        )
        rng = np.random.default_rng(np.asarray(jax.random.key_data(key_chains)))
        places, acceptance = metropolis(weighted.log_weights, rng)
        per_draw, chain = weighted.log_weights.shape[1] // self.draws, np.arange(self.chains)[:, None]
        places, acceptance = places[:, per_draw - 1 :: per_draw], acceptance[:, per_draw - 1 :: per_draw]
        log_likelihood = weighted.log_likelihood[chain, places]
        stats = {"lp": log_likelihood + weighted.log_prior[chain, places], "acceptance_rate": acceptance}
        values = all_values(problem, weighted.u[chain, places])
        return SampledDraws(values, log_likelihood, stats, found.reasons, with_approximation(evidence, problem))

    def estimate(self, problem: Problem, key: Array, effort: int, report: Report) -> Estimates:
        """The evidence of every chain, by ``effort`` times as many draws."""
        return self._weighted(problem, key, effort, report).estimates()

    def _weighted(self, problem: Problem, key: Array, effort: int, report: Report) -> _Weighted:
        if problem.dimension > MOST_LATENTS:
            what = f"adaptive importance sampling is for at most {MOST_LATENTS} latents; {problem.prior.name} has"
            raise ValueError(f"{what} {problem.dimension}: use sampler='smc'")
        density = fold(problem)
        pilot_keys, chain_keys = jax.random.split(key, (2, max(2, self.chains)))
        pilots: list[Adapted] = []
        for own in pilot_keys[: min(2, self.chains)]:
            before = 0.35 * len(pilots)
            pilots.append(adapt(density, own, lambda done, text: report(before + 0.35 * done, text)))  # noqa: B023
        efficiency = min(one.efficiency for one in pilots)
        # Where even the most would be too few, as few as possible say so.
        enough = efficiency >= SMALLEST_EFFICIENCY
        per_draw = min(int(np.ceil(EFFECTIVE_PER_DRAW / efficiency)), MOST_PER_DRAW) if enough else 1
        count = per_draw * self.draws * effort
        chosen: list[Proposal] = [pilots[chain % len(pilots)].proposal for chain in range(self.chains)]
        v = np.stack([one.sample(density, own, count) for one, own in zip(chosen, chain_keys, strict=False)])
        report(0.7, f"{v.shape[0]} chains of {count} weighted draws")
        log_prior, log_likelihood = (
            part.reshape(v.shape[:2]) for part in densities_at(density, v.reshape(-1, v.shape[2]))
        )
        log_proposal = np.stack([one.log_density(*at) for one, *at in zip(chosen, v, log_prior, strict=True)])
        u = unfold(density, v, np.random.default_rng(np.asarray(jax.random.key_data(key))))
        log_prior_of_u = log_prior - 0.5 * np.sum(u**2 - v**2, axis=-1)
        reasons: tuple[str, ...] = ()
        if min(one.tempering for one in pilots) < 1.0:
            reasons = (coded("B108", "no proposal reached the posterior: use SMC"),)
        evaluations = sum(one.evaluations for one in pilots) + log_prior.size
        details = {"efficiency": efficiency, "likelihood_evaluations": evaluations}
        log_weights = log_prior + log_likelihood - log_proposal
        return _Weighted(u, log_prior_of_u, log_likelihood, log_weights, reasons, details)


def metropolis(
    log_weights: Float[np.ndarray, "C M"], rng: np.random.Generator
) -> tuple[Int[np.ndarray, "C M"], Float[np.ndarray, "C M"]]:
    """Where independent Metropolis chains stand after every proposal, and its probability of being accepted.

    They begin at a draw chosen by its weight.

    Args:
        log_weights: log of the density of the target over that of the proposal, at the proposals in their order.
        rng: of the decisions.

    Example:
        >>> places, acceptance = metropolis(np.log([[1.0, 4.0, 1e-9]]), np.random.default_rng(0))
        >>> places[0, -1], float(acceptance[0, 1])
        (np.int64(1), 1.0)
    """
    chains, count = log_weights.shape
    begin = np.array([rng.choice(count, p=softmax(one)) for one in log_weights])
    uniforms, every = np.log(rng.uniform(size=(count, chains))), np.arange(chains)
    place, places, acceptance = begin, [], []
    for number, uniform in enumerate(uniforms):
        log_ratio = np.minimum(log_weights[:, number] - log_weights[every, place], 0.0)
        place = np.where(uniform < log_ratio, number, place)
        places.append(place)
        acceptance.append(np.exp(log_ratio))
    return np.stack(places, axis=1), np.stack(acceptance, axis=1)
