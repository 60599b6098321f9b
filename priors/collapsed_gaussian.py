"""The targets of a Gaussian process under Gaussian noise, f integrated out, as a NumPyro distribution."""

import jax
import numpyro.distributions as dist
from jaxtyping import Array, Float
from numpyro.distributions import constraints

from bayes_nn.priors.gaussian.gaussian_process import Process
from bayes_nn.runtime.mapping import map_each


class CollapsedGaussian(dist.Distribution):
    """``N(0, K_z + noise^2 I)`` for each of C outputs, as a NumPyro distribution over (N, C).

    Args:
        process: the Gaussian process given z.
        noise_variance: noise^2.
        rows: N.
        outputs: C.

    Example:
        >>> import jax.numpy as jnp
        >>> from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
        >>> CollapsedGaussian(KernelProcess(jnp.eye(3)), jnp.array(0.1), 3, 2).sample(jax.random.key(0)).shape
        (3, 2)
    """

    support = constraints.real_matrix
    pytree_data_fields = ("process", "noise_variance")

    def __init__(self, process: Process, noise_variance: Array, rows: int, outputs: int) -> None:
        self.process, self.noise_variance = process, noise_variance
        super().__init__(batch_shape=(), event_shape=(rows, outputs))

    def log_prob(self, value: Float[Array, "N C"]) -> Float[Array, ""]:
        """Log evidence given z, in nats."""
        return self.process.log_marginal(value, self.noise_variance)

    def sample(self, key: Array, sample_shape: tuple[int, ...] = ()) -> Float[Array, "... N C"]:
        """Draws of noisy y from the prior given z."""
        keys = jax.random.split(key, sample_shape).reshape(-1)
        rows, outputs = self.event_shape
        draws = map_each(lambda one: self.process.draw_prior(one, outputs, self.noise_variance), keys)
        return draws.reshape(*sample_shape, rows, outputs)
