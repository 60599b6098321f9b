"""The finite network: its parameters, its features and its outputs.

Parameters go by site name: ``hidden_weight_i`` (fan_in, width) and ``hidden_bias_i`` (width,) for the i-th layer
with weights, ``readout`` (features, outputs). The rows of a convolution's weights run over the filter's positions,
then over channels.
"""

import itertools
import math
from collections.abc import Iterator
from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.architecture.forward_pass import Rules, activate_smoothly, affine, forward_all, receptive_fields
from bayes_nn.architecture.layers import Affine
from bayes_nn.architecture.network_stds import (
    READOUT_SCALE,
    Values,
    fixed_stds,
    hyperparameter_priors,
    layer_stds,
    std_sites,
    std_values,
)
from bayes_nn.architecture.serial import Serial, checked_width
from bayes_nn.architecture.standard_deviations import is_inferred

__all__ = [
    "READOUT_SCALE",
    "Values",
    "apply",
    "fixed_stds",
    "has_bias",
    "hidden_weight_priors",
    "hyperparameter_priors",
    "init",
    "layer_stds",
    "parameter_shapes",
    "readout_features",
    "standard_normal",
    "std_sites",
    "std_values",
]


def has_bias(layer: Affine) -> bool:
    """Whether an affine layer has a bias, that is its bias_std is not the number 0.

    Example:
        >>> import bayes_nn as bnn
        >>> has_bias(bnn.Dense()), has_bias(bnn.Dense(bias_std=0.0))
        (True, False)
    """
    return is_inferred(layer.bias_std) or layer.bias_std != 0.0


def readout_features(
    net: Serial, values: Values, X: Float[Array, "N *shape"], angle: Array | None = None
) -> Float[Array, "N m"]:
    """Phi_z: the inputs of the readout times weight_std / sqrt(fan_in), then the bias column.

    With a standard-normal readout v the network is ``f = Phi_z v``, so that ``f | z ~ GP(0, Phi_z Phi_z')``.

    Args:
        net: the architecture.
        values: hidden weights and inferred standard deviations by site name; a ``readout_scale`` among them
            multiplies the readout's weight_std (and not its bias).
        X: inputs, (N, d), or (N, H, W, C) where the architecture convolves.
        angle: of the steps, radians, where the features are differentiated for a trajectory: slopes at kinks
            are smoothed over the distance that a unit moves in one of them. The features are the same.

    Returns:
        Features (N, n + 1), or (N, n) where the readout has no bias; n times the number of positions after
        ``Flatten``.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.mlp(depth=1)
        >>> readout_features(net, init(net, jax.random.key(0), (3,), width=8), jnp.ones((5, 3))).shape
        (5, 9)
    """
    stds = layer_stds(net, values, X.dtype)
    index: Iterator[int] = itertools.count()

    def weigh(layer: Affine, x: Array) -> Array:
        i = next(index)
        fields = receptive_fields(layer, x)
        return affine(layer, fields, stds[i], values[f"hidden_weight_{i}"], values.get(f"hidden_bias_{i}"))

    rules = Rules(weigh) if angle is None else Rules(weigh, partial(activate_smoothly, angle))
    hidden = forward_all(net.layers[:-1], X, rules)
    weight_std, bias_std = stds[-1]
    features = (weight_std / math.sqrt(hidden.shape[1])) * hidden
    if has_bias(net.affine[-1]):
        features = jnp.concatenate([features, jnp.full((len(X), 1), bias_std, features.dtype)], axis=1)
    return features


def parameter_shapes(net: Serial, input_shape: tuple[int, ...], widths: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Shapes of the hidden weights and biases by site name, and of the readout for one output.

    Args:
        net: the architecture.
        input_shape: of one input, without the leading axis.
        widths: one per hidden layer with weights.

    Raises:
        ValueError: if the architecture does not fit inputs of that shape.

    Example:
        >>> import bayes_nn as bnn
        >>> parameter_shapes(bnn.mlp(depth=1, bias_std=0.0), (3,), (8,))
        {'hidden_weight_0': (3, 8), 'readout': (8, 1)}
    """
    return dict(_parameter_shapes(net.without_numbers, input_shape, widths))


@lru_cache(maxsize=256)
def _parameter_shapes(net: Serial, input_shape: tuple[int, ...], widths: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    index = itertools.count()

    def weigh(layer: Affine, x: Array) -> Array:
        i = next(index)
        fields = receptive_fields(layer, x)
        if 0 in fields.shape:
            raise ValueError(f"inputs of shape {input_shape} are too small for layer {i}")
        shapes[f"hidden_weight_{i}"] = (fields.shape[-1], widths[i])
        if has_bias(layer):
            shapes[f"hidden_bias_{i}"] = (widths[i],)
        return jnp.zeros((*fields.shape[:-1], widths[i]))

    def hidden(x: Array) -> Array:
        return forward_all(net.layers[:-1], x, Rules(weigh))

    try:
        out = jax.eval_shape(hidden, jax.ShapeDtypeStruct((1, *input_shape), jnp.zeros(0).dtype))
    except (TypeError, IndexError) as error:
        raise ValueError(
            f"the layers of {net} do not fit together for inputs of shape {input_shape}: {error}"
        ) from None
    if len(out.shape) != 2:
        raise ValueError(
            f"the readout gets {len(out.shape) - 2} spatial axes from inputs of shape {input_shape}: "
            "put Flatten() or GlobalAvgPool() before it"
        )
    shapes["readout"] = (out.shape[1] + has_bias(net.affine[-1]), 1)
    return shapes


def hidden_weight_priors(
    net: Serial, input_shape: tuple[int, ...], widths: tuple[int, ...]
) -> dict[str, dist.Distribution]:
    """Standard-normal priors of the hidden weights and biases, by site name (``hidden_weight_0``, ...).

    Args:
        net: the architecture.
        input_shape: of one input, without the leading axis.
        widths: one per hidden layer with weights.

    Example:
        >>> import bayes_nn as bnn
        >>> {name: prior.event_shape for name, prior in hidden_weight_priors(bnn.mlp(depth=1), (3,), (8,)).items()}
        {'hidden_weight_0': (3, 8), 'hidden_bias_0': (8,)}
    """
    shapes = parameter_shapes(net, tuple(input_shape), widths)
    return {name: standard_normal(shape) for name, shape in shapes.items() if name != "readout"}


def standard_normal(shape: tuple[int, ...]) -> dist.Distribution:
    """Independent standard normals of a shape, as one event.

    Example:
        >>> standard_normal((3, 8)).event_shape
        (3, 8)
    """
    return dist.Normal(0.0, 1.0).expand(list(shape)).to_event(len(shape))


def init(net: Serial, key: Array, input_shape: tuple[int, ...], width: int, outputs: int = 1) -> Values:
    """Standard-normal parameters of a finite network, the readout included.

    Args:
        net: the architecture.
        key: a JAX key.
        input_shape: of one input, without the leading axis: ``X.shape[1:]``.
        width: of every hidden layer, or one per hidden layer.
        outputs: columns of the readout.

    Raises:
        ValueError: for a bad width, or an architecture that does not fit such inputs.

    Example:
        >>> import bayes_nn as bnn, jax
        >>> parameters = init(bnn.mlp(depth=1), jax.random.key(0), (3,), width=8)
        >>> {name: value.shape for name, value in parameters.items()}
        {'hidden_weight_0': (3, 8), 'hidden_bias_0': (8,), 'readout': (9, 1)}
    """
    shapes = parameter_shapes(net, tuple(input_shape), checked_width(width, net.depth))
    shapes = shapes | {"readout": (shapes["readout"][0], outputs)}
    keys = jax.random.split(key, len(shapes))
    return {name: jax.random.normal(one, shape) for one, (name, shape) in zip(keys, shapes.items(), strict=True)}


def apply(net: Serial, parameters: Values, X: Float[Array, "N *shape"]) -> Float[Array, "N C"]:
    """The finite network ``f = Phi_z v``.

    Args:
        net: the architecture.
        parameters: as :func:`init` returns; inferred standard deviations too, by site name.
        X: inputs.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.mlp(depth=1)
        >>> apply(net, init(net, jax.random.key(0), (3,), width=8), jnp.ones((5, 3))).shape
        (5, 1)
    """
    return readout_features(net, parameters, X) @ parameters["readout"]
