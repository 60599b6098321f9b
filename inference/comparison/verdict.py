"""The verdict: which account of the network's generalisation the data support."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from bayes_nn.data.scores import paired_difference
from bayes_nn.inference.comparison.prior_result import PriorResult

Outcome = Literal["no finite-width gain", "explained by a better prior", "needs feature learning", "undecided"]

#: Standard errors that count as a difference.
ERRORS = 2.0
#: Nats per test point of error beyond which a difference that it hides is not called none.
LARGEST_GAIN_ERROR = 0.1
#: Splits below which the error over splits is itself so rough that the verdict says so.
FEW_SPLITS = 5
#: Nats of evidence error beyond which the best feature-free prior cannot be told.
LARGEST_EVIDENCE_ERROR = 1.0


@dataclass(frozen=True)
class Verdict:
    """Which account the data support, with the numbers behind it.

    The outcomes: ``"no finite-width gain"`` (the network does not beat the NNGP on test data by more than two standard
    errors), ``"explained by a better prior"`` (it does, but the feature-free prior of highest evidence does as well),
    ``"needs feature learning"`` (it beats that one too), ``"undecided"`` (an error is too large, or a sampler or an
    evidence is not to be trusted).

    Attributes:
        outcome: one of the four outcomes.
        network: the network judged: the Bayesian network of highest evidence.
        nngp: the NNGP it is compared with.
        best_feature_free: the prior of highest evidence among those without hidden weights and not made from the data.
        gain: lpd of the network minus the NNGP's, nats per test point, paired.
        gain_error: its standard error.
        gain_over_best: lpd of the network minus the best feature-free prior's.
        gain_over_best_error: its standard error.
        log_bayes_factor: log evidence of the network minus the NNGP's, nats.
        log_bayes_factor_error: its Monte-Carlo standard error.
        feature_information: of the network, nats.
        feature_information_mcse: its Monte-Carlo standard error.
        reasons: why it is undecided, or what to keep in mind.

    Example:
        >>> print(Verdict("undecided", reasons=("the candidates lack an NNGP",)))
        Verdict: undecided
          the candidates lack an NNGP
    """

    outcome: Outcome
    network: str = ""
    nngp: str = ""
    best_feature_free: str = ""
    gain: float = float("nan")
    gain_error: float = float("nan")
    gain_over_best: float = float("nan")
    gain_over_best_error: float = float("nan")
    log_bayes_factor: float = float("nan")
    log_bayes_factor_error: float = float("nan")
    feature_information: float = float("nan")
    feature_information_mcse: float = float("nan")
    reasons: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = [f"Verdict: {self.outcome}"]
        if self.network and self.nngp and np.isfinite(self.gain):
            lines.append(
                f"  {self.network} over {self.nngp}: {self.gain:+.4f} +- {self.gain_error:.4f} nats per test point, "
                f"log Bayes factor {self.log_bayes_factor:+.2f} +- {self.log_bayes_factor_error:.2f}"
            )
            lines.append(
                f"  {self.network} over the best feature-free prior, {self.best_feature_free}: "
                f"{self.gain_over_best:+.4f} +- {self.gain_over_best_error:.4f} nats per test point"
            )
            lines.append(
                f"  feature information: {self.feature_information:.2f} +- {self.feature_information_mcse:.2f} nats"
            )
        return "\n".join([*lines, *(f"  {reason}" for reason in self.reasons)])


def judge(rows: Sequence[PriorResult], test_to_train: float) -> Verdict:
    """The verdict on a comparison.

    Args:
        rows: what is known of every prior.
        test_to_train: test rows over training rows of a split; 0 without test data.

    Example:
        >>> judge([], 0.0).reasons
        ('the candidates lack a BayesianNetwork and an NNGP',)
    """
    networks = [row for row in rows if row.learns_features and not row.peeks]
    nngps = [row for row in rows if row.kind == "NNGP"]
    free = [row for row in rows if not (row.has_hidden_weights or row.peeks)]
    missing = [what for what, found in (("a BayesianNetwork", networks), ("an NNGP", nngps)) if not found]
    if missing:
        return Verdict("undecided", reasons=(f"the candidates lack {' and '.join(missing)}",))
    network, nngp, best = (max(group, key=lambda row: row.log_evidence) for group in (networks, nngps, free))
    known: dict[str, Any] = {
        "network": network.name,
        "nngp": nngp.name,
        "best_feature_free": best.name,
        "log_bayes_factor": network.log_evidence - nngp.log_evidence,
        "log_bayes_factor_error": float(np.hypot(network.mcse, nngp.mcse)),
        "feature_information": network.feature_information,
        "feature_information_mcse": network.feature_information_mcse,
    }
    if not network.lpd_test:
        return Verdict("undecided", **known, reasons=("no test data: pass X_test and y_test, or splits=5",))
    gain, gain_error = paired_difference(network.lpd_test, nngp.lpd_test, test_to_train)
    over_best, over_best_error = paired_difference(network.lpd_test, best.lpd_test, test_to_train)
    known |= {"gain": gain, "gain_error": gain_error}
    known |= {"gain_over_best": over_best, "gain_over_best_error": over_best_error}
    reasons = _reasons_of_rows(network, nngp, best, alone=len(networks) == 1) + _reasons_of_ranking(best, free)
    reasons += _reasons_of_differences(known)
    if reasons:
        return Verdict("undecided", **known, reasons=tuple(reasons))
    known["reasons"] = _reminders(network, nngp, best)
    if gain <= ERRORS * gain_error:
        return Verdict("no finite-width gain", **known)
    if over_best > ERRORS * over_best_error:
        return Verdict("needs feature learning", **known)
    return Verdict("explained by a better prior", **known)


def _reasons_of_rows(network: PriorResult, nngp: PriorResult, best: PriorResult, alone: bool) -> list[str]:
    """What is wrong with the results that the outcome rests on.

    The outcome rests on the predictions of all three and on the evidence of the best feature-free prior, by which it
    was chosen; on the evidence of the network only where it was chosen among several.
    """
    found = {nngp.name: nngp.sampler_reasons, network.name: network.sampler_reasons if alone else network.reasons}
    found[best.name] = best.reasons
    return [f"{name}: {'; '.join(reasons)}" for name, reasons in found.items() if reasons]


def _reasons_of_differences(known: dict[str, Any]) -> list[str]:
    """Whether an error on test data is too large to tell a difference from none."""
    over = {known["nngp"]: ("gain", "gain_error")}
    if known["gain"] > ERRORS * known["gain_error"]:
        over[known["best_feature_free"]] = ("gain_over_best", "gain_over_best_error")
    reasons = []
    for name, (which, of_which) in over.items():
        difference, error = known[which], known[of_which]
        hidden = error > LARGEST_GAIN_ERROR and abs(difference) <= ERRORS * error
        if hidden or not np.isfinite([difference, error]).all():
            reasons.append(
                f"the test data cannot tell {known['network']} from {name}: {difference:+.2f} +- {error:.2f} nats per "
                "point; use more test points or splits"
            )
    return reasons


def _reminders(network: PriorResult, nngp: PriorResult, best: PriorResult) -> tuple[str, ...]:
    """What does not change the verdict but limits what may be quoted from the comparison."""
    reminders = [
        f"quote no Bayes factor: the evidence of {row.name} is not reliable ({'; '.join(row.reasons)})"
        for row in (network, nngp)
        if not row.reliable
    ]
    if 1 < len(network.lpd_test) < FEW_SPLITS:
        reminders.append(f"{len(network.lpd_test)} splits tell their own error poorly: use {FEW_SPLITS} or more")
    if best.approximation:
        reminders.append(f"the evidence of {best.name} is approximate: {best.approximation}")
    return tuple(reminders)


def _reasons_of_ranking(best: PriorResult, free: list[PriorResult]) -> list[str]:
    """Whether an unreliable or noisy evidence could have hidden the best feature-free prior."""
    reasons = []
    for row in free:
        if row is best:
            continue
        if not row.reliable and row.log_evidence + 2.0 * row.mcse + LARGEST_EVIDENCE_ERROR > best.log_evidence:
            reasons.append(f"{row.name} may be the best feature-free prior, but its evidence is not reliable")
    if best.mcse > LARGEST_EVIDENCE_ERROR:
        reasons.append(f"the evidence of {best.name} has an error of {best.mcse:.1f} nats")
    return reasons
