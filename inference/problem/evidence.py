"""Evidence estimates with an error bar and a word on whether to trust them; exact evidence."""

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy import stats
from scipy.special import logsumexp

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.report.notebook import as_list, as_paragraphs
from bayes_nn.runtime.diagnostic_codes import coded

#: Standard deviation (nats) of log Z between islands above which they are said to disagree, however many they are.
LARGEST_ISLAND_SPREAD = 1.0
#: Few islands may lie together by chance: their spread must be one that islands whose true spread is ``HIDDEN_SPREAD``
#: nats come below with a probability of ``HIDDEN_PROBABILITY`` only.
HIDDEN_SPREAD, HIDDEN_PROBABILITY = 2.0, 0.05


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
        unbiased: whether ``E[exp(value)]`` is the evidence itself, whatever the sampler missed, so that
            ``P(value > log p(y) + a) <= exp(-a)`` for every a (Markov's inequality).
        degrees_of_freedom: of ``mcse``, for t quantiles; infinite where it is not estimated from a few repeats.

    Example:
        >>> evidence = Evidence(-233.7, 0.1, "smc", degrees_of_freedom=3)
        >>> print(evidence)
        -233.700 +- 0.100 nats (smc)
        >>> low, high = evidence.interval()
        >>> round(low, 2), round(high, 2)
        (-234.02, -233.38)
    """

    value: float
    mcse: float
    method: str
    reliable: bool = True
    reasons: tuple[str, ...] = ()
    details: dict[str, Any] = field(default_factory=dict, compare=False)
    lower: float | None = None
    upper: float | None = None
    unbiased: bool = False
    degrees_of_freedom: float = float("inf")

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """An interval that covers log p(y) at this rate, nats, by quantiles of Student's t.

        It means little where the evidence is not ``reliable``.

        Args:
            level: the rate, between 0 and 1.

        Raises:
            ValueError: for another level.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level is a probability between 0 and 1; got {level}")
        half = self.mcse * float(stats.t.ppf(0.5 + 0.5 * level, self.degrees_of_freedom))
        return self.value - half, self.value + half

    @property
    def estimate(self) -> str:
        """The value, its error and the method, and whether it is reliable, without the reasons."""
        return f"{self.value:.3f} +- {self.mcse:.3f} nats ({self.method}){'' if self.reliable else '  NOT RELIABLE'}"

    def __str__(self) -> str:
        return self.estimate if self.reliable else f"{self.estimate}: {'; '.join(self.reasons)}"

    def _repr_html_(self) -> str:
        return as_list(self.estimate, self.reasons) + as_paragraphs(self.reasons)


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
    value = float(_log_likelihood(problem, jnp.zeros(0)))
    return with_approximation(Evidence(value, 0.0, "exact", unbiased=True), problem)


@jax.jit
def _log_likelihood(problem: Problem, u: Float[Array, " D"]) -> Float[Array, ""]:
    return problem.log_likelihood(u)


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
    """The same evidence, whose method says what makes p(y | z) itself approximate under the prior, where it is.

    It is then no unbiased estimate of the evidence of the prior that is meant.
    """
    approximation = problem.prior.approximation
    if not approximation:
        return evidence
    return replace(evidence, method=f"{evidence.method}, {approximation}", unbiased=False)


def combine_islands(
    log_evidence: Float[np.ndarray, " I"], variance: Float[np.ndarray, " I"]
) -> tuple[float, float, tuple[str, ...]]:
    """Log-mean-exp over independent islands, its standard error, and any disagreement.

    Each island's Z is taken to be unbiased, as their mean then is; where islands adapt, :func:`adaptation_bias` is what
    that leaves out. With s the standard deviation of log Z between I islands, or what the weights within them imply
    where that is more, the squared error is ``s^2/I + s^4/(2 (I - 1)) + (s^2/(2 I))^2``: the
    first two terms are Cox's for the logarithm of a log-normal mean (Zhou and Gao 1997, Statistics in Medicine 16), the
    third the bias of the logarithm. It grows with s without end, where the standard error of the mean of Z is at most
    that mean. The error has I - 1 degrees of freedom (:func:`degrees_between`) even where the weights make it larger,
    since weights do not see all that islands differ by.

    Args:
        log_evidence: log Z of every island.
        variance: variance of log Z implied by the weights within every island.

    Returns:
        Estimate and standard error in nats, and reasons for distrust.

    Example:
        >>> value, mcse, reasons = combine_islands(np.array([-10.0, -10.1]), np.array([0.01, 0.01]))
        >>> round(value, 2), reasons
        (-10.05, ())
    """
    islands = len(log_evidence)
    value = float(logsumexp(log_evidence) - np.log(islands))
    s2 = _variance(log_evidence, variance)
    if islands == 1:
        return value, s2**0.5, (coded("B105", "a single island cannot check itself"),)
    spread = float(np.std(log_evidence, ddof=1))
    mcse = float(np.sqrt(s2 / islands + s2**2 / (2 * (islands - 1)) + (s2 / (2 * islands)) ** 2))
    reasons: tuple[str, ...] = ()
    if not spread <= LARGEST_ISLAND_SPREAD:
        what = f"the islands disagree: their log Z has a standard deviation of {spread:.2f} nats"
        reasons = (coded("B201", what),)
    elif spread > largest_spread(islands):
        what = (
            f"the log Z of {islands} islands has a standard deviation of {spread:.2f} nats, which may be luck where "
            f"the true one is {HIDDEN_SPREAD:g}: raise islands"
        )
        reasons = (coded("B202", what),)
    return value, mcse, reasons


def adaptation_bias(log_evidence: Float[np.ndarray, " I"], variance: Float[np.ndarray, " I"]) -> float:
    """How far below log Z, in nats, islands of SMC lie on average because they adapt to their own particles.

    Adaptive SMC is consistent (Beskos, Jasra, Kantas and Thiery 2016, Annals of Applied Probability 26), with a bias of
    the order of the variance of log Z, which more islands do not lessen; docs/decisions/0012 has what was measured.

    Args:
        log_evidence: log Z of every island.
        variance: variance of log Z implied by the weights within every island.

    Example:
        >>> round(adaptation_bias(np.array([-10.0, -10.4]), np.array([0.01, 0.01])), 3)
        0.08
    """
    return _variance(log_evidence, variance)


def _variance(log_evidence: Float[np.ndarray, " I"], variance: Float[np.ndarray, " I"]) -> float:
    """Variance of an island's log Z: between islands, or what the weights within them imply where that is more."""
    within = float(np.mean(variance))
    return within if len(log_evidence) == 1 else max(float(np.std(log_evidence, ddof=1)) ** 2, within)


def degrees_between(islands: int) -> float:
    """Degrees of freedom of an error that rests on the spread between islands; infinite for one, which has none.

    Example:
        >>> degrees_between(4), degrees_between(1)
        (3.0, inf)
    """
    return islands - 1.0 if islands > 1 else float("inf")


@cache
def largest_spread(islands: int) -> float:
    """Standard deviation of log Z between islands, nats, up to which so many of them are believed.

    Args:
        islands: how many, at least 2.

    Example:
        >>> [round(largest_spread(islands), 2) for islands in (2, 4, 8)]
        [0.13, 0.68, 1.0]
    """
    degrees = degrees_between(islands)
    return min(
        LARGEST_ISLAND_SPREAD, HIDDEN_SPREAD * float(stats.chi2.ppf(HIDDEN_PROBABILITY, degrees) / degrees) ** 0.5
    )
