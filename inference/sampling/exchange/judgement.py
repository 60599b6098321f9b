"""What rounds of replica exchange say of the evidence, and why not to trust it."""

import numpy as np

from bayes_nn.inference.problem.evidence import Evidence, degrees_between
from bayes_nn.inference.sampling.exchange.round_result import RoundResult
from bayes_nn.inference.sampling.exchange.start import Start
from bayes_nn.runtime.diagnostic_codes import coded

#: Nats between the two sides of the evidence beyond which the levels are too few or the sweeps too short.
LARGEST_SANDWICH = 1.0
#: Nats, and standard errors, by which systems or rounds may differ; whatever the errors, never by more than the cap.
TOLERATED_NATS, TOLERATED_ERRORS, CAP = 0.3, 4.0, 1.5
#: Journeys of replicas between prior and posterior that every system has to see in the last round: one round trip.
FEWEST_JOURNEYS = 2
#: Nats between the two sides up to which a round can confirm what another method says.
CONFIRMING_SANDWICH = 3.0
#: Nats by which an estimate of SMC may exceed it: an unbiased one does so with probability e^-7 at most (Markov), and
#: SMC's, whose temperatures and steps follow its particles, is nearly one.
UNBIASED_MARGIN = 7.0


def judge_rounds(start: Start, results: list[RoundResult]) -> Evidence:
    """The evidence of the last round, judged by its systems, by the round before, and by the SMC run at the beginning.

    A closed sandwich alone is no proof, for it can close in the wrong phase.

    Args:
        start: where the rounds began.
        results: of all rounds.
    """
    last = results[-1]
    lower, upper, value, variance = np.array(last.evidence).T
    mean, within = float(value.mean()), float(np.sqrt(variance.mean() / len(value)))
    mcse = max(within, float(value.std(ddof=1) / np.sqrt(len(value))))
    reasons = []
    if (gap := float((upper - lower).max())) > LARGEST_SANDWICH:
        reasons.append(coded("B203", f"the evidence from above and from below is {gap:.2f} nats apart"))
    if (gap := float(np.ptp(value))) > min(
        CAP, TOLERATED_NATS + TOLERATED_ERRORS * float(np.sqrt(2 * variance.mean()))
    ):
        reasons.append(coded("B201", f"the systems disagree: their log Z are {gap:.2f} nats apart"))
    if not np.isfinite(mcse):
        reasons.append(coded("B204", "the last round was too short for an error: give it more seconds"))
    if len(results) == 1:
        reasons.append(coded("B204", "a single round cannot be checked by another"))
    else:
        before = np.array(results[-2].evidence)[:, 2:]
        error = float(np.sqrt(before[:, 1].mean() / len(before) + mcse**2))
        gap = abs(mean - float(before[:, 0].mean()))
        if gap > min(CAP, TOLERATED_NATS + TOLERATED_ERRORS * error):
            reasons.append(coded("B204", f"log Z has changed by {gap:.2f} nats since the round before"))
    if (seen := int(last.journeys.min())) < FEWEST_JOURNEYS:
        what = f"a system saw {seen} journeys of replicas between prior and posterior, fewer than {FEWEST_JOURNEYS}"
        reasons.append(coded("B205", what))
    if (excess := float((start.log_evidence - mean).max())) > UNBIASED_MARGIN:
        reasons.append(coded("B206", f"an estimate of SMC is {excess:.1f} nats higher"))
    details = {
        "log_evidence_by_system": value.tolist(),
        "variance_by_system": variance.tolist(),
        "lower_by_system": lower.tolist(),
        "upper_by_system": upper.tolist(),
        "log_evidence_by_round": [float(np.mean([each.value for each in one.evidence])) for one in results],
        "lower_by_round": [float(np.mean([each.lower for each in one.evidence])) for one in results],
        "upper_by_round": [float(np.mean([each.upper for each in one.evidence])) for one in results],
        "barrier": last.barrier,
        "rejection": last.rejection.tolist(),
        "tempering": last.tempering.tolist(),
        "expected_log_likelihood": last.expected_log_likelihood.tolist(),
        "journeys": last.journeys.tolist(),
        "gradient_evaluations": start.gradient_evaluations + sum(one.gradient_evaluations for one in results),
        "log_evidence_of_smc": start.log_evidence.tolist(),
    }
    sides = float(lower.mean()), float(upper.mean())
    # Blocks within a system do not see all that systems differ by, so that their many degrees of freedom do not count.
    degrees = degrees_between(len(value))
    return Evidence(
        mean, mcse, "replica_exchange", not reasons, tuple(reasons), details, *sides, degrees_of_freedom=degrees
    )


def confirms(found: Evidence, evidence: Evidence) -> bool:
    """Whether replica exchange found what another method says, and nothing besides.

    A phase that the other method has missed shows first as two sides that lie far apart.

    Args:
        found: by replica exchange.
        evidence: by the other method.
    """
    by_system = (found.details[f"{name}_by_system"] for name in ("lower", "upper", "log_evidence", "variance"))
    lower, upper, value, variance = map(np.array, by_system)
    error = float(np.sqrt(variance.max() + evidence.mcse**2))
    closed = (upper - lower).max() <= CONFIRMING_SANDWICH
    return bool(closed and np.abs(value - evidence.value).max() <= CAP + TOLERATED_ERRORS * error)
