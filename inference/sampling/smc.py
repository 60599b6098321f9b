"""Sequential Monte Carlo: posterior and evidence in one run of particles from the prior."""

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Array

from bayes_nn.inference.problem.evidence import with_approximation
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.repeated_estimates import Estimates
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.sampler import (
    Judge,
    SampledDraws,
    Sampler,
    all_values,
    draw_nothing_more,
    silent,
)
from bayes_nn.inference.sampling.smc_settings import SMCSettings
from bayes_nn.runtime.progress import Report

if TYPE_CHECKING:
    from bayes_nn.inference.sampling.schedule import Pilot

#: What a run's details hold of every island.
ESTIMATED = ("log_evidence", "variance")


class SMC(SMCSettings, Sampler):
    """Settings of the SMC sampler.

    A pilot run by every other island adapts temperatures, references, step sizes and numbers of moves; the islands
    themselves follow what it found, so that their evidence is unbiased (docs/decisions/0012).
    Where the particles of a fit have not mixed when the whole likelihood counts, they are moved on there, at most as
    often as there were temperatures; the evidence is that of the path. docs/decisions/0006 says when not.

    Args:
        particles: particles in each island.
        islands: independent islands; their spread gives the error of the evidence.
        target_ess: effective fraction of particles that a step in tempering leaves.
        accepted_moves: accepted moves per particle and temperature, on average.
        max_steps: most gradient evaluations in one trajectory.
        max_temperatures: give up, and say so, beyond this many.
        move: how particles are moved; None for trajectories where there are many latents, else elliptical slices.

    Raises:
        ValueError: for a setting out of range.

    Example:
        >>> SMC(particles=64).islands
        4
    """

    name = "smc"

    def draw(
        self,
        problem: Problem,
        key: Array,
        *,
        report: Report = silent,
        checkpoint: Checkpoint = NOWHERE,
        good_enough: Judge = draw_nothing_more,
        pilot: "Pilot | None" = None,
    ) -> SampledDraws:
        """Particles of every island where the whole likelihood counts, and the evidence.

        A pilot that is known is the one that this key and these settings give.
        """
        from bayes_nn.inference.sampling.schedule import run_on_schedule

        def judge(u: np.ndarray, log_likelihood: np.ndarray) -> bool:
            return good_enough(all_values(problem, u), log_likelihood)

        run = run_on_schedule(problem, self, key, report, checkpoint, judge, pilot)
        evidence = with_approximation(run.evidence, problem)
        return SampledDraws(all_values(problem, run.u), run.log_likelihood, run.sample_stats, run.reasons, evidence)

    def estimate(self, problem: Problem, key: Array, effort: int, report: Report) -> Estimates:
        """The evidence of every island of one run, with ``effort`` times as many particles."""
        from bayes_nn.inference.sampling.schedule import run_on_schedule

        run = run_on_schedule(problem, replace(self, particles=self.particles * effort), key, report)
        log_evidence, variance = (np.array(run.evidence.details[f"{name}_by_island"]) for name in ESTIMATED)
        return Estimates(log_evidence, variance, run.evidence.reasons, run.evidence.details)
