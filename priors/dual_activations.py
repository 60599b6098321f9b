"""Dual activations: the expectations an infinitely wide layer takes over its pre-activations.

For ``(u, v) ~ N(0, [[p, k], [k, q]])`` the dual of an activation phi is ``E[phi(u) phi(v)]`` and its
derivative dual is ``E[phi'(u) phi'(v)]`` (Daniely, Frostig and Singer 2016, arXiv:1602.05897,
section 4). By Price's theorem the second is the derivative of the first in k.
"""

from functools import singledispatch

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.architecture import Elementwise, Erf, Identity, Relu

#: Smallest sin^2 of an angle that the derivatives distinguish from zero; see the record in docs/decisions.
SMALLEST_SIN2 = 1e-12


def _arcsine_polynomial(degree: int = 22) -> tuple[float, ...]:
    """Coefficients in ``u = 4 t^2 - 1`` of arcsin(t)/t for t^2 in [0, 1/2], highest power first."""

    def ratio(u: np.ndarray) -> np.ndarray:
        t = np.sqrt((u + 1.0) / 4.0)
        return np.where(t > 1e-8, np.arcsin(t) / np.maximum(t, 1e-8), 1.0)

    chebyshev = np.polynomial.chebyshev.chebinterpolate(ratio, degree)
    return tuple(float(c) for c in np.polynomial.chebyshev.cheb2poly(chebyshev)[::-1])


_ARCSINE = _arcsine_polynomial()


def half_angle_arccos(cosine: Float[Array, "..."]) -> Float[Array, "..."]:
    """arccos on [-1, 1] without branches: ``2 arcsin(sqrt((1 - |c|)/2))``, reflected for negative c.

    The arcsine of an argument below 1/sqrt(2) is a polynomial (absolute error below 1e-15), which
    XLA vectorises on a CPU where its own arccos calls a scalar arctan2 per entry.
    """
    t2 = 0.5 * (1.0 - jnp.abs(cosine))
    u = 4.0 * t2 - 1.0
    ratio = jnp.full_like(u, _ARCSINE[0])
    for coefficient in _ARCSINE[1:]:
        ratio = ratio * u + coefficient
    angle = 2.0 * jnp.sqrt(jnp.maximum(t2, 0.0)) * ratio
    return jnp.where(cosine < 0.0, jnp.pi - angle, angle)


@singledispatch
def dual(
    activation: Elementwise, k: Float[Array, "..."], p: Float[Array, "..."], q: Float[Array, "..."]
) -> Float[Array, "..."]:
    """``E[phi(u) phi(v)]``.

    Args:
        activation: phi.
        k: covariance of u and v.
        p: variance of u, broadcastable against ``k``.
        q: variance of v, likewise.

    Returns:
        The dual activation, of the shape of ``k``; its gradients are finite where ``|k| = sqrt(pq)``.

    Raises:
        NotImplementedError: for an activation without a dual.

    Example:
        >>> float(dual(Relu(), jnp.array(1.0), jnp.array(1.0), jnp.array(1.0)))
        0.5
    """
    raise NotImplementedError(f"no dual activation is known for {activation!r}")


@singledispatch
def derivative_dual(
    activation: Elementwise, k: Float[Array, "..."], p: Float[Array, "..."], q: Float[Array, "..."]
) -> Float[Array, "..."]:
    """``E[phi'(u) phi'(v)]``, arguments as in :func:`dual`.

    Raises:
        NotImplementedError: for an activation without a dual.
    """
    raise NotImplementedError(f"no derivative dual is known for {activation!r}")


def dual_diagonal(activation: Elementwise, p: Float[Array, "..."]) -> Float[Array, "..."]:
    """``E[phi(u)^2]`` for u of variance p: the dual at correlation one, without its rounding."""
    if isinstance(activation, Relu):
        return 0.5 * p
    return dual(activation, p, p, p)


def derivative_dual_diagonal(activation: Elementwise, p: Float[Array, "..."]) -> Float[Array, "..."]:
    """``E[phi'(u)^2]`` for u of variance p."""
    if isinstance(activation, Relu):
        return jnp.full_like(p, 0.5)
    return derivative_dual(activation, p, p, p)


def _sine_and_angle(k: Array, p: Array, q: Array) -> tuple[Array, Array]:
    """``sqrt(pq) sin(theta)`` and theta, for ``cos(theta) = k / sqrt(pq)``; smooth up to ``SMALLEST_SIN2``."""
    norm2 = jnp.maximum(p * q, jnp.finfo(k.dtype).tiny)
    sine = jnp.sqrt(jnp.maximum(norm2 - k * k, SMALLEST_SIN2 * norm2))
    return sine, half_angle_arccos(jnp.clip(k / jnp.sqrt(norm2), -1.0, 1.0))


@jax.custom_jvp
def _relu_dual(k: Array, p: Array, q: Array) -> Array:
    norm2 = p * q
    sine = jnp.sqrt(jnp.maximum(norm2 - k * k, 0.0))
    _, angle = _sine_and_angle(k, p, q)
    return (sine + k * (jnp.pi - angle)) / (2.0 * jnp.pi)


@_relu_dual.defjvp
def _relu_dual_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Price's theorem: dF/dk = E[phi'phi'] and dF/dp = E[phi''phi]/2, both bounded."""
    k, p, q = primals
    dk, dp, dq = tangents
    sine = jnp.sqrt(jnp.maximum(p * q - k * k, 0.0))
    _, angle = _sine_and_angle(k, p, q)
    tiny = jnp.finfo(k.dtype).tiny
    value = (sine + k * (jnp.pi - angle)) / (2.0 * jnp.pi)
    along_variances = sine * (dp / jnp.maximum(p, tiny) + dq / jnp.maximum(q, tiny)) / (4.0 * jnp.pi)
    return value, (jnp.pi - angle) / (2.0 * jnp.pi) * dk + along_variances


@jax.custom_jvp
def _relu_derivative_dual(k: Array, p: Array, q: Array) -> Array:
    _, angle = _sine_and_angle(k, p, q)
    return (jnp.pi - angle) / (2.0 * jnp.pi)


@_relu_derivative_dual.defjvp
def _relu_derivative_dual_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """-dtheta = (dk - k dp/2p - k dq/2q) / sqrt(pq - k^2): zero over zero at equal inputs, taken as 0."""
    k, p, q = primals
    dk, dp, dq = tangents
    sine, angle = _sine_and_angle(k, p, q)
    tiny = jnp.finfo(k.dtype).tiny
    turn = dk - 0.5 * k * (dp / jnp.maximum(p, tiny) + dq / jnp.maximum(q, tiny))
    distinct = sine * sine > 2.0 * SMALLEST_SIN2 * p * q
    return (jnp.pi - angle) / (2.0 * jnp.pi), jnp.where(distinct, turn / sine, 0.0) / (2.0 * jnp.pi)


@dual.register
def _(activation: Relu, k: Array, p: Array, q: Array) -> Array:
    """Arc-cosine kernel of order 1 (Cho and Saul 2009, eq. 6)."""
    return _relu_dual(*jnp.broadcast_arrays(k, p, q))


@derivative_dual.register
def _(activation: Relu, k: Array, p: Array, q: Array) -> Array:
    """Arc-cosine kernel of order 0 (Cho and Saul 2009, eq. 4)."""
    return _relu_derivative_dual(*jnp.broadcast_arrays(k, p, q))


@dual.register
def _(activation: Erf, k: Array, p: Array, q: Array) -> Array:
    """The arcsine kernel (Williams 1997, eq. 11)."""
    return 2.0 / jnp.pi * jnp.arcsin(2.0 * k / jnp.sqrt((1.0 + 2.0 * p) * (1.0 + 2.0 * q)))


@derivative_dual.register
def _(activation: Erf, k: Array, p: Array, q: Array) -> Array:
    """Derivative of the arcsine kernel in k (Lee et al. 2019, arXiv:1902.06720, appendix C)."""
    return 4.0 / jnp.pi / jnp.sqrt((1.0 + 2.0 * p) * (1.0 + 2.0 * q) - 4.0 * k * k)


@dual.register
def _(activation: Identity, k: Array, p: Array, q: Array) -> Array:
    return k


@derivative_dual.register
def _(activation: Identity, k: Array, p: Array, q: Array) -> Array:
    return jnp.ones_like(k)
