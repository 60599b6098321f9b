"""Schedules: what a pilot run of SMC has adapted, for islands to follow that adapt nothing themselves.

The mean weights of SMC multiply to an unbiased estimate of Z where the temperatures, the moves and the number of moves
do not depend on the particles (Del Moral 2004, Feynman-Kac Formulae, section 7.4; Andrieu, Doucet and Holenstein 2010,
JRSS B 72, for any resampling whose numbers of offspring have the weights as means, the systematic one among them). A
pilot run of adaptive SMC therefore fixes all of this, and islands with keys of their own follow what it fixed. Each
begins with its own draws from the prior and shares nothing with another but the schedule.
"""

from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.thermodynamics import TemperingPath
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.sampler import silent
from bayes_nn.inference.sampling.smc_island import MOST_SWEEPS, Island, Stage
from bayes_nn.inference.sampling.smc_run import ParticleJudge, SMCRun, run_smc
from bayes_nn.inference.sampling.smc_settings import SMCSettings
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.progress import Report

#: Share of the progress bar that the pilot is given.
PILOT_SHARE = 0.3
#: Every so-many-th island runs in the pilot, and makes this part of the accepted moves.
STRIDE, PILOT_MOVES = 2, 0.5
#: Particles of an island that are remembered at every tempering.
REMEMBERED = 8


class Pilot(NamedTuple):
    """What a pilot run leaves to the islands that follow it.

    Attributes:
        schedule: stages, leading axis K, of which the last has the whole likelihood even where the pilot did not get
            there.
        log_evidence: of its own islands, nats.
        variance: of each, as far as its weights tell.
        gradient_evaluations: that it took.
        reasons: why not to trust what follows it; empty if none.
        path: log likelihoods of its particles at every tempering, from the prior on.
        visited: mean tempering over its islands, from the first at which particles are moved.
        remembered: some particles of every island there.
    """

    schedule: Stage
    log_evidence: Float[np.ndarray, " I"]
    variance: Float[np.ndarray, " I"]
    gradient_evaluations: int
    reasons: tuple[str, ...]
    path: TemperingPath
    visited: Float[np.ndarray, " V"]
    remembered: Float[np.ndarray, "V I R D"]


def run_pilot(
    problem: Problem,
    settings: SMCSettings,
    key: Array,
    report: Report = silent,
    stride: int = STRIDE,
    moves: float = PILOT_MOVES,
) -> Pilot:
    """A pilot run, whose schedule is that of the island that took the most temperatures.

    References, step sizes and temperatures are those it adapted to; sweeps are as many as its acceptance asks for.

    Args:
        problem: the posterior.
        settings: of SMC.
        key: random key of the pilot alone.
        report: called after every step in tempering.
        stride: only every so-many-th island runs.
        moves: the part of the accepted moves that is made.
    """
    visited: list[tuple[Stage, np.ndarray, np.ndarray]] = []
    apart = max(settings.particles // REMEMBERED, 1)

    def remember(islands: Island) -> None:
        own = islands.stage, islands.acceptance, islands.particles.u[:, ::apart][:, :REMEMBERED]
        visited.append(jax.tree.map(lambda leaf: np.array(leaf)[::stride], own))

    run = run_smc(
        problem,
        replace(settings, accepted_moves=moves * settings.accepted_moves),
        key,
        lambda done, text: report(PILOT_SHARE * done, f"pilot, {text}"),
        visit=remember,
        stride=stride,
    )
    # At the first visit particles have not been moved; a pilot that ends there leaves nothing better.
    everywhere = jax.tree.map(lambda *leaves: np.stack(leaves), *visited)
    first = min(1, len(visited) - 1)
    stages, acceptance, _ = jax.tree.map(lambda leaf: leaf[first:], everywhere)
    steps = np.sum(stages.tempering < 1.0, axis=0)
    finest = int(np.argmax(steps))
    schedule, acceptance = jax.tree.map(lambda leaf: leaf[: steps[finest] + 1, finest], (stages, acceptance))
    wanted = np.rint(settings.accepted_moves / np.maximum(acceptance, 1e-9))
    schedule = schedule._replace(sweeps=np.clip(wanted, 1, MOST_SWEEPS).astype(int))
    reasons: tuple[str, ...] = ()
    if schedule.tempering[-1] < 1.0:
        last = jax.tree.map(lambda leaf: leaf[-1:], schedule)._replace(tempering=np.ones(1))
        schedule = jax.tree.map(lambda *leaves: np.concatenate(leaves), schedule, last)
        what = f"the posterior was not reached in {settings.max_temperatures} temperatures"
        reasons = (coded("B108", what),)
    details = run.evidence.details
    return Pilot(
        schedule,
        np.array(details["log_evidence_by_island"]),
        np.array(details["variance_by_island"]),
        details["gradient_evaluations"],
        reasons,
        run.path,
        everywhere[0].tempering.mean(axis=1),
        everywhere[2],
    )


def run_on_schedule(
    problem: Problem,
    settings: SMCSettings,
    key: Array,
    report: Report = silent,
    checkpoint: Checkpoint = NOWHERE,
    good_enough: ParticleJudge = lambda u, log_likelihood: True,
    pilot: Pilot | None = None,
) -> SMCRun:
    """A pilot run, and SMC along its schedule, whose Z is unbiased.

    Args:
        problem: the posterior.
        settings: of SMC.
        key: random key.
        report: called after every step in tempering.
        checkpoint: where to keep the state, and to go on from.
        good_enough: as in :func:`~bayes_nn.inference.sampling.smc_run.run_smc`.
        pilot: where it is known.
    """
    key_pilot, key_islands = jax.random.split(key)
    pilot = pilot or checkpoint.once("schedule", lambda: run_pilot(problem, settings, key_pilot, report))
    run = run_smc(
        problem,
        settings,
        key_islands,
        lambda done, text: report(PILOT_SHARE + (1.0 - PILOT_SHARE) * done, text),
        checkpoint,
        good_enough=good_enough,
        schedule=pilot.schedule,
    )
    evidence = run.evidence
    gradients = evidence.details["gradient_evaluations"] + pilot.gradient_evaluations
    details = evidence.details | {
        "gradient_evaluations": gradients,
        "log_evidence_of_pilot": pilot.log_evidence.tolist(),
    }
    reasons = (*pilot.reasons, *evidence.reasons)
    evidence = replace(evidence, details=details, reasons=reasons, reliable=not reasons)
    return run._replace(evidence=evidence, reasons=(*pilot.reasons, *run.reasons))
