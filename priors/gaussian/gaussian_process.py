"""Gaussian processes given z: evidence, prediction and draws, by whichever side is smaller.

None of the factorisations is batched on a CPU, nor may it be: see :mod:`bayes_nn.priors.gaussian.log_marginal`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.priors.gaussian.log_marginal import (
    JITTER,
    LOG_2PI,
    factor,
    feature_log_marginal,
    inverse_factor,
    kernel_log_marginal,
    precision,
    solve,
)

#: Added to the diagonal of the kernel matrix where f itself is sampled, in units of the mean diagonal, for a Cholesky
#: factor to exist; it is part of the prior of f, and no noise is left out for it.
LATENT_JITTER = 1e-8


def _of_zeros(Y: Array, noise_variance: Array, seen: Float[Array, " N"]) -> Float[Array, ""]:
    """Log density of y = 0 under the noise alone at the rows that are not seen."""
    return -0.5 * Y.shape[1] * jnp.sum(1.0 - seen) * (LOG_2PI + jnp.log(noise_variance + JITTER))


def _prequential(K: Float[Array, "N N"], Y: Float[Array, "N C"], v: Array) -> Float[Array, " N"]:
    """From one Cholesky factor A = LL': the i-th one-step residual is ``(L^-1 y)_i``, with density N(0, 1) / L_ii."""
    L = factor(K + v * jnp.eye(len(K)))
    residual = jax.scipy.linalg.solve_triangular(L, Y, lower=True)
    spread = jnp.log(jnp.diagonal(L)) + 0.5 * LOG_2PI
    return -0.5 * jnp.sum(residual**2, axis=1) - Y.shape[1] * spread


def _leave_one_out(a: Float[Array, "N C"], precisions: Float[Array, " N"], seen: Array) -> Float[Array, " N"]:
    """``y_i | y_-i ~ N(y_i - a_i / p_i, 1 / p_i)`` with a = A^-1 y and p the diagonal of A^-1.

    Rasmussen and Williams 2006, eq. 5.12.
    """
    C = a.shape[1]
    squares = jnp.sum(a**2, axis=1) / precisions
    return -0.5 * seen * (C * LOG_2PI - C * jnp.log(precisions) + squares)


@partial(jax.tree_util.register_dataclass, data_fields=["K", "K_new", "k_new"], meta_fields=[])
@dataclass(frozen=True)
class KernelProcess:
    """A Gaussian process given by its kernel matrices.

    Attributes:
        K: Gram matrix of the training inputs, (N, N).
        K_new: between new and training inputs, (T, N); None where nothing is predicted.
        k_new: diagonal at the new inputs, (T,); likewise.

    Example:
        >>> round(float(KernelProcess(jnp.eye(2)).log_marginal(jnp.zeros((2, 1)), jnp.array(1.0))), 4)
        -2.531
    """

    K: Float[Array, "N N"]
    K_new: Any = None
    k_new: Any = None

    def times(self, scale: Float[Array, ""]) -> "KernelProcess":
        """The process whose kernel is multiplied by a scale."""
        new = (None, None) if self.K_new is None else (scale * self.K_new, scale * self.k_new)
        return KernelProcess(scale * self.K, *new)

    def log_marginal(self, Y: Float[Array, "N C"], noise_variance: Float[Array, ""]) -> Float[Array, ""]:
        """``log p(y | z)`` in nats, summed over outputs. It has no derivative in ``Y``."""
        return kernel_log_marginal(self.K, Y, noise_variance + JITTER)

    def condition(self, noise_variance: Float[Array, ""]) -> Float[Array, ""]:
        """An upper bound on the condition number of K + noise I, from the trace of K / noise."""
        return 1.0 + jnp.trace(self.K) / (noise_variance + JITTER)

    def log_marginal_of_rows(self, Y: Array, noise_variance: Array, seen: Float[Array, " N"]) -> Float[Array, ""]:
        """:meth:`log_marginal` of the rows where ``seen`` is 1, the others being 0; all subsets have one shape."""
        some = KernelProcess(self.K * seen[:, None] * seen)
        return some.log_marginal(Y * seen[:, None], noise_variance) - _of_zeros(Y, noise_variance, seen)

    def prequential(self, Y: Float[Array, "N C"], noise_variance: Array) -> Float[Array, " N"]:
        """``log p(y_i | y_<i, z)`` for every i, summed over outputs, in the order of the rows.

        They add up to ``log p(y | z)`` (Dawid 1984, JRSS A 147).
        """
        return _prequential(self.K, Y, noise_variance + JITTER)

    def leave_one_out(self, Y: Array, noise_variance: Array, seen: Float[Array, " N"]) -> Float[Array, " N"]:
        """``log p(y_i | y_-i, z)`` for every seen row, summed over outputs, from the rows seen; 0 for the others."""
        A = self.K * seen[:, None] * seen + (noise_variance + JITTER) * jnp.eye(len(self.K))
        L_inverse, _ = inverse_factor(A)
        a = L_inverse.T @ (L_inverse @ (Y * seen[:, None]))
        return _leave_one_out(a, jnp.sum(L_inverse**2, axis=0), seen)

    def predict(self, Y: Array, noise_variance: Array) -> tuple[Float[Array, "T C"], Float[Array, " T"]]:
        """Mean and variance of f at the new inputs (Rasmussen and Williams 2006, eq. 2.25-26)."""
        L = factor(self.K + (noise_variance + JITTER) * jnp.eye(len(self.K)))
        mean = self.K_new @ solve(L, Y)
        half = jax.scipy.linalg.solve_triangular(L, self.K_new.T, lower=True)
        return mean, jnp.maximum(self.k_new - jnp.sum(half * half, axis=0), 0.0)

    def _latent_factor(self) -> Float[Array, "N N"]:
        """Cholesky factor of K itself."""
        scale = JITTER + LATENT_JITTER * jnp.mean(jnp.diagonal(self.K))
        return factor(self.K + scale * jnp.eye(len(self.K)))

    def function(self, whitened: Float[Array, "N C"]) -> Float[Array, "N C"]:
        """f at the training inputs, ``f = L w`` with w standard normal and ``K = L L'``."""
        return self._latent_factor() @ whitened

    def predict_function(self, whitened: Float[Array, "N C"]) -> tuple[Float[Array, "T C"], Float[Array, " T"]]:
        """Mean and variance of f at the new inputs given ``f = L w`` at the training inputs."""
        half = jax.scipy.linalg.solve_triangular(self._latent_factor(), self.K_new.T, lower=True)
        return half.T @ whitened, jnp.maximum(self.k_new - jnp.sum(half * half, axis=0), 0.0)

    def draw(self, key: Array, Y: Array, noise_variance: Array) -> dict[str, Array]:
        """One exact posterior draw of f at the training inputs, (N, C), by Matheron's rule."""
        key_f, key_noise = jax.random.split(key)
        v = noise_variance + JITTER
        f = self._latent_factor() @ jax.random.normal(key_f, Y.shape)
        noise = jnp.sqrt(v) * jax.random.normal(key_noise, Y.shape)
        return {"f": f + self.K @ solve(factor(self.K + v * jnp.eye(len(self.K))), Y - f - noise)}

    def draw_prior(self, key: Array, outputs: int, noise_variance: Array) -> Float[Array, "N C"]:
        """One draw of noisy y from the prior given z."""
        L = factor(self.K + (noise_variance + JITTER) * jnp.eye(len(self.K)))
        return L @ jax.random.normal(key, (len(self.K), outputs))


@partial(jax.tree_util.register_dataclass, data_fields=["Phi", "Phi_new"], meta_fields=[])
@dataclass(frozen=True)
class FeatureProcess:
    """A Gaussian process given by its features, ``K = Phi Phi'``.

    Attributes:
        Phi: features of the training inputs, (N, m).
        Phi_new: features of the new inputs, (T, m); None where nothing is predicted.

    Example:
        >>> round(float(FeatureProcess(jnp.eye(2)).log_marginal(jnp.zeros((2, 1)), jnp.array(1.0))), 4)
        -2.531
    """

    Phi: Float[Array, "N m"]
    Phi_new: Any = None

    def log_marginal(self, Y: Float[Array, "N C"], noise_variance: Float[Array, ""]) -> Float[Array, ""]:
        """``log p(y | z)`` in nats, the readout integrated out. It has no derivative in ``Y``."""
        return feature_log_marginal(self.Phi, Y, noise_variance + JITTER)

    def condition(self, noise_variance: Float[Array, ""]) -> Float[Array, ""]:
        """An upper bound on the condition number of I + Phi'Phi / noise.

        Its smallest eigenvalue is at least 1, its largest at most 1 plus the trace of Phi'Phi / noise.
        """
        return 1.0 + jnp.sum(self.Phi**2) / (noise_variance + JITTER)

    def log_marginal_of_rows(self, Y: Array, noise_variance: Array, seen: Float[Array, " N"]) -> Float[Array, ""]:
        """:meth:`log_marginal` of the rows where ``seen`` is 1, the others being 0; all subsets have one shape."""
        some = FeatureProcess(self.Phi * seen[:, None])
        return some.log_marginal(Y * seen[:, None], noise_variance) - _of_zeros(Y, noise_variance, seen)

    def prequential(self, Y: Float[Array, "N C"], noise_variance: Array) -> Float[Array, " N"]:
        """``log p(y_i | y_<i, z)`` for every i, summed over outputs, in the order of the rows.

        They add up to ``log p(y | z)`` (Dawid 1984, JRSS A 147).
        """
        return _prequential(self.Phi @ self.Phi.T, Y, noise_variance + JITTER)

    def leave_one_out(self, Y: Array, noise_variance: Array, seen: Float[Array, " N"]) -> Float[Array, " N"]:
        """``log p(y_i | y_-i, z)`` for every seen row, summed over outputs, from the rows seen; 0 for the others."""
        if self.wide:
            return KernelProcess(self.Phi @ self.Phi.T).leave_one_out(Y, noise_variance, seen)
        v, Phi, Y = noise_variance + JITTER, self.Phi * seen[:, None], Y * seen[:, None]
        L = factor(precision(Phi, v))
        half = jax.scipy.linalg.solve_triangular(L, Phi.T, lower=True)
        a = (Y - Phi @ solve(L, Phi.T @ Y / v)) / v
        return _leave_one_out(a, (1.0 - jnp.sum(half**2, axis=0) / v) / v, seen)

    @property
    def wide(self) -> bool:
        """Whether the N x N side is the smaller one."""
        return self.Phi.shape[1] > self.Phi.shape[0]

    def function(self, readout: Float[Array, "m C"]) -> Float[Array, "N C"]:
        """f at the training inputs."""
        return self.Phi @ readout

    def predict_function(self, readout: Float[Array, "m C"]) -> tuple[Float[Array, "T C"], Float[Array, " T"]]:
        """f at the new inputs, and its variance given the readout: 0."""
        return self.Phi_new @ readout, jnp.zeros(len(self.Phi_new))

    def predict(self, Y: Array, noise_variance: Array) -> tuple[Float[Array, "T C"], Float[Array, " T"]]:
        """Mean and variance of f at the new inputs, from the readout's posterior N(mu, B^-1)."""
        if self.wide:
            k_new = jnp.sum(self.Phi_new**2, axis=1)
            kernels = KernelProcess(self.Phi @ self.Phi.T, self.Phi_new @ self.Phi.T, k_new)
            return kernels.predict(Y, noise_variance)
        v = noise_variance + JITTER
        L = factor(precision(self.Phi, v))
        half = jax.scipy.linalg.solve_triangular(L, self.Phi_new.T, lower=True)
        return self.Phi_new @ solve(L, self.Phi.T @ Y / v), jnp.sum(half * half, axis=0)

    def draw(self, key: Array, Y: Array, noise_variance: Array) -> dict[str, Array]:
        """One exact posterior draw of the readout, (m, C), and of f at the training inputs, by Matheron's rule."""
        v = noise_variance + JITTER
        key_readout, key_noise = jax.random.split(key)
        readout = jax.random.normal(key_readout, (self.Phi.shape[1], Y.shape[1]))
        misfit = Y - self.Phi @ readout - jnp.sqrt(v) * jax.random.normal(key_noise, Y.shape)
        if self.wide:
            A = self.Phi @ self.Phi.T + v * jnp.eye(len(Y))
            readout = readout + self.Phi.T @ solve(factor(A), misfit)
        else:
            readout = readout + solve(factor(precision(self.Phi, v)), self.Phi.T @ misfit / v)
        return {"readout": readout, "f": self.Phi @ readout}

    def draw_prior(self, key: Array, outputs: int, noise_variance: Array) -> Float[Array, "N C"]:
        """One draw of noisy y from the prior given z."""
        key_readout, key_noise = jax.random.split(key)
        f = self.Phi @ jax.random.normal(key_readout, (self.Phi.shape[1], outputs))
        return f + jnp.sqrt(noise_variance + JITTER) * jax.random.normal(key_noise, f.shape)


Process = KernelProcess | FeatureProcess
