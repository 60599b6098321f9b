"""The verdict: which account of the network's generalisation the data support."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bayes_nn.inference.report.notebook import as_list, as_paragraphs
from bayes_nn.inference.verdict.share import Share

Outcome = Literal[
    "no finite-width gain",
    "explained by scale",
    "explained by a learned input metric",
    "explained by a better prior",
    "needs hidden features",
    "undecided",
]


@dataclass(frozen=True)
class Verdict:
    """Which account the data support, with the numbers behind it.

    The outcome names the lowest rung of the ladder of priors that does as well as the network: ``"no finite-width
    gain"`` (the infinite-width limit does), ``"explained by scale"``, ``"explained by a learned input metric"``,
    ``"explained by a better prior"`` (one without hidden weights that is on no rung, such as a kernel of your own),
    ``"needs hidden features"`` (none does), or ``"undecided"``. What each claims is in ``docs/verdict.md``.

    Attributes:
        outcome: one of the six.
        network: the network judged: the Bayesian network of highest evidence.
        nngp: the NNGP it is compared with.
        best_feature_free: the prior of highest evidence among those without hidden weights and not made from the data.
        gain: lpd of the network minus the NNGP's, nats per test point, paired.
        gain_error: its standard error: test points, training rows, Monte Carlo.
        gain_over_best: lpd of the network minus the best feature-free prior's.
        gain_over_best_error: its standard error.
        log_bayes_factor: log evidence of the network minus the NNGP's, nats.
        log_bayes_factor_error: its Monte-Carlo standard error.
        feature_information: of the network, nats.
        feature_information_mcse: its Monte-Carlo standard error.
        nats_on_scale: of the feature information, spent on the overall scale of the kernel at least.
        nats_on_shape: and on its shape at most.
        nats_on_shape_mcse: its Monte-Carlo standard error.
        reasons: why it is undecided, or what to keep in mind.
        rung: the lowest rung that does as well as the network: ``"infinite width"``, ``"scale"``, ``"input metric"``,
            ``"another kernel"``, ``"hidden features"``; empty where undecided.
        explained_by: the prior of that rung that does.
        shares: what the best prior up to every rung recovers of the gain.
        log_e_value: nats by which the network's evidence is ahead of every feature-free prior's, at least.
        guarantee: at what rate ``"needs hidden features"`` would come up falsely, in words.
        what_would_settle_it: what to do where undecided.

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
    nats_on_scale: float = float("nan")
    nats_on_shape: float = float("nan")
    nats_on_shape_mcse: float = float("nan")
    reasons: tuple[str, ...] = ()
    rung: str = ""
    explained_by: str = ""
    shares: tuple[Share, ...] = ()
    log_e_value: float = float("nan")
    guarantee: str = ""
    what_would_settle_it: tuple[str, ...] = ()

    def __str__(self) -> str:
        found = f": {self.explained_by}" if self.explained_by and self.explained_by != self.network else ""
        lines = [f"Verdict: {self.outcome}{found}"]
        if self.network and self.nngp and np.isfinite(self.gain):
            lines.append(
                f"  {self.network} over {self.nngp}: {self.gain:+.4f} +- {self.gain_error:.4f} nats per test point, "
                f"log Bayes factor {self.log_bayes_factor:+.2f} +- {self.log_bayes_factor_error:.2f}"
            )
            lines.append(
                f"  {self.network} over the best feature-free prior, {self.best_feature_free}: "
                f"{self.gain_over_best:+.4f} +- {self.gain_over_best_error:.4f} nats per test point, "
                f"log e-value {self.log_e_value:+.2f}"
            )
            lines += [f"  {_recovered(share)}" for share in self.shares[1:-1]]
            lines.append(
                f"  feature information: {self.feature_information:.2f} +- {self.feature_information_mcse:.2f} nats, "
                f"{self.nats_on_scale:.2f} or more on scale, {self.nats_on_shape:.2f} +- {self.nats_on_shape_mcse:.2f} "
                "or less on shape"
            )
        lines += [f"  {reason}" for reason in self.reasons]
        lines += [f"  to settle it: {what}" for what in self.what_would_settle_it]
        return "\n".join(lines + ([f"  {self.guarantee}"] if self.outcome == "needs hidden features" else []))

    def _repr_html_(self) -> str:
        return self.listed + as_paragraphs(self.reasons)

    @property
    def listed(self) -> str:
        """The lines of the verdict as a list for notebooks."""
        heading, *lines = str(self).splitlines()
        return as_list(heading, lines)


def _recovered(share: Share) -> str:
    """What a rung recovers, in words."""
    parts = [f"up to {share.rung} ({share.prior}): {share.log_evidence:+.2f} nats of evidence"]
    if np.isfinite(share.of_evidence):
        parts.append(f"{share.of_evidence:.0%} of the network's")
    parts.append(f"{share.lpd:+.4f} +- {share.lpd_error:.4f} nats per test point over the NNGP")
    return ", ".join(parts)
