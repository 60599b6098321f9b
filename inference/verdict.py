"""The verdict: which account of the network's generalisation the data support."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from bayes_nn.inference.comparison import Comparison, Row

Outcome = Literal["no finite-width gain", "explained by a better prior", "needs feature learning", "undecided"]

#: Standard errors that count as a difference.
ERRORS = 2.0
#: Nats per test point of error beyond which a difference that it hides is not called none.
LARGEST_GAIN_ERROR = 0.1
#: Splits below which the error over splits is itself too rough to go without a word.
FEW_SPLITS = 5
#: Nats of evidence error beyond which the best feature-free prior cannot be told.
LARGEST_EVIDENCE_ERROR = 1.0


@dataclass(frozen=True)
class Verdict:
    """Which account the data support, with the numbers behind it.

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


def paired_difference(
    first: list[np.ndarray], second: list[np.ndarray], test_to_train: float = 0.0
) -> tuple[float, float]:
    """Mean difference of log predictive densities and its standard error.

    Args:
        first: log predictive density of every test point, one array per split.
        second: likewise, for the same points.
        test_to_train: number of test rows over number of training rows of a split.

    Returns:
        Mean, nats per test point. Its error is over points for one split, and over the means of the
        splits where there are several; random splits share training rows, so their variance is
        multiplied by 1/S + test_to_train (Nadeau and Bengio 2003, Machine Learning 52, eq. 9).
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    if len(differences) == 1:
        points = differences[0]
        error = points.std(ddof=1) / np.sqrt(len(points)) if len(points) > 1 else float("inf")
        return float(points.mean()), float(error)
    means = np.array([points.mean() for points in differences])
    return float(means.mean()), float(means.std(ddof=1) * np.sqrt(1.0 / len(means) + test_to_train))


def judge(comparison: "Comparison") -> Verdict:
    """The verdict of DESIGN section 6 on a comparison."""
    rows = comparison.rows
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
    gain, gain_error = paired_difference(network.lpd_test, nngp.lpd_test, comparison.test_to_train)
    over_best, over_best_error = paired_difference(network.lpd_test, best.lpd_test, comparison.test_to_train)
    known |= {"gain": gain, "gain_error": gain_error}
    known |= {"gain_over_best": over_best, "gain_over_best_error": over_best_error}
    doubts = _doubts_about_rows(network, nngp, best, alone=len(networks) == 1) + _doubts_about_ranking(best, free)
    doubts += _doubts_about_differences(known)
    if doubts:
        return Verdict("undecided", **known, reasons=tuple(doubts))
    known["reasons"] = _reminders(network, nngp, best)
    if gain <= ERRORS * gain_error:
        return Verdict("no finite-width gain", **known)
    if over_best > ERRORS * over_best_error:
        return Verdict("needs feature learning", **known)
    return Verdict("explained by a better prior", **known)


def _doubts_about_rows(network: "Row", nngp: "Row", best: "Row", alone: bool) -> list[str]:
    """What is wrong with a row that the outcome rests on.

    It rests on the predictions of all three, and on the evidence of the best feature-free prior, which was chosen by
    it; on that of the network only where it was chosen among several.
    """
    doubts = {nngp.name: nngp.sampler_reasons, network.name: network.sampler_reasons if alone else network.reasons}
    doubts[best.name] = best.reasons
    return [f"{name}: {'; '.join(reasons)}" for name, reasons in doubts.items() if reasons]


def _doubts_about_differences(known: dict[str, Any]) -> list[str]:
    """Whether an error on test data is too large to tell a difference from none."""
    over = {known["nngp"]: ("gain", "gain_error")}
    if known["gain"] > ERRORS * known["gain_error"]:
        over[known["best_feature_free"]] = ("gain_over_best", "gain_over_best_error")
    doubts = []
    for name, (which, of_which) in over.items():
        difference, error = known[which], known[of_which]
        hidden = error > LARGEST_GAIN_ERROR and abs(difference) <= ERRORS * error
        if hidden or not np.isfinite([difference, error]).all():
            doubts.append(
                f"the test data cannot tell {known['network']} from {name}: {difference:+.2f} +- {error:.2f} nats per "
                "point; use more test points or splits"
            )
    return doubts


def _reminders(network: "Row", nngp: "Row", best: "Row") -> tuple[str, ...]:
    """What to keep in mind of a verdict that does not rest on it."""
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


def _doubts_about_ranking(best: "Row", free: list["Row"]) -> list[str]:
    """Whether an unreliable or noisy evidence could have hidden the best feature-free prior."""
    doubts = []
    for row in free:
        if row is best:
            continue
        if not row.reliable and row.log_evidence + 2.0 * row.mcse + LARGEST_EVIDENCE_ERROR > best.log_evidence:
            doubts.append(f"{row.name} may be the best feature-free prior, but its evidence is not reliable")
    if best.mcse > LARGEST_EVIDENCE_ERROR:
        doubts.append(f"the evidence of {best.name} has an error of {best.mcse:.1f} nats")
    return doubts
