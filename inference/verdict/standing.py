"""How the network stands to one prior of the table: by evidence and by predictions."""

from dataclasses import dataclass

import numpy as np

from bayes_nn.inference.verdict.gain import Gain, gain
from bayes_nn.inference.verdict.prior_result import PriorResult

#: Nats by which the network must be ahead for a lower rung not to explain its evidence: strong evidence of Kass and
#: Raftery (1995, JASA 90).
STRONG = 3.0
#: Nats by which the upper bound may lie beyond that, where the estimate does not.
ROOM = 1.5
#: Nats by which an evidence of the network that is not reliable must lie below that to count as not ahead.
FAR = 10.0


@dataclass(frozen=True)
class Standing:
    """The network against one prior without hidden weights.

    Attributes:
        row: the prior.
        ahead: nats by which the network's evidence is ahead.
        ahead_low: and at least.
        ahead_high: and at most.
        trusted: whether nothing is wrong with the network's evidence, and with the prior's.
        gain: of the network's test predictions over the prior's.
        margin: nats per test point up to which a gain does not matter.

    Example:
        >>> import bayes_nn as bnn
        >>> X = np.random.default_rng(0).normal(size=(60, 2))
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> fixed = dict(likelihood=bnn.Gaussian(0.3))
        >>> (row,) = bnn.compare([nngp], X[:30], X[:30, 0], X[30:], X[30:, 0], **fixed).rows
        >>> standing(row, row, train_rows=30, margin=0.01).explains
        True
    """

    row: PriorResult
    ahead: float
    ahead_low: float
    ahead_high: float
    trusted: tuple[bool, bool]
    gain: Gain
    margin: float

    @property
    def tied(self) -> bool:
        """Whether the network's evidence is not ahead by :data:`STRONG`; far from it, where it is not reliable."""
        if not self.trusted[0]:
            return self.ahead_high < STRONG - FAR
        return self.ahead < STRONG and self.ahead_high < STRONG + ROOM

    def beaten(self, nats: float) -> bool:
        """Whether the network's evidence is ahead by so much, whatever its estimate missed."""
        return self.trusted[1] and self.ahead_low >= nats

    @property
    def predicts_as_well(self) -> bool:
        """Whether a gain of the network that would matter is excluded."""
        return self.gain.interval()[1] < self.margin

    @property
    def predicts_worse(self) -> bool:
        """Whether the network gains, and more than what does not matter."""
        return self.gain.interval()[0] > 0.0 and self.gain.above(self.margin)

    @property
    def explains(self) -> bool:
        """Whether the prior does as well as the network.

        By its evidence, if its predictions are not worse; or by its predictions, where the errors of the evidences
        leave open who is ahead.
        """
        if self.tied:
            return not self.predicts_worse
        return self.predicts_as_well and not self.beaten(STRONG)


def standing(network: PriorResult, row: PriorResult, train_rows: int, margin: float) -> Standing:
    """The network against one prior.

    Args:
        network: what is known of it.
        row: what is known of the prior.
        train_rows: of a split.
        margin: nats per test point up to which a gain does not matter.
    """
    (low, high), (row_low, row_high) = network.bounds, row.bounds
    # An unbiased estimate is too high by a nats with a probability of e^-a, which is what the e-value counts.
    low = network.log_evidence if network.unbiased else low
    return Standing(
        row,
        network.log_evidence - row.log_evidence,
        low - row_high,
        high - row_low,
        (not network.evidence_reasons, not row.evidence_reasons),
        gain(network.lpd_test, row.lpd_test, train_rows, float(np.hypot(network.lpd_mcse, row.lpd_mcse))),
        margin,
    )
