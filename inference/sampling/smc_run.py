"""Sequential Monte Carlo from the prior to the posterior, in independent islands.

A path begins with weighted draws from the prior (:mod:`bayes_nn.inference.sampling.reweighted_prior`) and goes on with
resampling and moves (:mod:`bayes_nn.inference.sampling.smc_island`), which adapt to the particles or follow a schedule
(:mod:`bayes_nn.inference.sampling.schedule`). The evidence is known once the whole likelihood counts; for draws, the
particles can be moved on there until they are good enough.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.data_tempering import DataTempering
from bayes_nn.inference.problem.evidence import Evidence, adaptation_bias, combine_islands, degrees_between
from bayes_nn.inference.problem.problem import Problem, TemperedDensity
from bayes_nn.inference.problem.thermodynamics import TemperingPath, cross_checks
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.moves.default import default_move
from bayes_nn.inference.sampling.reweighted_prior import reweight_prior
from bayes_nn.inference.sampling.sampler import silent
from bayes_nn.inference.sampling.smc_island import (
    Island,
    IslandStart,
    Plan,
    Stage,
    first_stage,
    start_islands,
    temper_islands,
)
from bayes_nn.inference.sampling.smc_settings import SMCSettings
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.environment import hint_at_idle_cores, one_blas_thread_per_device
from bayes_nn.runtime.progress import Report

#: Mean acceptance below which the last moves are distrusted.
SMALLEST_ACCEPTANCE = 0.3


class SMCRun(NamedTuple):
    """What SMC leaves behind.

    Attributes:
        u: equally weighted draws, (islands, particles, D).
        log_likelihood: log p(y | z) of every draw, (islands, particles).
        path: log likelihoods of the particles at every tempering, from the prior on.
        sample_stats: energy, acceptance, divergences and step counts of every particle's last move.
        evidence: log Z with its error.
        reasons: why not to trust the draws, which are among those of the evidence as well; empty if none.
    """

    u: Float[np.ndarray, "I P D"]
    log_likelihood: Float[np.ndarray, "I P"]
    path: TemperingPath
    sample_stats: dict[str, np.ndarray]
    evidence: Evidence
    reasons: tuple[str, ...]


#: Judges particles u (islands, particles, D) and their log likelihoods (islands, particles).
ParticleJudge = Callable[[np.ndarray, np.ndarray], bool]


def run_smc(
    problem: TemperedDensity,
    settings: SMCSettings,
    key: Array,
    report: Report = silent,
    checkpoint: Checkpoint = NOWHERE,
    start: Float[np.ndarray, "I P D"] | None = None,
    good_enough: ParticleJudge = lambda u, log_likelihood: True,
    visit: Callable[[Island], None] = lambda islands: None,
    schedule: Stage | None = None,
    stride: int = 1,
) -> SMCRun:
    """Run all islands until the whole likelihood counts, and move them there until they are good enough.

    Args:
        problem: the posterior, or an :class:`~bayes_nn.inference.problem.data_tempering.Update`.
        settings: sizes and limits.
        key: random key.
        report: called after every step in tempering with the fraction done and a text.
        checkpoint: where to keep the state, and to go on from.
        start: particles where the path begins; draws from the prior when left out.
        good_enough: asked of the particles at the end of the path. As long as the answer is no they are moved there,
            at most as often as there were temperatures; log Z and its error are those of the path, its checks use the
            particles at the end. By default particles are left as the path ends.
        visit: called with all islands at the first tempering where particles are moved, and at every later one.
        schedule: stages to follow, leading axis K, the last at tempering 1; islands adapt when left out.
        stride: only every so-many-th island runs, by the same program as a run of all.

    Returns:
        Draws, their statistics, and the evidence.
    """
    hint_at_idle_cores()
    move = settings.move or default_move(problem, settings.max_steps)
    with one_blas_thread_per_device():
        begin = partial(_first, problem, settings, key, start, schedule, stride)
        visited, islands, moved_on = checkpoint.load("islands") or (*begin(), 0)
        nothing = first_stage(problem, islands.particles.u.shape[2])
        plan = Plan(problem, move, settings.target_ess, settings.accepted_moves, nothing, False)
        visit(islands)
        most = settings.max_temperatures if schedule is None else np.inf
        while len(visited) <= most and visited[-1][0].min() < 1.0:
            if schedule is not None:
                following = np.searchsorted(schedule.tempering, visited[-1][0].min(), side="right")
                stage = jax.tree.map(lambda leaf, number=following: leaf[number], schedule)
                plan = plan._replace(prescribed=stage, follows=True)
            islands = temper_islands(plan, islands)
            visited.append(_where(islands, stride))
            visit(islands)
            now = visited[-1][0]
            checkpoint.save("islands", (visited, islands, moved_on))
            # Tempering grows about geometrically, so the bar follows its logarithm.
            fraction = 1.0 + np.log10(max(now.min(), 1e-4)) / 4.0
            report(fraction, f"tempering {now.min():.3g}, acceptance {np.mean(np.asarray(islands.acceptance)):.2f}")
        plan = plan._replace(follows=False)
        finished, most = visited[-1][0].min() >= 1.0, len(visited) - 1
        while finished and moved_on < most and not good_enough(np.array(islands.particles.u), visited[-1][1]):
            islands = temper_islands(plan, islands._replace(stays=jnp.ones_like(islands.stays)))
            visited[-1], moved_on = _where(islands, stride), moved_on + 1
            checkpoint.save("islands", (visited, islands, moved_on))
            report(1.0, f"moving on at the posterior, {moved_on} of at most {most}")
    tempering, log_likelihood = (np.stack(each, axis=1) for each in zip(*visited, strict=True))
    final = jax.tree.map(lambda leaf: np.asarray(leaf)[::stride], islands)
    return _summarise(final, TemperingPath(tempering, log_likelihood), settings, moved_on, schedule is None)


def _where(islands: Island, stride: int) -> tuple[Float[np.ndarray, " I"], Float[np.ndarray, "I P"]]:
    """Tempering and log likelihoods, for the path; copies, since the next step reuses the memory of its arguments."""
    return np.array(islands.tempering)[::stride], np.array(islands.particles.log_likelihood)[::stride]


def _first(
    problem: TemperedDensity,
    settings: SMCSettings,
    key: Array,
    start: np.ndarray | None,
    schedule: Stage | None,
    stride: int,
) -> tuple[list[tuple[np.ndarray, np.ndarray]], Island]:
    """The beginning of the path, and the islands there; those that do not run are at the end of it."""
    key_prior, key_islands = jax.random.split(key)
    # NumPy's arrays are put on the devices where they belong, at once and without a program for each shape.
    keys: Any = np.asarray(jax.random.key_data(jax.random.split(key_islands, settings.islands)))
    nothing = np.zeros(settings.islands)
    where: tuple[Any, ...] = start, nothing, nothing, nothing, nothing > 0.0
    visited = []
    if start is None:
        assert isinstance(problem, Problem), "a path of data tempering begins at draws of a posterior"
        reach = None if schedule is None else float(schedule.tempering[0])
        begun = reweight_prior(problem, key_prior, settings.particles, settings.islands, settings.target_ess, reach)
        visited = [(tempering[::stride], log_likelihood[::stride]) for tempering, log_likelihood in begun.visited]
        runs = np.arange(settings.islands) % stride == 0
        where = begun.u, np.where(runs, begun.tempering, 1.0), begun.log_evidence, begun.variance, runs
    islands = start_islands(problem, IslandStart(keys, *where))
    return visited or [_where(islands, stride)], islands


def _summarise(islands: Any, path: TemperingPath, settings: SMCSettings, moved_on: int, adapted: bool) -> SMCRun:
    value, mcse, reasons = combine_islands(islands.log_evidence, islands.variance)
    if adapted:
        mcse = float(np.hypot(mcse, adaptation_bias(islands.log_evidence, islands.variance)))
    of_draws: tuple[str, ...] = ()
    if islands.tempering.min() < 1.0:
        of_draws += (coded("B108", f"the posterior was not reached in {settings.max_temperatures} temperatures"),)
    if not islands.acceptance.min() >= SMALLEST_ACCEPTANCE:
        of_draws += (coded("B107", f"mean acceptance fell to {islands.acceptance.min():.2f}"),)
    if islands.info.diverging.mean() > 0.05:
        of_draws += (coded("B106", f"{islands.info.diverging.mean():.0%} of the last trajectories diverged"),)
    checks, contradictions = cross_checks(path, islands.log_evidence)
    if islands.unique.min() < 0.25:
        clones = (coded("B109", f"only {islands.unique.min():.0%} of the particles survived a resampling"),)
        # Draws that were moved on are judged by whether they have mixed.
        reasons, of_draws = reasons + clones, of_draws if moved_on else of_draws + clones
    reasons = tuple(dict.fromkeys(reasons + of_draws + contradictions))
    details = {
        "log_evidence_by_island": islands.log_evidence.tolist(),
        "variance_by_island": islands.variance.tolist(),
        **checks,
        "tempering": path.tempering[:, 1:].tolist(),
        "expected_log_likelihood_along_path": path.log_likelihood[:, 1:].mean(axis=2).tolist(),
        "acceptance_by_island": islands.acceptance.tolist(),
        "step_size_by_island": islands.stage.step_size.tolist(),
        "gradient_evaluations": int(islands.gradient_evaluations.sum()),
        "moves_at_the_end": moved_on,
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
        Evidence(
            value,
            mcse,
            "smc",
            not reasons,
            reasons,
            details,
            unbiased=not adapted,
            degrees_of_freedom=degrees_between(len(islands.log_evidence)),
        ),
        of_draws,
    )


def follow(
    paths: Sequence[DataTempering], start: Float[np.ndarray, "I P D"], settings: SMCSettings, key: Array, report: Report
) -> list[SMCRun]:
    """SMC along several paths in turn, each from the particles where the last ended.

    Args:
        paths: the later ones begin where the earlier ones end; those of equal shapes share compiled code.
        start: particles where the first begins.
        settings: of SMC.
        key: random key.
        report: told the fraction of all paths that is done.

    Returns:
        A run for each, whose evidence is that of the data the path added.
    """
    runs: list[SMCRun] = []
    for number, path in enumerate(paths):

        def tell(fraction: float, text: str, number: int = number) -> None:
            report((number + fraction) / len(paths), f"part {number + 1} of {len(paths)}, {text}")

        particles = runs[-1].u if runs else start
        runs.append(run_smc(path, settings, jax.random.fold_in(key, number), tell, start=particles))
    return runs
