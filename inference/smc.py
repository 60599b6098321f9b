"""Sequential Monte Carlo from the prior to the posterior, in independent islands.

A path begins with weighted draws from the prior (:mod:`bayes_nn.inference.cold_end`) and goes on with resampling and
moves (:mod:`bayes_nn.inference.island`). The evidence is known once temperature 1 is reached; whoever wants draws can
have the particles moved on there until they are good enough.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.environment import hint_at_idle_cores, one_blas_thread_per_device
from bayes_nn.inference.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.cold_end import cold_end
from bayes_nn.inference.evidence import ACCEPTANCE_BAND, Evidence, combine_islands
from bayes_nn.inference.island import Island, Start, start_islands, temper_islands
from bayes_nn.inference.settings import SMC
from bayes_nn.inference.target import Density, Target
from bayes_nn.inference.tempering_path import TemperingPath, second_opinions
from bayes_nn.progress import Report


class SMCRun(NamedTuple):
    """What SMC leaves behind.

    Attributes:
        u: equally weighted draws, (islands, particles, D).
        log_likelihood: log p(y | z) of every draw, (islands, particles).
        path: log likelihoods of the particles at every temperature, from the prior on.
        sample_stats: energy, acceptance, divergences and step counts of every particle's last move.
        evidence: log Z with its error.
        doubts: why not to trust the draws, which are doubts about the evidence as well; empty if none.
    """

    u: Float[np.ndarray, "I P D"]
    log_likelihood: Float[np.ndarray, "I P"]
    path: TemperingPath
    sample_stats: dict[str, np.ndarray]
    evidence: Evidence
    doubts: tuple[str, ...]


#: Judges particles u (islands, particles, D) and their log likelihoods (islands, particles).
Judge = Callable[[np.ndarray, np.ndarray], bool]


def run_smc(
    target: Density,
    settings: SMC,
    key: Array,
    report: Report = lambda fraction, text: None,
    checkpoint: Checkpoint = NOWHERE,
    start: Float[np.ndarray, "I P D"] | None = None,
    good_enough: Judge = lambda u, log_likelihood: True,
) -> SMCRun:
    """Run all islands to temperature 1, and move them there until they are good enough.

    Args:
        target: the posterior, or an :class:`~bayes_nn.inference.update.Update`.
        settings: sizes and limits.
        key: random key.
        report: called after every temperature with the fraction done and a text.
        checkpoint: where to keep the state, and to go on from.
        start: particles where the path begins; draws from the prior when left out.
        good_enough: asked of the particles at temperature 1. As long as the answer is no they are moved there, for at
            most as many rounds as there were temperatures; log Z and its error are those of the path, its checks use
            the particles at the end. By default particles are left as the path ends.

    Returns:
        Draws, their statistics, and the evidence.
    """
    hint_at_idle_cores()
    with one_blas_thread_per_device():
        visited, islands, rounds = checkpoint.load("islands") or (*_first(target, settings, key, start), 0)
        while len(visited) <= settings.max_temperatures and visited[-1][0].min() < 1.0:
            islands = temper_islands(target, islands, settings)
            visited.append(_where(islands))
            now = visited[-1][0]
            checkpoint.save("islands", (visited, islands, rounds))
            # Temperatures grow about geometrically, so the bar follows their logarithm.
            fraction = 1.0 + np.log10(max(now.min(), 1e-4)) / 4.0
            report(fraction, f"temperature {now.min():.3g}, acceptance {np.mean(islands.acceptance):.2f}")
        finished, most = visited[-1][0].min() >= 1.0, len(visited) - 1
        while finished and rounds < most and not good_enough(np.asarray(islands.particles.u), visited[-1][1]):
            islands = temper_islands(target, islands._replace(stays=jnp.ones_like(islands.stays)), settings)
            visited[-1], rounds = _where(islands), rounds + 1
            checkpoint.save("islands", (visited, islands, rounds))
            report(1.0, f"moving on at temperature 1, {rounds} of at most {most}")
    temperatures, log_likelihood = (np.stack(each, axis=1) for each in zip(*visited, strict=True))
    return _summarise(islands, TemperingPath(temperatures, log_likelihood), settings, rounds)


def _where(islands: Island) -> tuple[Float[np.ndarray, " I"], Float[np.ndarray, "I P"]]:
    """Temperatures and log likelihoods, for the path."""
    return np.asarray(islands.temperature), np.asarray(islands.particles.log_likelihood)


def _first(
    target: Density, settings: SMC, key: Array, start: np.ndarray | None
) -> tuple[list[tuple[np.ndarray, np.ndarray]], Island]:
    """The beginning of the path, and the islands there."""
    key_prior, key_islands = jax.random.split(key)
    keys = jax.random.key_data(jax.random.split(key_islands, settings.islands))
    nothing, yes = jnp.zeros(settings.islands), jnp.ones(settings.islands, bool)
    if start is not None:
        islands = start_islands(target, Start(keys, jnp.asarray(start), nothing, nothing, nothing, ~yes), settings)
        return [_where(islands)], islands
    assert isinstance(target, Target), "an update begins at draws of a posterior"
    cold = cold_end(target, key_prior, settings)
    temperature = jnp.full(settings.islands, cold.temperature)
    log_evidence, variance = jnp.asarray(cold.log_evidence), jnp.asarray(cold.variance)
    starts = Start(keys, jnp.asarray(cold.u), temperature, log_evidence, variance, yes)
    return cold.visited, start_islands(target, starts, settings)


def _summarise(final: Island, path: TemperingPath, settings: SMC, rounds: int) -> SMCRun:
    islands: Any = jax.tree.map(np.asarray, final)
    value, mcse, reasons = combine_islands(islands.log_evidence, islands.variance)
    low, high = ACCEPTANCE_BAND
    doubts: tuple[str, ...] = ()
    if islands.temperature.min() < 1.0:
        doubts += (f"temperature 1 was not reached in {settings.max_temperatures} steps",)
    if not low <= islands.acceptance.min() <= high:
        doubts += (f"mean acceptance fell to {islands.acceptance.min():.2f}",)
    if islands.info.diverging.mean() > 0.05:
        doubts += (f"{islands.info.diverging.mean():.0%} of the last trajectories diverged",)
    checks, contradictions = second_opinions(path, islands.log_evidence)
    if islands.unique.min() < 0.25:
        clones = (f"only {islands.unique.min():.0%} of the particles survived a resampling",)
        # Draws that were moved on are judged by whether they have mixed.
        reasons, doubts = reasons + clones, doubts if rounds else doubts + clones
    reasons = tuple(dict.fromkeys(reasons + doubts + contradictions))
    details = {
        "log_evidence_by_island": islands.log_evidence.tolist(),
        "variance_by_island": islands.variance.tolist(),
        **checks,
        "temperatures": path.temperatures[:, 1:].tolist(),
        "acceptance_by_island": islands.acceptance.tolist(),
        "step_size_by_island": islands.step_size.tolist(),
        "gradient_evaluations": int(islands.gradient_evaluations.sum()),
        "rounds_at_the_end": rounds,
    }
    log_density = islands.particles.log_prior + islands.particles.log_likelihood
    stats = {
        "lp": log_density,
        "energy": islands.info.energy,
        "acceptance_rate": islands.info.acceptance,
        "diverging": islands.info.diverging,
        "n_steps": islands.info.steps,
    }
    return SMCRun(
        islands.particles.u,
        islands.particles.log_likelihood,
        path,
        stats,
        Evidence(value, mcse, "smc", not reasons, reasons, details),
        doubts,
    )
