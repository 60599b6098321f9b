"""Architectures: layers in series, described once for the finite network and for its kernels.

An architecture has no width: the same object gives the infinite-width kernels
(:mod:`bayes_nn.priors`) and, with a width, the finite network.
"""

import abc
import math
from dataclasses import dataclass

import jax
from jaxtyping import Array, Float

from bayes_nn.hyperparameters import (
    StandardDeviation,
    checked_std,
    default_bias_std,
    default_weight_std,
)


@dataclass(frozen=True, eq=False)
class Dense:
    """A fully connected layer in NTK parameterisation.

    ``h = weight_std / sqrt(fan_in) W x + bias_std b`` with standard-normal W and b
    (Jacot, Gabriel and Hongler 2018, arXiv:1806.07572, section 2).

    Args:
        weight_std: a number (fixed), a positive NumPyro distribution (inferred), or None for
            ``LogNormal(log sqrt 2, 0.5)``. Dimensionless.
        bias_std: likewise; None stands for ``LogNormal(log 0.3, 0.75)``; 0 leaves the bias out.

    Raises:
        ValueError: if a number is negative or a distribution is not on the positive numbers.

    Example:
        >>> Dense(weight_std=2**0.5, bias_std=0.0).bias_std
        0.0
    """

    weight_std: StandardDeviation | None = None
    bias_std: StandardDeviation | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "weight_std", checked_std(self.weight_std, "weight_std", default_weight_std))
        object.__setattr__(
            self, "bias_std", checked_std(self.bias_std, "bias_std", default_bias_std, zero_allowed=True)
        )


@dataclass(frozen=True)
class Elementwise(abc.ABC):
    """Base of the activations: a function applied to every pre-activation alike."""

    @abc.abstractmethod
    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The activation of ``x``, of the same shape."""


@dataclass(frozen=True)
class Relu(Elementwise):
    """``max(x, 0)``."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The positive part of ``x``."""
        return jax.nn.relu(x)


@dataclass(frozen=True)
class Erf(Elementwise):
    """The error function, ``erf(x)``."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """The error function of ``x``."""
        return jax.scipy.special.erf(x)


@dataclass(frozen=True)
class Identity(Elementwise):
    """``x``: what a deep linear network applies."""

    def __call__(self, x: Float[Array, "..."]) -> Float[Array, "..."]:
        """``x`` itself."""
        return x


ACTIVATIONS: dict[str, type[Elementwise]] = {"relu": Relu, "erf": Erf, "identity": Identity}


class Serial:
    """Layers applied one after another; the last ``Dense`` is the readout.

    Args:
        *layers: alternating ``Dense`` and activation, beginning and ending with ``Dense``.

    Raises:
        ValueError: if the layers do not alternate that way, or there is no hidden layer.

    Example:
        >>> net = Serial(Dense(), Relu(), Dense(), Relu(), Dense())
        >>> net.depth
        2
    """

    def __init__(self, *layers: Dense | Elementwise) -> None:
        expected = "Dense and an activation in turn, beginning and ending with Dense"
        if len(layers) < 3:
            raise ValueError(f"an architecture needs at least one hidden layer: {expected}; got {len(layers)} layers")
        for position, layer in enumerate(layers):
            kind = Elementwise if position % 2 else Dense
            if not isinstance(layer, kind):
                raise ValueError(f"layer {position} is {layer!r}, but layers must be {expected}")
        if len(layers) % 2 == 0:
            raise ValueError(f"the last layer is {layers[-1]!r}, but the readout must be a Dense layer")
        self.layers = layers

    @property
    def dense(self) -> tuple[Dense, ...]:
        """The affine layers, input first and readout last; ``depth + 1`` of them."""
        return tuple(layer for layer in self.layers if isinstance(layer, Dense))

    @property
    def activations(self) -> tuple[Elementwise, ...]:
        """The activation of each hidden layer; ``depth`` of them."""
        return tuple(layer for layer in self.layers if isinstance(layer, Elementwise))

    @property
    def depth(self) -> int:
        """Number of hidden layers."""
        return len(self.activations)

    @property
    def activation_name(self) -> str:
        """The activation as tables call it; several are joined by a slash."""
        return "/".join(sorted({type(layer).__name__.lower() for layer in self.activations}))

    def __repr__(self) -> str:
        return f"Serial(depth={self.depth}, activation={self.activation_name})"


def mlp(
    depth: int = 2,
    activation: str | Elementwise = "relu",
    weight_std: StandardDeviation | None = None,
    bias_std: StandardDeviation | None = None,
) -> Serial:
    """A fully connected architecture with ``depth`` hidden layers.

    The same as writing ``Serial(Dense(weight_std, bias_std), Relu(), ..., Dense(weight_std, bias_std))``:
    where a standard deviation is inferred, every layer has its own.

    Args:
        depth: number of hidden layers, at least 1.
        activation: ``"relu"``, ``"erf"``, ``"identity"``, or an activation layer.
        weight_std: see :class:`Dense`.
        bias_std: see :class:`Dense`.

    Raises:
        ValueError: for a depth below 1, an unknown activation, or a bad standard deviation.

    Example:
        >>> mlp(depth=3, activation="erf", weight_std=1.5, bias_std=0.1)
        Serial(depth=3, activation=erf)
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise ValueError(f"depth is the number of hidden layers and must be an integer of at least 1; got {depth!r}")
    if isinstance(activation, str):
        if activation.lower() not in ACTIVATIONS:
            raise ValueError(f"unknown activation {activation!r}; choose one of {', '.join(sorted(ACTIVATIONS))}")
        activation = ACTIVATIONS[activation.lower()]()
    if not isinstance(activation, Elementwise):
        raise ValueError(f"activation must be a name or an activation layer such as Relu(); got {activation!r}")
    hidden = [layer for _ in range(depth) for layer in (Dense(weight_std, bias_std), activation)]
    return Serial(*hidden, Dense(weight_std, bias_std))


def checked_width(width: int, depth: int) -> tuple[int, ...]:
    """The width of every hidden layer, from one number or one per layer.

    Raises:
        ValueError: if a width is not a positive integer or their number is not ``depth``.
    """
    widths = tuple(width) if isinstance(width, (tuple, list)) else (width,) * depth
    if len(widths) != depth:
        raise ValueError(f"got {len(widths)} widths for {depth} hidden layers")
    for one in widths:
        if isinstance(one, bool) or not isinstance(one, int) or one < 1:
            raise ValueError(f"width must be a positive integer; got {one!r}")
    return widths


def variance_scale(std: Float[Array, ""], fan_in: int) -> Float[Array, ""]:
    """``std / sqrt(fan_in)``, the factor of the weights in NTK parameterisation."""
    return std / math.sqrt(fan_in)
