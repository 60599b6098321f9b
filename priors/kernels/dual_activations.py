"""Dual activations: the expectations an infinitely wide layer takes over its pre-activations.

For ``(u, v) ~ N(0, [[p, k], [k, q]])`` the dual of an activation phi is ``E[phi(u) phi(v)]`` and its
derivative dual is ``E[phi'(u) phi'(v)]`` (Daniely, Frostig and Singer 2016, arXiv:1602.05897,
section 4). By Price's theorem the second is the derivative of the first in k.
"""

import math
from functools import singledispatch

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.activations import Abs, Cos, Elementwise, Erf, Gelu, Identity, LeakyRelu, Rbf, Relu, Sin
from bayes_nn.priors.kernels.arcsine import arcsin
from bayes_nn.priors.kernels.gaussian_expectation import correlation, derivative, gaussian_expectation

#: Smallest sin^2 of an angle that the derivatives tell from zero: below it lies rounding noise.
SMALLEST_SIN2 = 1e-12


@singledispatch
def dual(
    activation: Elementwise, k: Float[Array, "..."], p: Float[Array, "..."], q: Float[Array, "..."]
) -> Float[Array, "..."]:
    """``E[phi(u) phi(v)]``, in closed form where one is known, else by quadrature.

    Args:
        activation: phi.
        k: covariance of u and v.
        p: variance of u, broadcastable against ``k``.
        q: variance of v, likewise.

    Returns:
        The dual activation, of the shape of ``k``; its gradients are finite where ``|k| = sqrt(pq)``.

    Raises:
        NotImplementedError: for what is not an activation.

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
        NotImplementedError: for what is not an activation.

    Example:
        >>> float(derivative_dual(Relu(), jnp.array(1.0), jnp.array(1.0), jnp.array(1.0)))
        0.5
    """
    raise NotImplementedError(f"no derivative dual is known for {activation!r}")


@dual.register
def _(activation: Elementwise, k: Array, p: Array, q: Array) -> Array:
    """Gauss-Hermite quadrature and Mehler's formula."""
    return gaussian_expectation(activation, activation, k, p, q)


@derivative_dual.register
def _(activation: Elementwise, k: Array, p: Array, q: Array) -> Array:
    """Gauss-Hermite quadrature and Mehler's formula."""
    return gaussian_expectation(derivative(activation), derivative(activation), k, p, q)


def _relative(dp: Array, p: Array) -> Array:
    return dp / jnp.maximum(p, jnp.finfo(p.dtype).tiny)


@jax.custom_jvp
def _sine(cosine: Array) -> Array:
    return jnp.sqrt((1.0 - cosine) * (1.0 + cosine))


@_sine.defjvp
def _sine_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    """``-c dc / sin``, taken as 0 where :func:`sign_dual` takes its own as 0: a second derivative is then finite."""
    (c,), (dc,) = primals, tangents
    sine2 = (1.0 - c) * (1.0 + c)
    distinct = sine2 > SMALLEST_SIN2
    return _sine(c), jnp.where(distinct, -c * dc / jnp.sqrt(jnp.where(distinct, sine2, 1.0)), 0.0)


@jax.custom_jvp
def absolute_dual(k: Array, p: Array, q: Array) -> Array:
    """``E|u||v| = 2/pi sqrt(pq) (sin + c arcsin c)`` at correlation c: the even part of Cho and Saul 2009, eq. 6.

    Example:
        >>> float(absolute_dual(jnp.array(1.0), jnp.array(1.0), jnp.array(1.0)))
        1.0
    """
    c = correlation(k, p, q)
    return (2.0 / math.pi) * jnp.sqrt(p) * jnp.sqrt(q) * (_sine(c) + c * arcsin(c))


@absolute_dual.defjvp
def _absolute_dual_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """Price's theorem: dE/dk = E[sign sign] and dE/dp = E[delta(u) |v|], both bounded."""
    (k, p, q), (dk, dp, dq) = primals, tangents
    norm, sine = jnp.sqrt(p) * jnp.sqrt(q), _sine(correlation(k, p, q))
    along_variances = norm * sine * (_relative(dp, p) + _relative(dq, q)) / math.pi
    return absolute_dual(k, p, q), sign_dual(k, p, q) * dk + along_variances


@jax.custom_jvp
def sign_dual(k: Array, p: Array, q: Array) -> Array:
    """``E[sign(u) sign(v)] = 2/pi arcsin c`` (Sheppard 1899).

    Example:
        >>> float(sign_dual(jnp.array(0.0), jnp.array(1.0), jnp.array(1.0)))
        0.0
    """
    return (2.0 / math.pi) * arcsin(correlation(k, p, q))


@sign_dual.defjvp
def _sign_dual_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    """``d arcsin c = (dk - k dp/2p - k dq/2q) / (sqrt(pq) sin)``: at equal inputs zero over zero, taken as 0."""
    (k, p, q), (dk, dp, dq) = primals, tangents
    norm, c = jnp.sqrt(p) * jnp.sqrt(q), correlation(k, p, q)
    sine2 = (1.0 - c) * (1.0 + c)
    turn = dk - 0.5 * k * (_relative(dp, p) + _relative(dq, q))
    distinct = (sine2 > SMALLEST_SIN2) & (norm > 0.0)
    slope = jnp.where(distinct, turn / jnp.where(distinct, norm * jnp.sqrt(sine2), 1.0), 0.0)
    return sign_dual(k, p, q), (2.0 / math.pi) * slope


def _two_slopes(activation: Relu | LeakyRelu | Abs) -> tuple[float, float]:
    """Factors of u and of |u| in ``max(u, 0) + alpha min(u, 0)``."""
    alpha = {Relu: 0.0, Abs: -1.0}.get(type(activation), getattr(activation, "alpha", 0.0))
    return 0.5 * (1.0 + alpha), 0.5 * (1.0 - alpha)


@dual.register
def _(activation: Relu | LeakyRelu | Abs, k: Array, p: Array, q: Array) -> Array:
    """Arc-cosine kernel of order 1 (Cho and Saul 2009, eq. 6) for ReLU; u and |u| are uncorrelated."""
    odd, even = _two_slopes(activation)
    return odd**2 * k + even**2 * absolute_dual(k, p, q)


@derivative_dual.register
def _(activation: Relu | LeakyRelu | Abs, k: Array, p: Array, q: Array) -> Array:
    """Arc-cosine kernel of order 0 (Cho and Saul 2009, eq. 4) for ReLU."""
    odd, even = _two_slopes(activation)
    return odd**2 + even**2 * sign_dual(k, p, q)


@dual.register
def _(activation: Erf, k: Array, p: Array, q: Array) -> Array:
    """The arcsine kernel (Williams 1997, eq. 11)."""
    s = 2.0 * activation.slope**2
    angle = arcsin(s * k / jnp.sqrt((1.0 + s * p) * (1.0 + s * q)))
    return activation.amplitude**2 * (2.0 / math.pi) * angle + activation.offset**2


@derivative_dual.register
def _(activation: Erf, k: Array, p: Array, q: Array) -> Array:
    """Derivative of the arcsine kernel in k (Lee et al. 2019, arXiv:1902.06720, appendix C)."""
    s = 2.0 * activation.slope**2
    return activation.amplitude**2 * (2.0 / math.pi) * s / jnp.sqrt((1.0 + s * p) * (1.0 + s * q) - (s * k) ** 2)


def _gelu_parts(k: Array, p: Array, q: Array) -> tuple[Array, Array, Array, Array]:
    """``Delta``, ``E[Phi Phi]``, ``E[Phi' Phi']``, ``1/(1+p) + 1/(1+q)``; Phi is the normal distribution function."""
    delta = (1.0 + p) * (1.0 + q) - k * k
    both = 0.25 + arcsin(k / jnp.sqrt((1.0 + p) * (1.0 + q))) / (2.0 * math.pi)
    return delta, both, 1.0 / (2.0 * math.pi * jnp.sqrt(delta)), 1.0 / (1.0 + p) + 1.0 / (1.0 + q)


@dual.register
def _(activation: Gelu, k: Array, p: Array, q: Array) -> Array:
    """By Stein's lemma, applied twice to ``u v Phi(u) Phi(v)`` (Tsuchida, Pearce et al. 2021, arXiv:2002.08517)."""
    _, both, density, inverses = _gelu_parts(k, p, q)
    return k * both + density * (p * q + k * k * (inverses - 1.0))


@derivative_dual.register
def _(activation: Gelu, k: Array, p: Array, q: Array) -> Array:
    """The dual's derivative in k, from ``d E[Phi Phi]/dk = E[Phi' Phi']``, ``d density/dk = density k/Delta``."""
    delta, both, density, inverses = _gelu_parts(k, p, q)
    bracket = p * q + k * k * (inverses - 1.0)
    return both + density * (k + k / delta * bracket + 2.0 * k * (inverses - 1.0))


def _wave(activation: Sin | Cos | Rbf) -> tuple[float, float, float]:
    """Squared amplitude, squared frequency and cosine of twice the phase, as a sine."""
    if isinstance(activation, Rbf):
        return 2.0, 2.0 * activation.gamma, 0.0
    sign = -1.0 if isinstance(activation, Cos) else 1.0
    return activation.amplitude**2, activation.frequency**2, sign * math.cos(2.0 * activation.phase)


@dual.register
def _(activation: Sin | Cos | Rbf, k: Array, p: Array, q: Array) -> Array:
    """Product-to-sum and the Gaussian characteristic function (Rahimi and Recht 2007, for Rbf)."""
    amplitude2, frequency2, turned = _wave(activation)
    apart, together = (jnp.exp(-0.5 * frequency2 * (p + q + sign * 2.0 * k)) for sign in (-1.0, 1.0))
    return 0.5 * amplitude2 * (apart - turned * together)


@derivative_dual.register
def _(activation: Sin | Cos | Rbf, k: Array, p: Array, q: Array) -> Array:
    """The derivative of the dual in k."""
    amplitude2, frequency2, turned = _wave(activation)
    apart, together = (jnp.exp(-0.5 * frequency2 * (p + q + sign * 2.0 * k)) for sign in (-1.0, 1.0))
    return 0.5 * amplitude2 * frequency2 * (apart + turned * together)


@dual.register
def _(activation: Identity, k: Array, p: Array, q: Array) -> Array:
    return k


@derivative_dual.register
def _(activation: Identity, k: Array, p: Array, q: Array) -> Array:
    return jnp.ones_like(k)
