"""What the particles of a tempered run say of the evidence besides the product of their mean weights.

A run leaves particles at every tempering t of the likelihood between the prior (t = 0) and the posterior (t = 1). Their
log likelihoods l alone are needed: ``dlog Z_t/dt = E_t[l]`` and ``dE_t[l]/dt = Var_t[l]``.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from bayes_nn.runtime.diagnostic_codes import coded

#: Nats, and standard errors, by which another estimate of log Z may differ before the first is distrusted.
TOLERATED_NATS, TOLERATED_ERRORS = 0.5, 4.0
#: Standard error, nats, beyond which the identity confirms nothing: particles that miss modes can hide behind it.
LARGEST_IDENTITY_ERROR = 1.0


class TemperingPath(NamedTuple):
    """Log likelihoods of the particles of every island at every tempering.

    Attributes:
        tempering: powers of the likelihood from 0 to 1, (islands, T); an island that has reached 1 repeats it.
        log_likelihood: of the particles, nats, (islands, T, P).

    Example:
        >>> path = TemperingPath(np.array([[0.0, 1.0]]), np.full((1, 2, 4), -3.0))
        >>> float(path.thermodynamic_integral()[0][0])
        -3.0
    """

    tempering: Float[np.ndarray, "I T"]
    log_likelihood: Float[np.ndarray, "I T P"]

    @property
    def variance(self) -> Float[np.ndarray, "I T"]:
        """Var_t[l], nats squared."""
        return self.log_likelihood.var(axis=2, ddof=1)

    def thermodynamic_integral(self) -> tuple[Float[np.ndarray, " I"], Float[np.ndarray, " I"]]:
        """``log Z = integral of E_t[l] over t`` for every island, and what the end correction of the rule amounts to.

        The trapezoidal rule with the derivative at both ends of every interval, which is the variance of l (Friel,
        Hurn and Wyse 2014, Statistics and Computing 24, eq. 11).
        """
        width = np.diff(self.tempering, axis=1)
        mean = self.log_likelihood.mean(axis=2)
        trapezoid = np.sum(width * (mean[:, 1:] + mean[:, :-1]) / 2.0, axis=1)
        correction = -np.sum(width**2 * np.diff(self.variance, axis=1), axis=1) / 12.0
        return trapezoid + correction, correction

    def integral_variance(self) -> Float[np.ndarray, " I"]:
        """Variance of every island's thermodynamic integral, were its particles independent."""
        width = np.diff(self.tempering, axis=1, prepend=0.0, append=1.0)
        weight = (width[:, 1:] + width[:, :-1]) / 2.0
        return np.sum(weight**2 * self.variance, axis=1) / self.log_likelihood.shape[2]

    def divergence(self) -> Float[np.ndarray, " I"]:
        """KL( p(z | D) || p(z) ) of every island in nats, ``integral of t Var_t[l] over t``.

        By parts this is ``E_1[l] - log Z``; written with variances it needs no evidence, so that the identity
        log Z = E_1[l] - KL is a check. Between two powers ``t Var_t[l]`` is integrated as if a power of t.
        """
        t, variance = self.tempering, self.variance
        low, high = t[:, 1:-1], t[:, 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            log_ratio = np.log(high / low)
            power = np.log(high * variance[:, 2:] / (low * variance[:, 1:-1])) / log_ratio
            # int_a^b g = a g(a) (r^(p+1) - 1)/(p+1) for g = g(a) (t/a)^p, r = b/a.
            growth = np.expm1((power + 1.0) * log_ratio) / (power + 1.0)
            area = low**2 * variance[:, 1:-1] * np.where(np.abs(power + 1.0) < 1e-9, log_ratio, growth)
        first = 0.5 * t[:, 1] ** 2 * variance[:, 1]
        return first + np.sum(np.where(high > low, area, 0.0), axis=1)


def cross_checks(
    path: TemperingPath, log_evidence: Float[np.ndarray, " I"]
) -> tuple[dict[str, float], tuple[str, ...]]:
    """What thermodynamic integration and the identity log Z = E_1[l] - KL say of the evidence of the same run.

    Args:
        path: particles at every tempering.
        log_evidence: of every island, nats.

    Returns:
        Figures for the details of an evidence, nats, and reasons for distrust.
    """
    integral, correction = path.thermodynamic_integral()
    expected = path.log_likelihood[:, -1].mean(axis=1)
    divergence = path.divergence()
    identity = expected - divergence
    estimates = {"thermodynamic integration": integral, "the identity log Z = E[log p(y|z)] - KL": identity}
    reasons = []
    for name, estimate in estimates.items():
        gap = estimate - log_evidence
        error = float(np.std(gap, ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else float("inf")
        allowed = TOLERATED_NATS + TOLERATED_ERRORS * error + float(np.abs(correction).mean())
        if not abs(gap.mean()) <= allowed:
            reasons.append(coded("B207", f"{name} on the same run differs by {gap.mean():+.2f} nats"))
    gap = identity - log_evidence
    error = float(np.std(gap, ddof=1) / np.sqrt(len(gap))) if len(gap) > 1 else 0.0
    if error > LARGEST_IDENTITY_ERROR:
        what = f"too few particles: E[log p(y|z)] - KL, the check, has an error of {error:.1f} nats"
        reasons.append(coded("B207", what))
    figures = {
        "thermodynamic": float(integral.mean()),
        "expected_log_likelihood": float(expected.mean()),
        "divergence": float(divergence.mean()),
        "identity_gap": float(gap.mean()),
        "identity_gap_mcse": error,
    }
    return figures, tuple(reasons)
