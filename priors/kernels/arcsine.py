"""The arcsine that the duals of rectifiers and of the error function need, without branches."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float


def _ratio(degree: int = 4) -> tuple[Float[np.ndarray, " p"], Float[np.ndarray, " q"]]:
    """Coefficients of P and Q, lowest first, with P(z)/Q(z) = arcsin(t)/t at z = t^2 in [0, 1/4].

    Least squares of P - Q arcsin(t)/t at Chebyshev points, weighted by 1/Q of the fit before (Loeb's method).
    """
    u = np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    t = np.sqrt((u + 1.0) / 8.0)
    value, basis, weights = np.arcsin(t) / t, np.polynomial.chebyshev.chebvander(u, degree), np.ones(400)
    terms = np.hstack([basis, -value[:, None] * basis[:, 1:]])
    for _ in range(12):
        found = np.linalg.lstsq(terms * weights[:, None], value * weights)[0]
        weights = 1.0 / (1.0 + basis[:, 1:] @ found[degree + 1 :])
    p, q = (
        np.polynomial.Chebyshev(own, domain=[0.0, 0.25]).convert(kind=np.polynomial.Polynomial).coef
        for own in (found[: degree + 1], [1.0, *found[degree + 1 :]])
    )
    return p / q[0], q / q[0]


_P, _Q = _ratio()


def _polynomial(coefficients: Float[np.ndarray, " p"], z: Float[Array, "..."]) -> Float[Array, "..."]:
    """By Horner's rule."""
    value = jnp.full_like(z, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * z + float(coefficient)
    return value


@jax.custom_jvp
def arcsin(x: Float[Array, "..."]) -> Float[Array, "..."]:
    """arcsin on [-1, 1], with a relative error below 5e-15.

    A ratio of polynomials where ``|x| <= 1/2``, and ``pi/2 - 2 arcsin(sqrt((1 - |x|)/2))`` beyond. XLA vectorises it
    on a CPU, where its own arcsine and arccosine call a scalar function per entry. A power series would do, but XLA
    takes products and sums for cheap and computes them again in every place that reads the result; a quotient it
    keeps, which halves the time of a kernel with its gradient. The derivative is taken as 0 where ``|x| = 1``.

    Example:
        >>> round(float(arcsin(jnp.array(0.5)) * 6 / jnp.pi), 12)
        1.0
    """
    size = jnp.abs(x)
    large = size > 0.5
    z = jnp.where(large, 0.5 * (1.0 - size), size * size)
    ratio = _polynomial(_P, z) / _polynomial(_Q, z)
    angle = jnp.where(large, jnp.sqrt(jnp.maximum(z, 0.0)), size) * ratio
    return jnp.copysign(jnp.where(large, 0.5 * jnp.pi - 2.0 * angle, angle), x)


@arcsin.defjvp
def _arcsin_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    (x,), (dx,) = primals, tangents
    cosine2 = (1.0 - x) * (1.0 + x)
    inside = cosine2 > 0.0
    return arcsin(x), jnp.where(inside, dx / jnp.sqrt(jnp.where(inside, cosine2, 1.0)), 0.0)
