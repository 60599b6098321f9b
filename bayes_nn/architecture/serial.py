"""Architectures: layers in series, described once for the finite network and for its kernels.

An architecture has no width: the same object gives the infinite-width kernels
(:mod:`bayes_nn.priors`) and, with a width, the finite network.
"""

from collections.abc import Mapping
from enum import Enum
from functools import cached_property
from typing import Any

from bayes_nn.architecture.activations import NAMED_ACTIVATIONS, Elementwise, activation_name
from bayes_nn.architecture.equality import ByFields
from bayes_nn.architecture.layers import (
    Affine,
    Conv,
    Dense,
    Flatten,
    Layer,
    LayerNorm,
    Residual,
    affine_layers,
    check_layers,
    sharing_pattern,
    without_numbers,
)
from bayes_nn.architecture.standard_deviations import StandardDeviation


class _Signal(Enum):
    """What passes between layers of an infinitely wide network."""

    DATA = "the data"
    GAUSSIAN = "independent Gaussian pre-activations of mean 0"
    OTHER = "activations"


class Serial(ByFields):
    """Layers applied one after another; the last ``Dense`` is the readout.

    Two architectures are equal where their layers are and share standard deviations alike (:class:`Shared`). Code
    compiled for one then serves both.

    Args:
        *layers: the last one a ``Dense``, with at least one other layer that has weights.

    Raises:
        ValueError: if there is no hidden layer or no readout, or if the layers have no infinite-width limit:
            activations and ``LayerNorm`` need the output of a ``Dense``, ``Conv`` or a sum of such before them,
            and one side of a ``Residual`` must end in weights of its own.

    Example:
        >>> from bayes_nn.architecture.activations import Relu
        >>> net = Serial(Dense(), Relu(), Dense(), Relu(), Dense())
        >>> net.depth, net == Serial(Dense(), Relu(), Dense(), Relu(), Dense())
        (2, True)
    """

    def __init__(self, *layers: Layer) -> None:
        check_layers(layers)
        if not layers or not isinstance(layers[-1], Dense):
            last = layers[-1] if layers else None
            raise ValueError(f"the last layer is {last!r}, but the readout must be a Dense layer")
        self.layers: tuple[Layer, ...] = layers
        self.affine: tuple[Affine, ...] = affine_layers(layers)
        if len(self.affine) < 2:
            raise ValueError(
                "an architecture needs at least one hidden layer with weights (Dense or Conv) and a readout"
            )
        _signal(layers, _Signal.DATA)

    def _fields(self) -> Mapping[str, Any]:
        return {"layers": self.layers, "sharing": sharing_pattern(self.layers)}

    @cached_property
    def without_numbers(self) -> "Serial":
        """The architecture with every fixed standard deviation but 0 taken out.

        Code compiled for it serves all architectures that differ in these numbers alone: they are passed with the
        values of the latents, see :func:`bayes_nn.architecture.network.fixed_stds`.

        Example:
            >>> mlp(weight_std=1.4, bias_std=0.1).without_numbers == mlp(weight_std=1.5, bias_std=0.2).without_numbers
            True
        """
        return Serial(*without_numbers(self.layers))

    @property
    def depth(self) -> int:
        """Number of hidden layers with weights."""
        return len(self.affine) - 1

    @property
    def name(self) -> str:
        """The architecture as tables call it, such as ``relu, depth=2`` or ``conv relu, depth=2``."""
        kinds = sorted(
            {activation_name(layer) for layer in _every_layer(self.layers) if isinstance(layer, Elementwise)}
        )
        conv = ["conv"] if any(isinstance(layer, Conv) for layer in self.affine) else []
        residual = ["residual"] if any(isinstance(layer, Residual) for layer in self.layers) else []
        return f"{' '.join([*residual, *conv, '/'.join(kinds) or 'linear'])}, depth={self.depth}"

    def __repr__(self) -> str:
        return f"Serial({self.name})"


def _every_layer(layers: tuple[Layer, ...]) -> list[Layer]:
    inside = [(*layer.branch, *layer.shortcut) for layer in layers if isinstance(layer, Residual)]
    return [*layers, *(deep for block in inside for deep in _every_layer(block))]


def _signal(layers: tuple[Layer, ...], signal: _Signal) -> _Signal:
    """What leaves a series of layers that ``signal`` enters; refuses layers without an infinite-width limit."""
    for layer in layers:
        if isinstance(layer, (Elementwise, LayerNorm)) and signal is not _Signal.GAUSSIAN:
            raise ValueError(
                f"{type(layer).__name__} is applied to {signal.value}, which has no infinite-width limit here: "
                "put a Dense or Conv layer before it"
            )
        if isinstance(layer, Affine):
            signal = _Signal.GAUSSIAN
        elif isinstance(layer, Elementwise) or (isinstance(layer, Flatten) and signal is _Signal.GAUSSIAN):
            signal = _Signal.OTHER
        elif isinstance(layer, Residual):
            sides = [(side, _signal(side, signal)) for side in (layer.branch, layer.shortcut)]
            if not any(affine_layers(side) and out is _Signal.GAUSSIAN for side, out in sides):
                raise ValueError(
                    "neither side of a Residual ends in weights of its own, so its two sides are not independent: "
                    "end the branch with a Dense or Conv layer"
                )
            signal = _Signal.GAUSSIAN if all(out is _Signal.GAUSSIAN for _, out in sides) else _Signal.OTHER
    return signal


def mlp(
    depth: int = 2,
    activation: str | Elementwise = "relu",
    weight_std: StandardDeviation | None = None,
    bias_std: StandardDeviation | None = None,
) -> Serial:
    """A fully connected architecture with ``depth`` hidden layers.

    The same as writing ``Serial(Dense(weight_std, bias_std), Relu(), ..., Dense(weight_std, bias_std))``:
    where a standard deviation is inferred, every layer has its own unless it is :class:`Shared`.

    Args:
        depth: number of hidden layers, at least 1.
        activation: an activation layer, or its name in lower case, such as ``"relu"`` or ``"erf"``.
        weight_std: see :class:`Dense`.
        bias_std: see :class:`Dense`.

    Raises:
        ValueError: for a depth below 1, an unknown activation, or a bad standard deviation.

    Example:
        >>> mlp(depth=3, activation="erf", weight_std=1.5, bias_std=0.1)
        Serial(erf, depth=3)
    """
    if isinstance(depth, bool) or not isinstance(depth, int) or depth < 1:
        raise ValueError(f"depth is the number of hidden layers and must be an integer of at least 1; got {depth!r}")
    if isinstance(activation, str):
        if activation.lower() not in NAMED_ACTIVATIONS:
            names = ", ".join(sorted(NAMED_ACTIVATIONS))
            raise ValueError(f"unknown activation {activation!r}; choose one of {names}, or pass Activation(function)")
        activation = NAMED_ACTIVATIONS[activation.lower()]()
    if not isinstance(activation, Elementwise):
        raise ValueError(f"activation must be a name or an activation layer such as Relu(); got {activation!r}")
    hidden = [layer for _ in range(depth) for layer in (Dense(weight_std, bias_std), activation)]
    return Serial(*hidden, Dense(weight_std, bias_std))


def checked_width(width: int | tuple[int, ...] | list[int], depth: int) -> tuple[int, ...]:
    """The width of every hidden layer, from one number or one per layer.

    Raises:
        ValueError: if a width is not a positive integer or their number is not ``depth``.

    Example:
        >>> checked_width(8, depth=2)
        (8, 8)
    """
    widths = tuple(width) if isinstance(width, (tuple, list)) else (width,) * depth
    if len(widths) != depth:
        raise ValueError(f"got {len(widths)} widths for {depth} hidden layers")
    for one in widths:
        if isinstance(one, bool) or not isinstance(one, int) or one < 1:
            raise ValueError(f"width must be a positive integer; got {one!r}")
    return widths


def checked_net(net: object) -> Serial:
    """The architecture itself.

    Raises:
        ValueError: if it is not an architecture.

    Example:
        >>> checked_net(mlp(depth=1))
        Serial(relu, depth=1)
    """
    if not isinstance(net, Serial):
        raise ValueError(f"expected an architecture such as bayes_nn.mlp(depth=2); got {net!r}")
    return net
