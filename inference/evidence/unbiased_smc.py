"""An unbiased estimate of Z, for claims that hold at a guaranteed rate where no sampler can be trusted."""

import time
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array

from bayes_nn.inference.evidence.smc import SMCEstimator
from bayes_nn.inference.problem.evidence import Evidence, combine_islands, degrees_between
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.runtime.diagnostic_codes import coded
from bayes_nn.runtime.progress import Report

#: Share of the progress bar that the pilot is given.
PILOT_SHARE = 0.5


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
        from bayes_nn.inference.sampling.frozen_smc import frozen_schedule, run_frozen
        from bayes_nn.inference.sampling.smc_run import SMALLEST_ACCEPTANCE

        key_pilot, key_islands = jax.random.split(key)
        started = time.perf_counter()
        schedule, pilot = frozen_schedule(
            problem, self.sampler, key_pilot, lambda fraction, text: report(PILOT_SHARE * fraction, f"pilot, {text}")
        )
        took = time.perf_counter() - started
        wanted = self._batches(pilot.evidence.details, tolerance)
        batches = min(wanted, max(1, int(max_seconds / took) - 1))
        found = []
        for number in range(batches):
            report(PILOT_SHARE + (1.0 - PILOT_SHARE) * number / batches, f"{batches * self.sampler.islands} islands")
            batch_key = jax.random.fold_in(key_islands, number)
            found.append(run_frozen(problem, self.sampler, schedule, batch_key, self.sampler.islands))
        log_evidence, variance, acceptance, gradients = map(np.concatenate, zip(*found, strict=True))
        value, mcse, reasons = combine_islands(log_evidence, variance)
        if len(schedule.tempering) > 1 and not acceptance[:, -1].mean() >= SMALLEST_ACCEPTANCE:
            reasons += (coded("B107", f"mean acceptance fell to {acceptance[:, -1].mean():.2f}"),)
        if pilot.path.tempering[:, -1].min() < 1.0:
            what = f"the pilot did not reach the posterior in {self.sampler.max_temperatures} temperatures"
            reasons += (coded("B108", what),)
        details = {
            "log_evidence_by_island": log_evidence.tolist(),
            "variance_by_island": variance.tolist(),
            "tempering": schedule.tempering.tolist(),
            "sweeps": schedule.sweeps.tolist(),
            "step_size": schedule.step_size.tolist(),
            "acceptance": acceptance.mean(axis=0).tolist(),
            "gradient_evaluations": int(gradients.sum()) + pilot.evidence.details["gradient_evaluations"],
            "log_evidence_of_pilot": pilot.evidence.details["log_evidence_by_island"],
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

    def _batches(self, of_pilot: dict[str, Any], tolerance: float) -> int:
        """Runs of as many islands as the pilot's that reach the tolerance, if they differ as the pilot's do."""
        log_evidence = np.array(of_pilot["log_evidence_by_island"])
        spread = float(np.var(log_evidence, ddof=1)) if len(log_evidence) > 1 else 0.0
        s2 = max(spread, float(np.mean(of_pilot["variance_by_island"])))
        return max(1, int(np.ceil((s2 + 0.5 * s2**2) / tolerance**2 / self.sampler.islands)))
