"""The base of the activations, and the rectifier whose slope may be smoothed."""

import abc

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.equality import ByFields


class Elementwise(ByFields, abc.ABC):
    """Base of the activations.

    Example:
        >>> class Square(Elementwise):
        ...     def __call__(self, x):
        ...         return x**2
        >>> float(Square()(jnp.array(3.0)))
        9.0
    """

    @abc.abstractmethod
    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The activation of ``x``, of the same shape."""

    def with_smooth_slope(self, x: Float[Array, "..."], width: Float[Array, "..."]) -> Float[Array, "..."]:
        """The activation, whose derivative passes from one side of a kink to the other within ``width`` of it."""
        return self(x)


@jax.custom_jvp
def positive_part(x: Float[Array, "..."], width: Float[Array, "..."]) -> Float[Array, "..."]:
    """``max(x, 0)``, whose derivative rises from 0 to 1 between ``-width`` and ``width`` rather than at 0.

    Example:
        >>> slope = jax.vmap(jax.grad(positive_part), (0, None))
        >>> slope(jnp.array([-0.1, -0.05, 0.0, 0.05, 0.1]), 0.1).round(3).tolist()
        [0.0, 0.156, 0.5, 0.844, 1.0]
    """
    return jnp.maximum(x, 0.0)


@positive_part.defjvp
def _(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    x, width = primals
    rise = jnp.clip(0.5 + 0.5 * x / jnp.maximum(width, jnp.finfo(x.dtype).tiny), 0.0, 1.0)
    return jnp.maximum(x, 0.0), rise**2 * (3.0 - 2.0 * rise) * tangents[0]
