"""Where replica exchange begins: at the particles of a pilot run of SMC, so that modes that it finds are not lost."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bayes_nn.inference.sampling.exchange.ladder import count_levels, place_levels, rejections_along
from bayes_nn.inference.sampling.schedule import Pilot


class Start(NamedTuple):
    """Levels, and a particle for every level of every system.

    Attributes:
        tempering: levels from 0 to 1.
        u: particles, (systems, T, D).
        log_evidence: of the pilot's islands, nats.
        barrier: between prior and posterior as far as the particles of the pilot saw it.
        gradient_evaluations: that the pilot took.
    """

    tempering: Float[np.ndarray, " T"]
    u: Float[np.ndarray, "S T D"]
    log_evidence: Float[np.ndarray, " I"]
    barrier: float
    gradient_evaluations: int


def start_from(pilot: Pilot, systems: int) -> Start:
    """Spread the particles of a pilot run over the levels, those of one island in every system in turn.

    A population that is cooled stays in the phase of the prior for too long, so that levels above the middle of the
    barrier begin at its particles at the posterior, and those below at its particles of the nearest tempering.

    Args:
        pilot: the run.
        systems: how many begin.
    """
    path = pilot.path.tempering.mean(axis=0)
    rejection = rejections_along(path, np.concatenate(list(pilot.path.log_likelihood), axis=1))
    barrier = np.cumsum(np.concatenate([[0.0], rejection]))
    levels = place_levels(path, rejection, count_levels(barrier[-1]))
    middle = np.interp(0.5 * barrier[-1], barrier, path)
    stops, wanted = (np.log(np.maximum(tempering, 1e-12)) for tempering in (pilot.visited, levels))
    nearest = np.argmin(abs(stops - wanted[:, None]), axis=1)
    chosen = np.where(levels < middle, nearest, len(stops) - 1)
    _, islands, remembered, _ = pilot.remembered.shape
    u = [
        pilot.remembered[chosen, system % islands, (np.arange(len(levels)) + system // islands) % remembered]
        for system in range(systems)
    ]
    return Start(levels, np.stack(u), pilot.log_evidence, float(barrier[-1]), pilot.gradient_evaluations)
