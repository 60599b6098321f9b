"""Evidence estimates with an error bar and a word on whether to trust them."""

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

#: Ways to estimate an evidence.
Method = Literal["exact", "smc", "thermodynamic", "bridge", "nested", "importance", "laplace"]

#: Standard deviation (nats) of log Z between islands above which they are said to disagree.
LARGEST_ISLAND_SPREAD = 1.0
#: Mean acceptance of the last temperatures that counts as healthy.
ACCEPTANCE_BAND = (0.3, 1.0)


@dataclass(frozen=True)
class Evidence:
    """An estimate of log p(y), in nats, for y on the scale the model sees (standardised by default).

    Attributes:
        value: the estimate.
        mcse: its Monte-Carlo standard error; 0 where the value is exact.
        method: how it was obtained.
        reliable: False where a diagnostic failed; ``reasons`` then says which, in words.
        reasons: empty where reliable.
        details: whatever the method reports besides, such as the estimate of every island.

    Example:
        >>> round(Evidence(-233.7, 0.1, "smc").interval()[0], 1)
        -233.9
    """

    value: float
    mcse: float
    method: str
    reliable: bool = True
    reasons: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict, compare=False)

    def interval(self, errors: float = 2.0) -> tuple[float, float]:
        """Value minus and plus a number of standard errors."""
        return self.value - errors * self.mcse, self.value + errors * self.mcse

    def __str__(self) -> str:
        trust = "" if self.reliable else f"  NOT RELIABLE: {'; '.join(self.reasons)}"
        return f"{self.value:.3f} +- {self.mcse:.3f} nats ({self.method}){trust}"


def approximate(evidence: Evidence, approximation: str) -> Evidence:
    """The same evidence, whose method says that p(y | z) itself is approximate where it is."""
    return replace(evidence, method=f"{evidence.method}, {approximation}") if approximation else evidence


def combine_islands(
    log_evidence: Float[np.ndarray, " I"], variance: Float[np.ndarray, " I"]
) -> tuple[float, float, tuple[str, ...]]:
    """Log-mean-exp over independent islands, its standard error, and any disagreement.

    Each island's Z is unbiased, so their mean is, and its error follows from the delta method. With few
    islands the spread between them is itself uncertain, so the error is at least what the weights
    within the islands imply.

    Args:
        log_evidence: log Z of every island.
        variance: variance of log Z implied by the weights within every island.

    Returns:
        Estimate and standard error in nats, and reasons for distrust.
    """
    islands = len(log_evidence)
    value = float(logsumexp(log_evidence) - np.log(islands))
    ratio = np.exp(log_evidence - value)
    within = float(np.sqrt(np.mean(variance) / islands))
    between = float(np.std(ratio, ddof=1) / np.sqrt(islands)) if islands > 1 else 0.0
    spread = float(np.std(log_evidence, ddof=1)) if islands > 1 else 0.0
    reasons = []
    if spread > max(LARGEST_ISLAND_SPREAD, 4.0 * np.sqrt(np.mean(variance))):
        reasons.append(f"the islands disagree: their log Z has a standard deviation of {spread:.2f} nats")
    if islands == 1:
        reasons.append("a single island cannot check itself")
    return value, max(between, within), tuple(reasons)
