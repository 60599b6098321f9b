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

#: Smallest sin^2 of an angle that the derivatives tell from zero: below it lies rounding noise.
SMALLEST_SIN2 = 1e-12


def _arcsine_series(degree: int = 22) -> tuple[float, ...]:
    """Chebyshev coefficients in ``u = 4 t^2 - 1`` of arcsin(t)/t for t^2 in [0, 1/2]."""

    def ratio(u: np.ndarray) -> np.ndarray:
        t = np.sqrt((u + 1.0) / 4.0)
        return np.where(t > 1e-8, np.arcsin(t) / np.maximum(t, 1e-8), 1.0)

    return tuple(float(c) for c in np.polynomial.chebyshev.chebinterpolate(ratio, degree))  # type: ignore[type-var]


_ARCSINE = _arcsine_series()


def half_angle_arccos(cosine: Float[Array, "..."]) -> Float[Array, "..."]:
    """arccos on [-1, 1] without branches: ``2 arcsin(sqrt((1 - |c|)/2))``, reflected for negative c.

    The arcsine of an argument below 1/sqrt(2) is a Chebyshev series summed by Clenshaw's recurrence
    (error below 3e-14), which XLA vectorises on a CPU where its own arccos calls a scalar
    function per entry. Cosines within a few roundings of 1 or -1 give 0 or pi, so that equal inputs
    are at angle 0.
    """
    t2 = 0.5 * (1.0 - jnp.abs(cosine))
    t2 = jnp.where(t2 < 16.0 * jnp.finfo(t2.dtype).eps, 0.0, t2)
    twice_u = 8.0 * t2 - 2.0
    ahead, two_ahead = jnp.full_like(t2, _ARCSINE[-1]), jnp.zeros_like(t2)
    for coefficient in _ARCSINE[-2:0:-1]:
        ahead, two_ahead = twice_u * ahead + (coefficient - two_ahead), ahead
    ratio = 0.5 * twice_u * ahead + (_ARCSINE[0] - two_ahead)
    angle = 2.0 * jnp.sqrt(t2) * ratio
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


def _angle(k: Array, p: Array, q: Array) -> tuple[Array, Array, Array]:
    """``norm = sqrt(pq)``, cosine and angle of u and v.

    The roots are taken of the variances, not of the matrix of their products: six times faster.
    """
    tiny = jnp.finfo(k.dtype).tiny
    cosine = jnp.clip(k * jax.lax.rsqrt(jnp.maximum(p, tiny)) * jax.lax.rsqrt(jnp.maximum(q, tiny)), -1.0, 1.0)
    return jnp.sqrt(p) * jnp.sqrt(q), cosine, half_angle_arccos(cosine)


def _relative(dp: Array, p: Array) -> Array:
    return dp / jnp.maximum(p, jnp.finfo(p.dtype).tiny)


@jax.custom_jvp
def _relu_dual(k: Array, p: Array, q: Array) -> Array:
    norm, cosine, angle = _angle(k, p, q)
    sine = jnp.sqrt((1.0 - cosine) * (1.0 + cosine))
    return norm * (sine + cosine * (jnp.pi - angle)) / (2.0 * jnp.pi)


@_relu_dual.defjvp
def _relu_dual_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Price's theorem: dF/dk = E[phi'phi'] and dF/dp = E[phi''phi]/2, both bounded."""
    (k, p, q), (dk, dp, dq) = primals, tangents
    norm, cosine, angle = _angle(k, p, q)
    sine = jnp.sqrt((1.0 - cosine) * (1.0 + cosine))
    value = norm * (sine + cosine * (jnp.pi - angle)) / (2.0 * jnp.pi)
    along_variances = norm * sine * (_relative(dp, p) + _relative(dq, q)) / (4.0 * jnp.pi)
    return value, (jnp.pi - angle) / (2.0 * jnp.pi) * dk + along_variances


@jax.custom_jvp
def _relu_derivative_dual(k: Array, p: Array, q: Array) -> Array:
    return (jnp.pi - _angle(k, p, q)[2]) / (2.0 * jnp.pi)


@_relu_derivative_dual.defjvp
def _relu_derivative_dual_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """-dtheta = (dk - k dp/2p - k dq/2q) / (sqrt(pq) sin theta): at equal inputs zero over zero, taken as 0."""
    (k, p, q), (dk, dp, dq) = primals, tangents
    norm, cosine, angle = _angle(k, p, q)
    sine2 = (1.0 - cosine) * (1.0 + cosine)
    turn = dk - 0.5 * k * (_relative(dp, p) + _relative(dq, q))
    distinct = (sine2 > SMALLEST_SIN2) & (norm > 0.0)
    slope = jnp.where(distinct, turn / jnp.where(distinct, norm * jnp.sqrt(sine2), 1.0), 0.0)
    return (jnp.pi - angle) / (2.0 * jnp.pi), slope / (2.0 * jnp.pi)


@dual.register
def _(activation: Relu, k: Array, p: Array, q: Array) -> Array:
    """Arc-cosine kernel of order 1 (Cho and Saul 2009, eq. 6)."""
    return _relu_dual(k, p, q)


@derivative_dual.register
def _(activation: Relu, k: Array, p: Array, q: Array) -> Array:
    """Arc-cosine kernel of order 0 (Cho and Saul 2009, eq. 4)."""
    return _relu_derivative_dual(k, p, q)


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
