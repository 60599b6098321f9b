"""What every rung of the ladder recovers of the network's gain: a waterfall from the infinite width to the network."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bayes_nn.inference.verdict.gain import gain
from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.inference.verdict.rungs import RUNGS, best, climbed


@dataclass(frozen=True)
class Share:
    """What the best prior up to a rung recovers of the network's gain over the NNGP.

    Attributes:
        rung: its name.
        prior: the prior of highest evidence up to this rung.
        log_evidence: over that of the NNGP, nats.
        log_evidence_error: its Monte-Carlo error.
        of_evidence: the fraction of the network's; NaN where the network's is not above twice its error.
        of_evidence_error: its Monte-Carlo error.
        lpd: test lpd over that of the NNGP, nats per point.
        lpd_error: its standard error.
        of_lpd: the fraction of the network's; NaN where that is not above twice its error.
        of_lpd_error: its standard error.

    Example:
        >>> Share("scale", "ScaleMixture", 9.0, 0.1, 0.9, 0.01, 0.1, 0.02, 0.8, 0.1).of_evidence
        0.9
    """

    rung: str
    prior: str
    log_evidence: float
    log_evidence_error: float
    of_evidence: float
    of_evidence_error: float
    lpd: float
    lpd_error: float
    of_lpd: float
    of_lpd_error: float


def shares(rows: Sequence[PriorResult], network: PriorResult, nngp: PriorResult, train_rows: int) -> tuple[Share, ...]:
    """The shares of all rungs that have a prior in the table, the network's own last.

    Args:
        rows: what is known of every prior.
        network: the network judged.
        nngp: the NNGP that gains are over.
        train_rows: of a split.

    Example:
        >>> shares([], None, None, 10)
        ()
    """
    found, below = [], []
    for rung, group in climbed(rows):
        if rung is not None:
            below += group
            found.append(_share(RUNGS[rung][0], best(below), network, nngp, train_rows))
    if found:
        found.append(_share(RUNGS[3][0], network, network, nngp, train_rows))
    return tuple(found)


def _share(name: str, row: PriorResult, network: PriorResult, nngp: PriorResult, train_rows: int) -> Share:
    total = network.log_evidence - nngp.log_evidence
    total_error = float(np.hypot(network.mcse, nngp.mcse))
    own = row.log_evidence - nngp.log_evidence
    fraction = own / total if total > 2.0 * total_error else float("nan")
    # The error of own - fraction * total, in which the three evidences are independent.
    weights = (float(row is not nngp), 0.0 if row is network else -fraction, fraction - 1.0)
    of_evidence_error = float(
        np.sqrt(sum((w * r.mcse) ** 2 for w, r in zip(weights, (row, network, nngp), strict=True)))
    )
    if row is network or row is nngp:
        of_evidence_error = 0.0
    lpd, of_lpd = gain(row.lpd_test, nngp.lpd_test, train_rows, _mcse(row, nngp)), (float("nan"),) * 2
    whole = gain(network.lpd_test, nngp.lpd_test, train_rows, _mcse(network, nngp))
    if whole.value > 2.0 * whole.error:
        part = lpd.value / whole.value
        mixed = [part * (a - b) + b for a, b in zip(network.lpd_test, nngp.lpd_test, strict=True)]
        of_lpd = part, gain(row.lpd_test, mixed, train_rows, _mcse(row, network)).error / whole.value
    return Share(
        name, row.name, own, 0.0 if row is nngp else float(np.hypot(row.mcse, nngp.mcse)),
        fraction, of_evidence_error / total if fraction == fraction else float("nan"), lpd.value, lpd.error, *of_lpd,
    )  # fmt: skip


def _mcse(first: PriorResult, second: PriorResult) -> float:
    return 0.0 if first is second else float(np.hypot(first.lpd_mcse, second.lpd_mcse))
