"""Repeat an evidence estimate until its error is small enough or the time is spent."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.evidence import Evidence, combine_islands
from bayes_nn.runtime.progress import Report

#: Standard error to reach, nats, and seconds after which nothing more is begun, where the user names none.
TOLERANCE, MAX_SECONDS = 0.1, 600.0


class Estimates(NamedTuple):
    """Independent estimates of log Z made in one go.

    Attributes:
        log_evidence: nats.
        variance: of each, as far as it can tell by itself.
        reasons: why not to trust them; empty if none.
        details: whatever the method reports besides.
        bias: the size of a systematic error that more effort lessens but repetition does not, nats.
    """

    log_evidence: Float[np.ndarray, " I"]
    variance: Float[np.ndarray, " I"]
    reasons: tuple[str, ...]
    details: dict[str, Any]
    bias: float = 0.0


#: Makes estimates from a key, an effort (1, 2, 4, ...: multiples of the usual particles or draws) and a report.
MakeEstimates = Callable[[Array, int, Report], Estimates]


def repeat_estimates(
    make: MakeEstimates,
    method: str,
    key: Array,
    tolerance: float,
    max_seconds: float,
    report: Report,
) -> Evidence:
    """Add estimates until the error is below ``tolerance``; start anew with twice the effort where more do not help.

    They do not where islands disagree, or where the systematic error alone exceeds the tolerance.

    Args:
        make: makes independent estimates.
        method: its name.
        key: random key.
        tolerance: standard error to reach, nats.
        max_seconds: nothing is begun that would, at the pace so far, end later than this.
        report: told the running estimate and its error.

    Returns:
        The evidence; ``details["stopped"]`` says whether the tolerance was reached or the time was spent, and
        ``details["log_evidence_by_island"]`` has all the estimates it is made of.

    Example:
        >>> two = Estimates(np.array([-10.0, -10.1]), np.array([0.001, 0.001]), (), {})
        >>> found = repeat_estimates(lambda key, effort, report: two, "made up", jax.random.key(0), 0.1, 1.0, print)
        >>> found.details["stopped"]
        'tolerance'
    """
    started, number, effort, running = time.perf_counter(), 0, 1, ""
    found: list[Estimates] = []

    def tell(fraction: float, text: str) -> None:
        report(fraction, f"{running}{text}")

    while True:
        began = time.perf_counter()
        found.append(make(jax.random.fold_in(key, number), effort, tell))
        took = time.perf_counter() - began
        number += 1
        log_evidence = np.concatenate([one.log_evidence for one in found])
        value, mcse, reasons = combine_islands(log_evidence, np.concatenate([one.variance for one in found]))
        bias = float(np.mean([one.bias for one in found]))
        mcse = float(np.hypot(mcse, bias))
        reasons = tuple(dict.fromkeys(reason for one in found for reason in one.reasons)) + reasons
        running = f"{value:.2f} +- {mcse:.2f} nats so far, "
        left, helpless = max_seconds - (time.perf_counter() - started), bool(reasons) or bias > tolerance
        if mcse <= tolerance and not reasons:
            stopped = "tolerance"
            break
        if left < (2.0 * took if helpless else took):
            stopped = "max_seconds"
            break
        if helpless:
            found, effort = [], 2 * effort
    details = found[-1].details | {
        "log_evidence_by_island": log_evidence.tolist(),
        "stopped": stopped,
        "repeats": number,
        "effort": effort,
    }
    return Evidence(value, mcse, method, not reasons, reasons, details)
