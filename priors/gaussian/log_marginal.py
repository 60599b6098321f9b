"""``log p(y | z)`` under a Gaussian process, with its gradient, by whichever side is smaller.

``y | z ~ N(0, K_z + noise^2 I)`` for every output, with K_z given as a kernel matrix or as features ``K_z = Phi Phi'``.
The gradients are written out. On a CPU nothing is batched, since a batched LAPACK call can hang the client for ever:
value and gradient are wrapped in :func:`~bayes_nn.runtime.mapping.unbatched`, which makes a loop of any library's
``vmap``.
"""

import jax
import jax.numpy as jnp
from jax.scipy.linalg import cho_solve
from jaxtyping import Array, Float

from bayes_nn.runtime.mapping import unbatched

#: Added to the noise variance of every prior, networks included; part of the evidence, so one for all.
JITTER = 1e-10

LOG_2PI = 1.8378770664093453

#: Rows up to which a matrix is inverted by LAPACK at once, rather than in blocks.
BLOCK = 96


def factor(A: Float[Array, "N N"]) -> Float[Array, "N N"]:
    """Lower-triangular L with ``A = L L'``, from the lower triangle of A.

    Example:
        >>> factor(4.0 * jnp.eye(2)).tolist()
        [[2.0, 0.0], [0.0, 2.0]]
    """
    return jnp.linalg.cholesky(A, symmetrize_input=False)


def _log_determinant(L: Float[Array, "N N"]) -> Float[Array, ""]:
    return 2.0 * jnp.sum(jnp.log(jnp.diagonal(L)))


def solve(L: Float[Array, "N N"], B: Float[Array, "N M"]) -> Float[Array, "N M"]:
    """``A^-1 B`` for ``A = L L'``.

    Example:
        >>> solve(2.0 * jnp.eye(2), jnp.ones((2, 1))).tolist()
        [[0.25], [0.25]]
    """
    return cho_solve((L, True), B)


def inverse_factor(A: Float[Array, "N N"]) -> tuple[Float[Array, "N N"], Float[Array, ""]]:
    """``L^-1`` of the Cholesky factor L of A, and log det A, in blocks.

    Most of the operations become matrix products, which run several times faster than LAPACK's factorisation and
    triangular solves (Higham 2002, Accuracy and Stability of Numerical Algorithms, sections 10.1 and 14.2).

    Example:
        >>> inverse_factor(4.0 * jnp.eye(2))[0].tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """
    if len(A) <= BLOCK:
        L = factor(A)
        return jax.scipy.linalg.solve_triangular(L, jnp.eye(len(A), dtype=A.dtype), lower=True), _log_determinant(L)
    h = len(A) // 2
    P, first = inverse_factor(A[:h, :h])
    below = A[h:, :h] @ P.T
    Q, second = inverse_factor(A[h:, h:] - below @ below.T)
    return jnp.block([[P, jnp.zeros((h, len(Q)), A.dtype)], [-(Q @ below) @ P, Q]]), first + second


def _inverse(L_inverse: Float[Array, "N N"]) -> Float[Array, "N N"]:
    """``A^-1 = L^-T L^-1``, sparing half of the operations: L^-1 is triangular, A^-1 symmetric."""
    h = len(L_inverse) // 2
    P, R, Q = L_inverse[:h, :h], L_inverse[h:, :h], L_inverse[h:, h:]
    below = Q.T @ R
    return jnp.block([[P.T @ P + R.T @ R, below.T], [below, Q.T @ Q]])


def _log_density(quadratic: Array, log_determinant: Array, Y: Array) -> Float[Array, ""]:
    """Log density of C independent outputs that share one covariance."""
    N, C = Y.shape
    return -0.5 * (quadratic + C * log_determinant + N * C * LOG_2PI)


def _kernel_value(K: Array, Y: Array, v: Array) -> Float[Array, ""]:
    L = factor(K + v * jnp.eye(len(K), dtype=K.dtype))
    return _log_density(jnp.vdot(Y, solve(L, Y)), _log_determinant(L), Y)


def _kernel_parts(K: Array, Y: Array, v: Array) -> tuple[Array, Array, Array]:
    """Log density, a = A^-1 y and A^-1."""
    L_inverse, log_determinant = inverse_factor(K + v * jnp.eye(len(K), dtype=K.dtype))
    whitened = L_inverse @ Y
    value = _log_density(jnp.vdot(whitened, whitened), log_determinant, Y)
    return value, L_inverse.T @ whitened, _inverse(L_inverse)


def _kernel_gradient(K: Array, Y: Array, v: Array) -> tuple[Array, Array, Array]:
    """d log p / dK = (a a' - C A^-1)/2 (Rasmussen and Williams 2006, eq. 5.9); its trace is d/dv."""
    value, a, A_inverse = _kernel_parts(K, Y, v)
    gradient = 0.5 * (a @ a.T - Y.shape[1] * A_inverse)
    return value, gradient, jnp.trace(gradient)


def precision(Phi: Array, v: Array) -> Float[Array, "m m"]:
    """Posterior precision of the readout, (m, m): ``B = I + Phi'Phi/v``.

    Example:
        >>> precision(jnp.ones((4, 1)), jnp.array(2.0)).tolist()
        [[3.0]]
    """
    return jnp.eye(Phi.shape[1], dtype=Phi.dtype) + Phi.T @ Phi / v


def _feature_density(Phi: Array, Y: Array, v: Array, mean: Array, log_determinant: Array) -> tuple[Array, Array]:
    """Log density from the readout's posterior mean mu = B^-1 Phi'y/v and log det B, and a = (y - Phi mu)/v."""
    a = (Y - Phi @ mean) / v
    quadratic = v * jnp.vdot(a, a) + jnp.vdot(mean, mean)
    return _log_density(quadratic, log_determinant + len(Phi) * jnp.log(v), Y), a


def _feature_value(Phi: Array, Y: Array, v: Array) -> Float[Array, ""]:
    L = factor(precision(Phi, v))
    return _feature_density(Phi, Y, v, solve(L, Phi.T @ Y / v), _log_determinant(L))[0]


def _feature_gradient(Phi: Array, Y: Array, v: Array) -> tuple[Array, Array, Array]:
    """d log p / dPhi = a mu' - C A^-1 Phi, by the smaller side; d log p / dv = (a'a - C tr A^-1)/2."""
    (N, m), C = Phi.shape, Y.shape[1]
    if m > N:
        value, a, A_inverse = _kernel_parts(Phi @ Phi.T, Y, v)
        return value, a @ (a.T @ Phi) - C * (A_inverse @ Phi), 0.5 * (jnp.vdot(a, a) - C * jnp.trace(A_inverse))
    L_inverse, log_determinant = inverse_factor(precision(Phi, v))
    mean = L_inverse.T @ (L_inverse @ (Phi.T @ Y / v))
    value, a = _feature_density(Phi, Y, v, mean, log_determinant)
    B_inverse = _inverse(L_inverse)
    trace = (N - m + jnp.trace(B_inverse)) / v
    return value, a @ mean.T - (C / v) * (Phi @ B_inverse), 0.5 * (jnp.vdot(a, a) - C * trace)


def _feature_log_marginal(Phi: Array, Y: Array, v: Array) -> Array:
    if Phi.shape[1] > Phi.shape[0]:
        return _kernel_value(Phi @ Phi.T, Y, v)
    return _feature_value(Phi, Y, v)


def _with_analytic_gradient(value, value_and_gradient):  # noqa: ANN001, ANN202
    """A function of (K or Phi, Y, v) whose reverse-mode derivative is the given one, and unbatched on a CPU."""
    # Called outside of compiled code they are one program each, instead of one for every operation.
    value_of, gradient_of = unbatched(jax.jit(value)), unbatched(jax.jit(value_and_gradient))
    function = jax.custom_vjp(lambda matrix, Y, v: value_of(matrix, Y, v))

    def forward(matrix: Array, Y: Array, v: Array) -> tuple[Array, tuple]:
        result, d_matrix, d_v = gradient_of(matrix, Y, v)
        return result, (d_matrix, d_v, Y)

    def backward(residuals: tuple, cotangent: Array) -> tuple:
        d_matrix, d_v, Y = residuals
        return cotangent * d_matrix, jnp.zeros_like(Y), cotangent * d_v

    function.defvjp(forward, backward)
    return function


kernel_log_marginal = _with_analytic_gradient(_kernel_value, _kernel_gradient)
feature_log_marginal = _with_analytic_gradient(_feature_log_marginal, _feature_gradient)
