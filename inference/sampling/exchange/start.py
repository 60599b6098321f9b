"""Where replica exchange begins: at the particles of a small SMC run, so that modes a population finds are not lost."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.exchange.ladder import count_levels, place_levels, rejections_along
from bayes_nn.inference.sampling.smc_island import Island
from bayes_nn.inference.sampling.smc_run import run_smc
from bayes_nn.inference.sampling.smc_settings import SMCSettings
from bayes_nn.runtime.progress import Report

#: Particles of every tempering that are remembered.
REMEMBERED = 8


class Start(NamedTuple):
    """Levels, and a particle for every level of every system.

    Attributes:
        tempering: levels from 0 to 1.
        u: particles, (systems, T, D).
        log_evidence: of the SMC run, one estimate for every system, nats, (systems,).
        barrier: between prior and posterior as far as the particles of the SMC run saw it.
        gradient_evaluations: that the SMC run took.
    """

    tempering: Float[np.ndarray, " T"]
    u: Float[np.ndarray, "S T D"]
    log_evidence: Float[np.ndarray, " S"]
    barrier: float
    gradient_evaluations: int


def start_from_particles(problem: Problem, settings: SMCSettings, key: Array, report: Report) -> Start:
    """Run SMC with an island for every system and spread its particles over the levels.

    A population that is cooled stays in the phase of the prior for too long, so that levels above the middle of the
    barrier begin at its particles at the posterior, and those below at its particles of the nearest tempering.
    """
    visited: list[tuple[float, np.ndarray]] = []

    def remember(islands: Island) -> None:
        stride = max(settings.particles // REMEMBERED, 1)
        visited.append((float(np.mean(islands.tempering)), np.array(islands.particles.u[:, ::stride])))

    run = run_smc(problem, settings, key, report, visit=remember)
    path = run.path.tempering.mean(axis=0)
    rejection = rejections_along(path, np.concatenate(list(run.path.log_likelihood), axis=1))
    barrier = np.cumsum(np.concatenate([[0.0], rejection]))
    levels = place_levels(path, rejection, count_levels(barrier[-1]))
    middle = np.interp(0.5 * barrier[-1], barrier, path)
    stops = np.log([max(tempering, 1e-12) for tempering, _ in visited])
    chosen = [np.argmin(abs(stops - np.log(max(level, 1e-12)))) if level < middle else -1 for level in levels]
    u = [visited[stop][1][:, number % REMEMBERED] for number, stop in enumerate(chosen)]
    details = run.evidence.details
    log_evidence = np.array(details["log_evidence_by_island"])
    return Start(levels, np.stack(u, axis=1), log_evidence, float(barrier[-1]), details["gradient_evaluations"])
