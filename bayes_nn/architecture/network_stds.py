"""The standard deviations of an architecture's layers by site name: inferred, fixed, and under given values."""

from functools import lru_cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
from jaxtyping import Array

from bayes_nn.architecture.serial import Serial
from bayes_nn.architecture.standard_deviations import (
    Shared,
    StandardDeviation,
    TakenOut,
    is_inferred,
    median,
    prior_of,
)

Values = dict[str, Array]

#: Site of a factor on the readout's weight_std, among the values of the latents where there is one.
READOUT_SCALE = "readout_scale"


def std_sites(net: Serial) -> list[tuple[str | None, str | None]]:
    """Site names of the weight and bias standard deviation of every affine layer; None where it is a number.

    A :class:`Shared` one has the name of the first layer that uses it.

    Example:
        >>> import bayes_nn as bnn
        >>> std_sites(bnn.mlp(depth=1, bias_std=0.1))
        [('weight_std_0', None), ('weight_std_1', None)]
    """
    first: dict[int, str] = {}

    def site(field: str, index: int, std: object) -> str | None:
        name = f"{field}_{index}"
        return (first.setdefault(id(std), name) if isinstance(std, Shared) else name) if is_inferred(std) else None

    return [
        (site("weight_std", i, layer.weight_std), site("bias_std", i, layer.bias_std))
        for i, layer in enumerate(net.affine)
    ]


def hyperparameter_priors(net: Serial) -> dict[str, dist.Distribution]:
    """The inferred standard deviations of an architecture, by site name (``weight_std_0``, ...).

    Example:
        >>> import bayes_nn as bnn
        >>> list(hyperparameter_priors(bnn.mlp(depth=1, bias_std=0.1)))
        ['weight_std_0', 'weight_std_1']
    """
    sites = std_sites(net)
    weight = {w: prior_of(layer.weight_std) for layer, (w, _) in zip(net.affine, sites, strict=True) if w}
    bias = {b: prior_of(layer.bias_std) for layer, (_, b) in zip(net.affine, sites, strict=True) if b}
    return weight | bias


def fixed_stds(net: Serial) -> dict[str, float]:
    """The fixed standard deviations of an architecture other than 0, by site name.

    Args:
        net: the architecture.

    Example:
        >>> import bayes_nn as bnn
        >>> fixed_stds(bnn.mlp(depth=1, weight_std=1.5, bias_std=0.0))
        {'weight_std_0': 1.5, 'weight_std_1': 1.5}
    """
    sites = [
        (f"{field}_{i}", getattr(layer, field))
        for field in ("weight_std", "bias_std")
        for i, layer in enumerate(net.affine)
    ]
    return {site: std for site, std in sites if isinstance(std, float) and std != 0.0}


def std_values(net: Serial, values: Values, dtype: jnp.dtype) -> Values:
    """The standard deviations among the values of the latents, and the fixed ones that have no value there.

    With :attr:`Serial.without_numbers` they are what a jitted function needs that shall serve other numbers too.

    Args:
        net: the architecture.
        values: of the latents, by site name.
        dtype: of the fixed numbers.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.mlp(depth=1, weight_std=1.5, bias_std=0.0)
        >>> sorted(std_values(net, {"weight_std_1": 2.0, "readout": jnp.ones((3, 1))}, jnp.dtype(float)).items())
        [('weight_std_0', array(1.5)), ('weight_std_1', 2.0)]
    """
    given = {
        site: value
        for site, value in values.items()
        if site.startswith(("weight_std_", "bias_std_")) or site == READOUT_SCALE
    }
    return _fixed_arrays(net, np.dtype(dtype)) | given


@lru_cache(maxsize=256)
def _fixed_arrays(net: Serial, dtype: np.dtype) -> dict[str, Any]:
    return {site: np.asarray(std, dtype) for site, std in fixed_stds(net).items()}


def layer_stds(net: Serial, values: Values, dtype: jnp.dtype | None = None) -> list[tuple[Array, Array]]:
    """Weight and bias standard deviation of every affine layer.

    Each is the value of its site, or else the fixed number, or else its prior's median. A value by the name of a
    layer, such as ``bias_std_1``, takes the place of a fixed number, and of a :class:`Shared` one in that layer, too. A
    value ``readout_scale`` multiplies the weight_std of the last layer.

    Args:
        net: the architecture.
        values: standard deviations by site name.
        dtype: of the result; as given where left out.

    Raises:
        ValueError: if a fixed number was taken out of the architecture and has no value.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.mlp(depth=1, weight_std=1.5, bias_std=0.0)
        >>> [float(weight_std) for weight_std, _ in layer_stds(net, {"weight_std_1": 2.0})]
        [1.5, 2.0]
    """

    def value(name: str, site: str | None, std: StandardDeviation) -> Array:
        for one in (name, site):
            if one in values:
                return jnp.asarray(values[one], dtype)
        if isinstance(std, TakenOut):
            raise ValueError(f"the fixed {name} was taken out of the architecture, and the values have none")
        with jax.ensure_compile_time_eval():
            return jnp.asarray(median(std), dtype)

    stds = [
        (value(f"weight_std_{i}", w, layer.weight_std), value(f"bias_std_{i}", b, layer.bias_std))
        for i, (layer, (w, b)) in enumerate(zip(net.affine, std_sites(net), strict=True))
    ]
    if READOUT_SCALE in values:
        weight_std, bias_std = stds[-1]
        stds[-1] = weight_std * jnp.asarray(values[READOUT_SCALE], dtype), bias_std
    return stds
