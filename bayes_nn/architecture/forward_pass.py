"""What each layer of a finite network does to its inputs, given the rules for its weights and activations."""

import itertools
import math
from collections.abc import Callable
from functools import singledispatch
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.activations import Elementwise
from bayes_nn.architecture.layers import (
    Affine,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    Padding,
    Residual,
)

#: How far to either side of a kink a trajectory smooths the slope, in root-mean-square movements of a unit per step.
SMOOTHING = 1.5


class Rules(NamedTuple):
    """How a forward pass applies weights and activations.

    Attributes:
        weigh: the output of a layer with weights; called in the order of the layers.
        activate: the output of an activation.

    Example:
        >>> half = Rules(weigh=lambda layer, x: 0.5 * x)
        >>> forward(Dense(), jnp.ones((1, 2)), half).tolist()
        [[0.5, 0.5]]
    """

    weigh: Callable[[Affine, Array], Array]
    activate: Callable[[Elementwise, Array], Array] = lambda layer, x: layer(x)


def window_pads(window: tuple[int, ...], strides: tuple[int, ...], padding: Padding, lengths: tuple[int, ...]) -> list:
    """Positions to add before and after each spatial axis.

    Example:
        >>> window_pads((3,), (1,), "SAME", (8,))
        [(1, 1)]
    """
    kind = "SAME" if padding == "CIRCULAR" else padding
    return list(jax.lax.padtype_to_pads(lengths, window, strides, kind))


def window_of(layer: Conv | AvgPool) -> tuple[int, ...]:
    """Positions per spatial axis of a filter or a pooling window.

    Example:
        >>> window_of(AvgPool((2, 2)))
        (2, 2)
    """
    return layer.filter_shape if isinstance(layer, Conv) else layer.window_shape


def windows(x: Float[Array, "N *positions channels"], layer: Conv | AvgPool) -> list[Array]:
    """``x`` shifted to each position of a window over its spatial axes.

    Raises:
        ValueError: if ``x`` has another number of spatial axes than the window.

    Example:
        >>> [shifted[0, :, 0].tolist() for shifted in windows(jnp.arange(3.0).reshape(1, 3, 1), AvgPool((2,), (1,)))]
        [[0.0, 1.0], [1.0, 2.0]]
    """
    window, strides = window_of(layer), layer.strides or ()
    if x.ndim - 2 != len(window):
        raise ValueError(
            f"{type(layer).__name__}({window}) needs inputs with {len(window)} spatial axes and a channel axis, such "
            f"as sequences (N, T, C) or images (N, H, W, C); it gets {x.ndim - 2} spatial axes"
        )
    axes = range(1, x.ndim - 1)
    pads = window_pads(window, strides, layer.padding, x.shape[1:-1])
    mode = "wrap" if layer.padding == "CIRCULAR" else "constant"
    x = jnp.pad(x, [(0, 0), *pads, (0, 0)], mode=mode)
    counts = [(x.shape[axis] - w) // s + 1 for axis, w, s in zip(axes, window, strides, strict=True)]
    shifted = []
    for offsets in itertools.product(*map(range, window)):
        cut = [slice(None)] * x.ndim
        for axis, offset, stride, count in zip(axes, offsets, strides, counts, strict=True):
            cut[axis] = slice(offset, offset + (count - 1) * stride + 1, stride)
        shifted.append(x[tuple(cut)])
    return shifted


def receptive_fields(layer: Affine, x: Float[Array, "N *positions channels"]) -> Float[Array, "N *out fan_in"]:
    """The inputs that each unit of an affine layer weighs.

    Example:
        >>> receptive_fields(Conv((3, 3)), jnp.ones((1, 8, 8, 2))).shape
        (1, 8, 8, 18)
    """
    return x if isinstance(layer, Dense) else jnp.concatenate(windows(x, layer), axis=-1)


@singledispatch
def forward(layer: Layer, x: Array, rules: Rules) -> Array:
    """The output of a layer.

    Raises:
        NotImplementedError: for what is no layer.

    Example:
        >>> forward(Flatten(), jnp.ones((5, 2, 2, 3)), Rules(weigh=lambda layer, x: x)).shape
        (5, 12)
    """
    raise NotImplementedError(f"no forward pass is known for {layer!r}")


@forward.register
def _(layer: Dense | Conv, x: Array, rules: Rules) -> Array:
    return rules.weigh(layer, x)


@forward.register
def _(layer: Elementwise, x: Array, rules: Rules) -> Array:
    return rules.activate(layer, x)


@forward.register
def _(layer: Flatten, x: Array, rules: Rules) -> Array:
    return x.reshape(len(x), -1)


@forward.register
def _(layer: GlobalAvgPool, x: Array, rules: Rules) -> Array:
    return jnp.mean(x, axis=tuple(range(1, x.ndim - 1)))


@forward.register
def _(layer: AvgPool, x: Array, rules: Rules) -> Array:
    shifted = windows(x, layer)
    return sum(shifted[1:], shifted[0]) / len(shifted)


@forward.register
def _(layer: LayerNorm, x: Array, rules: Rules) -> Array:
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    return centred / jnp.sqrt(jnp.mean(centred**2, axis=-1, keepdims=True) + layer.eps)


@forward.register
def _(layer: Residual, x: Array, rules: Rules) -> Array:
    return forward_all(layer.branch, x, rules) + forward_all(layer.shortcut, x, rules)


def forward_all(layers: tuple[Layer, ...], x: Array, rules: Rules) -> Array:
    """The output of layers in series.

    Example:
        >>> forward_all((Flatten(), Dense()), jnp.ones((5, 2, 2)), Rules(weigh=lambda layer, x: 2.0 * x)).shape
        (5, 4)
    """
    for layer in layers:
        x = forward(layer, x, rules)
    return x


def affine(layer: Affine, fields: Array, std: tuple[Array, Array], W: Array, b: Array | None) -> Array:
    """``weight_std / sqrt(fan_in) W x + bias_std b``.

    Args:
        layer: its kind.
        fields: what its units weigh, (..., fan_in).
        std: its weight_std and bias_std.
        W: weights (fan_in, units).
        b: biases (units,); None where there are none.

    Example:
        >>> affine(Dense(), jnp.ones((1, 4)), (1.0, 0.5), jnp.ones((4, 1)), jnp.ones(1)).tolist()
        [[2.5]]
    """
    z = (std[0] / math.sqrt(fields.shape[-1])) * (fields @ W)
    return z if b is None else z + std[1] * b


def activate_smoothly(angle: Array, layer: Elementwise, x: Array) -> Array:
    """The activation, with its slope smoothed over the distance that a unit moves in a step of this angle.

    Args:
        angle: of the steps of a trajectory, radians.
        layer: the activation.
        x: pre-activations, units last.

    Example:
        >>> from bayes_nn.architecture.activations import Relu
        >>> activate_smoothly(jnp.array(0.1), Relu(), jnp.array([[-1.0, 2.0]])).tolist()
        [[0.0, 2.0]]
    """
    movement = angle * jnp.sqrt(jnp.mean(x**2, axis=-1, keepdims=True))
    return layer.with_smooth_slope(x, jax.lax.stop_gradient(SMOOTHING * movement).astype(x.dtype))
