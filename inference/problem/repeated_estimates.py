"""Repeat an evidence estimate until its error is small enough or the time is spent."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.evidence import LARGEST_ISLAND_SPREAD, Evidence, combine_islands, degrees_between
from bayes_nn.runtime.progress import Report

#: Standard error to reach, nats, and seconds after which nothing more is begun, where the user names none.
TOLERANCE, MAX_SECONDS = 0.1, 600.0
#: Fewest estimates whose error is looked at.
FEWEST_ESTIMATES = 4


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
    *,
    give_up: bool = False,
) -> Evidence:
    """Add estimates until the error is below ``tolerance``; start anew with twice the effort where more do not help.

    They do not where islands disagree, or where the systematic error alone exceeds the tolerance.

    To stop where the *estimated* error is small favours errors estimated too small. So none is looked at before there
    are ``FEWEST_ESTIMATES``, and the degrees of freedom stay those of the first look, however many estimates follow (as
    in Stein 1945, Annals of Mathematical Statistics 16, whose second sample adds none either). In simulations of 2 and
    4 estimates at a time, spreads from 0.1 to 0.7 nats and tolerances from 0.1 to 0.3, intervals of 95 % covered 93 to
    96 %; they cover 90 to 95 % with the degrees of freedom of all estimates, 82 to 88 % with those of a normal.

    Args:
        make: makes independent estimates.
        method: its name.
        key: random key.
        tolerance: standard error to reach, nats.
        max_seconds: nothing is begun that would, at the pace so far, end later than this.
        report: told the running estimate and its error.
        give_up: stop where the first round is not trusted, whatever time is left.

    Returns:
        The evidence; ``details["stopped"]`` says whether the tolerance was reached, the time was spent, or it gave up,
        and ``details["log_evidence_by_island"]`` has all the estimates it is made of.

    Example:
        >>> two = Estimates(np.array([-10.0, -10.1]), np.array([0.001, 0.001]), (), {})
        >>> found = repeat_estimates(lambda key, effort, report: two, "made up", jax.random.key(0), 0.1, 1.0, print)
        >>> found.details["stopped"]
        'tolerance'
    """
    started, number, effort, running, first_look = time.perf_counter(), 0, 1, "", 0
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
        reasons = tuple(dict.fromkeys([*(reason for one in found for reason in one.reasons), *reasons]))
        running = f"{value:.2f} +- {mcse:.2f} nats so far, "
        enough = len(log_evidence) >= FEWEST_ESTIMATES
        first_look = first_look or (len(log_evidence) if enough else 0)
        left = max_seconds - (time.perf_counter() - started)
        disagree = len(log_evidence) > 1 and not np.std(log_evidence, ddof=1) <= LARGEST_ISLAND_SPREAD
        helpless = disagree or bias > tolerance or any(one.reasons for one in found)
        if mcse <= tolerance and enough and not reasons:
            stopped = "tolerance"
            break
        if give_up and number == 1 and reasons:
            stopped = "distrust"
            break
        if left < (2.0 * took if helpless else took):
            stopped = "max_seconds"
            break
        if helpless:
            found, effort, first_look = [], 2 * effort, 0
    details = found[-1].details | {
        "log_evidence_by_island": log_evidence.tolist(),
        "stopped": stopped,
        "repeats": number,
        "effort": effort,
    }
    degrees = degrees_between(first_look or len(log_evidence))
    return Evidence(value, mcse, method, not reasons, reasons, details, degrees_of_freedom=degrees)
