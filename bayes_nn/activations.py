"""Activations: functions applied to every pre-activation alike.

What an infinitely wide layer does with them is in :mod:`bayes_nn.priors.dual_activations`.
"""

import abc
import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class Elementwise(abc.ABC):
    """Base of the activations."""

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


@dataclass(frozen=True)
class Relu(Elementwise):
    """``max(x, 0)``."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The positive part of ``x``."""
        return jax.nn.relu(x)

    def with_smooth_slope(self, x: Float[Array, "..."], width: Float[Array, "..."]) -> Float[Array, "..."]:
        """See :class:`Elementwise`."""
        return positive_part(x, width)


@dataclass(frozen=True)
class LeakyRelu(Elementwise):
    """``max(x, 0) + alpha min(x, 0)``.

    Args:
        alpha: slope on the negative side.

    Example:
        >>> float(LeakyRelu(0.1)(jnp.array(-2.0)))
        -0.2
    """

    alpha: float = 0.01

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """``x`` where positive, ``alpha x`` elsewhere."""
        return jnp.where(x > 0, x, self.alpha * x)

    def with_smooth_slope(self, x: Float[Array, "..."], width: Float[Array, "..."]) -> Float[Array, "..."]:
        """See :class:`Elementwise`."""
        return self.alpha * x + (1.0 - self.alpha) * positive_part(x, width)


@dataclass(frozen=True)
class Abs(Elementwise):
    """``|x|``."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The absolute value of ``x``."""
        return jnp.abs(x)

    def with_smooth_slope(self, x: Float[Array, "..."], width: Float[Array, "..."]) -> Float[Array, "..."]:
        """See :class:`Elementwise`."""
        return 2.0 * positive_part(x, width) - x


@dataclass(frozen=True)
class Erf(Elementwise):
    """``amplitude erf(slope x) + offset``.

    Args:
        amplitude: factor of the error function.
        slope: factor of its argument.
        offset: added to it; ``Erf(0.5, 0.416, 0.5)`` is close to a logistic sigmoid.
    """

    amplitude: float = 1.0
    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The scaled and shifted error function of ``x``."""
        return self.amplitude * jax.scipy.special.erf(self.slope * x) + self.offset


@dataclass(frozen=True)
class Gelu(Elementwise):
    """``x`` times the standard normal distribution function of ``x``, exactly (not by tanh)."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The Gaussian error linear unit of ``x``."""
        return jax.nn.gelu(x, approximate=False)


@dataclass(frozen=True)
class Sin(Elementwise):
    """``amplitude sin(frequency x + phase)``.

    Args:
        amplitude: factor of the sine.
        frequency: radians per unit of the pre-activation.
        phase: in radians.
    """

    amplitude: float = 1.0
    frequency: float = 1.0
    phase: float = 0.0

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The sine of ``x``."""
        return self.amplitude * jnp.sin(self.frequency * x + self.phase)


@dataclass(frozen=True)
class Cos(Elementwise):
    """``amplitude cos(frequency x + phase)``; arguments as in :class:`Sin`."""

    amplitude: float = 1.0
    frequency: float = 1.0
    phase: float = 0.0

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The cosine of ``x``."""
        return self.amplitude * jnp.cos(self.frequency * x + self.phase)


@dataclass(frozen=True)
class Rbf(Elementwise):
    """``sqrt(2) sin(sqrt(2 gamma) x + pi/4)``, whose kernel is ``exp(-gamma |x - x'|^2)``.

    Args:
        gamma: inverse squared length scale, positive.

    Raises:
        ValueError: if gamma is not positive.
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        if not self.gamma > 0:
            raise ValueError(f"gamma must be positive; got {self.gamma!r}")

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """A random Fourier feature of ``x``."""
        return math.sqrt(2.0) * jnp.sin(math.sqrt(2.0 * self.gamma) * x + math.pi / 4.0)


@dataclass(frozen=True)
class Identity(Elementwise):
    """``x``: what a deep linear network applies."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """``x`` itself."""
        return x


@dataclass(frozen=True)
class Tanh(Elementwise):
    """``tanh(x)``."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The hyperbolic tangent of ``x``."""
        return jnp.tanh(x)


@dataclass(frozen=True)
class Activation(Elementwise):
    """Any elementwise function; its dual activation comes from Gauss-Hermite quadrature.

    See :func:`bayes_nn.priors.gaussian_expectation.gaussian_expectation` for the accuracy: near rounding
    for smooth functions of pre-activations with a variance of order one, a few digits where the function
    has a kink.

    Args:
        function: elementwise and differentiable by JAX, such as ``jax.nn.softplus``.
        name: how tables call it; the function's own name when left out.

    Raises:
        ValueError: if ``function`` cannot be called.

    Example:
        >>> Activation(jax.nn.softplus).name
        'softplus'
    """

    function: Callable[[Array], Array]
    name: str = ""

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ValueError(f"Activation needs an elementwise function; got {self.function!r}")
        if not self.name:
            object.__setattr__(self, "name", getattr(self.function, "__name__", "activation").strip("<>"))

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The function of ``x``."""
        return self.function(x)


def activation_name(activation: Elementwise) -> str:
    """The activation as tables call it."""
    return activation.name if isinstance(activation, Activation) else type(activation).__name__.lower()


#: Activations by the names that :func:`bayes_nn.mlp` takes.
NAMED_ACTIVATIONS: dict[str, type[Elementwise]] = {
    kind.__name__.lower(): kind for kind in (Relu, LeakyRelu, Abs, Erf, Gelu, Sin, Cos, Rbf, Identity, Tanh)
}
