"""An unbiased estimate of Z, for claims that hold at a guaranteed rate where no sampler can be trusted."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np
from jaxtyping import Array

from bayes_nn.inference.evidence.smc import SMCEstimator
from bayes_nn.inference.problem.evidence import Evidence, combine_islands, degrees_between
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.smc import ESTIMATED
from bayes_nn.runtime.progress import Report

if TYPE_CHECKING:
    from bayes_nn.inference.sampling.schedule import Pilot


@dataclass(frozen=True)
class UnbiasedSMC(SMCEstimator):
    """SMC along temperatures, step sizes, references and numbers of sweeps that a pilot run has fixed.

    The mean of exp(value) over keys is the evidence itself, so that ``P(value > log p(y) + a) <= exp(-a)`` whether or
    not the particles find every mode (Markov's inequality): a lower bound with a guaranteed rate, which may be far too
    low. For that the number of islands is decided after the pilot and before the first of them, from the pilot's spread
    and pace alone: as many as the tolerance asks for, or the time allows. It is not changed when they turn out to
    differ more or to take longer, and the pilot's own estimate is thrown away.

    Args:
        sampler: settings of SMC, of the pilot and of the islands, which are run as many at a time.

    Example:
        >>> UnbiasedSMC().method
        'unbiased_smc'
    """

    method = "unbiased_smc"

    def log_evidence(
        self, problem: Problem, key: Array, tolerance: float, max_seconds: float, report: Report
    ) -> Evidence:
        """See :class:`bayes_nn.inference.evidence.estimator.Estimator`."""
        from bayes_nn.inference.sampling.schedule import PILOT_SHARE, run_pilot
        from bayes_nn.inference.sampling.smc_run import run_smc

        key_pilot, key_islands = jax.random.split(key)
        started = time.perf_counter()
        pilot = run_pilot(problem, self.sampler, key_pilot, report)
        took = time.perf_counter() - started
        wanted = self._batches(pilot, tolerance)
        batches = min(wanted, max(1, int(max_seconds / took) - 1))
        runs = []
        for number in range(batches):
            report(PILOT_SHARE + (1.0 - PILOT_SHARE) * number / batches, f"{batches * self.sampler.islands} islands")
            batch_key = jax.random.fold_in(key_islands, number)
            runs.append(run_smc(problem, self.sampler, batch_key, schedule=pilot.schedule))
        log_evidence, variance = (
            np.concatenate([run.evidence.details[f"{name}_by_island"] for run in runs]) for name in ESTIMATED
        )
        value, mcse, reasons = combine_islands(log_evidence, variance)
        reasons = tuple(dict.fromkeys([*pilot.reasons, *reasons, *(reason for run in runs for reason in run.reasons)]))
        gradients = sum(run.evidence.details["gradient_evaluations"] for run in runs)
        details = {
            "log_evidence_by_island": log_evidence.tolist(),
            "variance_by_island": variance.tolist(),
            "tempering": pilot.schedule.tempering.tolist(),
            "sweeps": pilot.schedule.sweeps.tolist(),
            "step_size": pilot.schedule.step_size.tolist(),
            "gradient_evaluations": gradients + pilot.gradient_evaluations,
            "log_evidence_of_pilot": pilot.log_evidence.tolist(),
            "stopped": "tolerance" if mcse <= tolerance else "max_seconds" if batches < wanted else "islands",
        }
        degrees = degrees_between(len(log_evidence))
        return Evidence(
            value,
            mcse,
            self.method,
            not reasons,
            reasons,
            details,
            unbiased=True,
            degrees_of_freedom=degrees,
        )

    def _batches(self, pilot: "Pilot", tolerance: float) -> int:
        """Runs of SMC that reach the tolerance, if their islands differ as the pilot's do."""
        spread = float(np.var(pilot.log_evidence, ddof=1)) if len(pilot.log_evidence) > 1 else 0.0
        s2 = max(spread, float(np.mean(pilot.variance)))
        return max(1, int(np.ceil((s2 + 0.5 * s2**2) / tolerance**2 / self.sampler.islands)))
