"""Evidence estimates with an error bar and a word on whether to trust them; exact evidence."""

from dataclasses import dataclass, field, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from scipy.special import logsumexp

from bayes_nn.inference.problem.problem import Problem

#: Standard deviation (nats) of log Z between islands above which they are said to disagree.
LARGEST_ISLAND_SPREAD = 1.0


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
        lower: an estimate that is too low on average, nats, where the method makes one.
        upper: one that is too high on average.

    Example:
        >>> print(Evidence(-233.7, 0.1, "smc"))
        -233.700 +- 0.100 nats (smc)
    """

    value: float
    mcse: float
    method: str
    reliable: bool = True
    reasons: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict, compare=False)
    lower: float | None = None
    upper: float | None = None

    def __str__(self) -> str:
        trust = "" if self.reliable else f"  NOT RELIABLE: {'; '.join(self.reasons)}"
        return f"{self.value:.3f} +- {self.mcse:.3f} nats ({self.method}){trust}"


def exact_evidence(problem: Problem) -> Evidence:
    """The evidence of a problem without latents, for which ``log p(y | z)`` is ``log p(y)``.

    Args:
        problem: one without latents.

    Raises:
        ValueError: if it has latents.

    Example:
        >>> import bayes_nn as bnn, jax.numpy as jnp
        >>> from bayes_nn.inference.problem.collapsed import CollapsedProblem
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> problem = CollapsedProblem.of(nngp, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian(0.5))
        >>> exact_evidence(problem).method
        'exact'
    """
    refuse_latents(problem)
    return with_approximation(Evidence(float(problem.log_likelihood(jnp.zeros(0))), 0.0, "exact"), problem)


def refuse_latents(problem: Problem) -> None:
    """Refuse a problem that has no exact posterior.

    Raises:
        ValueError: naming the latents.
    """
    if problem.latents:
        raise ValueError(
            f"{problem.prior.name} has latents ({', '.join(list(problem.latents)[:4])}, ...), so it has no exact "
            "posterior: leave sampler out, or give every standard deviation and the noise_std as a number"
        )


def with_approximation(evidence: Evidence, problem: Problem) -> Evidence:
    """The same evidence, whose method says what makes p(y | z) itself approximate under the prior, where it is."""
    approximation = problem.prior.approximation
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

    Example:
        >>> value, mcse, reasons = combine_islands(np.array([-10.0, -10.2]), np.array([0.01, 0.01]))
        >>> round(value, 2), reasons
        (-10.1, ())
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
