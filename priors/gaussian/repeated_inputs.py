"""Rows that repeat inputs, pooled: under Gaussian noise the distinct inputs stand for all rows, exactly."""

from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from bayes_nn.priors.gaussian.gaussian_process import FeatureProcess, KernelProcess, Process
from bayes_nn.priors.gaussian.log_marginal import JITTER, LOG_2PI

#: Largest share of distinct inputs that is worth pooling rows for.
LARGEST_SHARE = 0.5


@partial(jax.tree_util.register_dataclass, data_fields=["distinct", "root", "group"], meta_fields=[])
@dataclass(frozen=True)
class PooledProcess:
    """A Gaussian process at G distinct inputs, of which N rows repeat each ``root^2`` times.

    An orthogonal change of the m targets at one input leaves ``sqrt(m)`` times their mean, of variance m k + noise^2,
    and m - 1 contrasts that are noise alone: with R = diag(root) the log density of all rows is that of the G means
    times R under ``R K R + noise^2 I``, plus that of N - G draws of noise whose squares add up to the scatter within
    inputs.

    Attributes:
        distinct: the process at the distinct inputs, its rows multiplied by ``root``.
        root: square root of how often each occurs, (G,).
        group: the number of the distinct input of every row, (N,).
    """

    distinct: Process
    root: Float[Array, " G"]
    group: Int[Array, " N"]

    def pooled(self, Y: Float[Array, "N C"]) -> Float[Array, "G C"]:
        """Means of the targets at every distinct input, times ``root``."""
        return jax.ops.segment_sum(Y, self.group, len(self.root)) / self.root[:, None]

    def log_marginal(self, Y: Float[Array, "N C"], noise_variance: Float[Array, ""]) -> Float[Array, ""]:
        """``log p(y | z)`` in nats of all rows, summed over outputs."""
        pooled, v = self.pooled(Y), noise_variance + JITTER
        scatter = jnp.sum((Y - (pooled / self.root[:, None])[self.group]) ** 2)
        contrasts = Y.shape[1] * (len(Y) - len(pooled))
        of_noise = -0.5 * (scatter / v + contrasts * (LOG_2PI + jnp.log(v)))
        return self.distinct.log_marginal(pooled, noise_variance) + of_noise

    def condition(self, noise_variance: Float[Array, ""]) -> Float[Array, ""]:
        """An upper bound on the condition number, which is that of all rows."""
        return self.distinct.condition(noise_variance)

    def predict(self, Y: Array, noise_variance: Array) -> tuple[Float[Array, "T C"], Float[Array, " T"]]:
        """Mean and variance of f at the new inputs."""
        return self.distinct.predict(self.pooled(Y), noise_variance)

    def draw(self, key: Array, Y: Array, noise_variance: Array) -> dict[str, Array]:
        """One exact posterior draw of f at all rows, and of the readout where there is one."""
        drawn = self.distinct.draw(key, self.pooled(Y), noise_variance)
        return drawn | {"f": (drawn["f"] / self.root[:, None])[self.group]}


AnyProcess = Process | PooledProcess


@partial(jax.tree_util.register_dataclass, data_fields=["X", "root", "group"], meta_fields=[])
@dataclass(frozen=True)
class RepeatedInputs:
    """The distinct inputs of data, and which row has which.

    Attributes:
        X: distinct inputs, (G, ...).
        root: square root of how often each occurs, (G,).
        group: the number of the distinct input of every row, (N,).

    Example:
        >>> repeated = RepeatedInputs.of(jnp.array([[2.0], [1.0], [2.0], [2.0]]))
        >>> repeated.X.tolist(), (repeated.root**2).round().tolist(), repeated.group.tolist()
        ([[1.0], [2.0]], [1.0, 3.0], [1, 0, 1, 1])
    """

    X: Float[Array, "G *shape"]
    root: Float[Array, " G"]
    group: Int[Array, " N"]

    @classmethod
    def of(cls, X: Float[Array, "N *shape"]) -> "RepeatedInputs | None":
        """The distinct inputs; None where more than half of the rows have one of their own."""
        rows = np.asarray(X).reshape(len(X), -1)
        most = LARGEST_SHARE * len(rows)
        if len(np.unique(rows[:, 0])) > most:  # the common case, without looking at whole rows
            return None
        distinct, group, counts = np.unique(rows, axis=0, return_inverse=True, return_counts=True)
        if len(distinct) > most:
            return None
        root = np.sqrt(counts.astype(rows.dtype))
        return cls(jnp.asarray(distinct.reshape(-1, *X.shape[1:])), jnp.asarray(root), jnp.asarray(group.ravel()))

    def process(self, distinct: Process) -> PooledProcess:
        """The process of all rows.

        Args:
            distinct: the process at the distinct inputs.
        """
        root = self.root
        if isinstance(distinct, KernelProcess):
            new = None if distinct.K_new is None else distinct.K_new * root
            weighted: Process = replace(distinct, K=root[:, None] * distinct.K * root, K_new=new)
        else:
            weighted = FeatureProcess(root[:, None] * distinct.Phi, distinct.Phi_new)
        return PooledProcess(weighted, root, self.group)
