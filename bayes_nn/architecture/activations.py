"""Activations: functions applied to every pre-activation alike.

What an infinitely wide layer does with them is in :mod:`bayes_nn.priors.kernels.dual_activations`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.elementwise import Elementwise, positive_part


@dataclass(frozen=True, eq=False)
class Relu(Elementwise):
    """``max(x, 0)``.

    Example:
        >>> Relu()(jnp.array([-1.0, 2.0])).tolist()
        [0.0, 2.0]
    """

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The positive part of ``x``."""
        return jax.nn.relu(x)

    def with_smooth_slope(self, x: Float[Array, "..."], width: Float[Array, "..."]) -> Float[Array, "..."]:
        """See :class:`Elementwise`."""
        return positive_part(x, width)


@dataclass(frozen=True, eq=False)
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


@dataclass(frozen=True, eq=False)
class Abs(Elementwise):
    """``|x|``.

    Example:
        >>> float(Abs()(jnp.array(-2.0)))
        2.0
    """

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The absolute value of ``x``."""
        return jnp.abs(x)

    def with_smooth_slope(self, x: Float[Array, "..."], width: Float[Array, "..."]) -> Float[Array, "..."]:
        """See :class:`Elementwise`."""
        return 2.0 * positive_part(x, width) - x


@dataclass(frozen=True, eq=False)
class Erf(Elementwise):
    """``amplitude erf(slope x) + offset``.

    Args:
        amplitude: factor of the error function.
        slope: factor of its argument.
        offset: added to it; ``Erf(0.5, 0.416, 0.5)`` is close to a logistic sigmoid.

    Example:
        >>> round(float(Erf(0.5, 0.416, 0.5)(jnp.array(1.0))), 2)
        0.72
    """

    amplitude: float = 1.0
    slope: float = 1.0
    offset: float = 0.0

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The scaled and shifted error function of ``x``."""
        return self.amplitude * jax.scipy.special.erf(self.slope * x) + self.offset


@dataclass(frozen=True, eq=False)
class Gelu(Elementwise):
    """``x`` times the standard normal distribution function of ``x``, exactly (not by tanh).

    Example:
        >>> round(float(Gelu()(jnp.array(1.0))), 4)
        0.8413
    """

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The Gaussian error linear unit of ``x``."""
        return jax.nn.gelu(x, approximate=False)


@dataclass(frozen=True, eq=False)
class Sin(Elementwise):
    """``amplitude sin(frequency x + phase)``.

    Args:
        amplitude: factor of the sine.
        frequency: radians per unit of the pre-activation.
        phase: in radians.

    Example:
        >>> round(float(Sin(2.0, 1.0, 0.5 * math.pi)(jnp.array(0.0))), 6)
        2.0
    """

    amplitude: float = 1.0
    frequency: float = 1.0
    phase: float = 0.0

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The sine of ``x``."""
        return self.amplitude * jnp.sin(self.frequency * x + self.phase)


@dataclass(frozen=True, eq=False)
class Cos(Elementwise):
    """``amplitude cos(frequency x + phase)``; arguments as in :class:`Sin`.

    Example:
        >>> float(Cos(2.0)(jnp.array(0.0)))
        2.0
    """

    amplitude: float = 1.0
    frequency: float = 1.0
    phase: float = 0.0

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The cosine of ``x``."""
        return self.amplitude * jnp.cos(self.frequency * x + self.phase)


@dataclass(frozen=True, eq=False)
class Rbf(Elementwise):
    """``sqrt(2) sin(sqrt(2 gamma) x + pi/4)``, whose kernel is ``exp(-gamma |x - x'|^2)``.

    Args:
        gamma: inverse squared length scale, positive.

    Raises:
        ValueError: if gamma is not positive.

    Example:
        >>> round(float(Rbf(0.5)(jnp.array(0.0))), 6)
        1.0
    """

    gamma: float = 1.0

    def __post_init__(self) -> None:
        if not self.gamma > 0:
            raise ValueError(f"gamma must be positive; got {self.gamma!r}")

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """A random Fourier feature of ``x``."""
        return math.sqrt(2.0) * jnp.sin(math.sqrt(2.0 * self.gamma) * x + math.pi / 4.0)


@dataclass(frozen=True, eq=False)
class Identity(Elementwise):
    """``x``: what a deep linear network applies.

    Example:
        >>> float(Identity()(jnp.array(-2.0)))
        -2.0
    """

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """``x`` itself."""
        return x


@dataclass(frozen=True, eq=False)
class Tanh(Elementwise):
    """``tanh(x)``.

    Example:
        >>> round(float(Tanh()(jnp.array(1.0))), 4)
        0.7616
    """

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The hyperbolic tangent of ``x``."""
        return jnp.tanh(x)


@dataclass(frozen=True, eq=False)
class Activation(Elementwise):
    """Any elementwise function; its dual activation comes from Gauss-Hermite quadrature.

    See :func:`bayes_nn.priors.kernels.gaussian_expectation.gaussian_expectation` for the accuracy: near rounding
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
    """The activation as tables call it.

    Example:
        >>> activation_name(LeakyRelu(0.1)), activation_name(Activation(jax.nn.softplus))
        ('leakyrelu', 'softplus')
    """
    return activation.name if isinstance(activation, Activation) else type(activation).__name__.lower()


#: Activations by the names that :func:`bayes_nn.mlp` takes.
NAMED_ACTIVATIONS: dict[str, type[Elementwise]] = {
    kind.__name__.lower(): kind for kind in (Relu, LeakyRelu, Abs, Erf, Gelu, Sin, Cos, Rbf, Identity, Tanh)
}
