"""How the covariance of an infinitely wide layer's units passes through each kind of layer.

Where no later layer pools, positions are needed with themselves only: (H, W, N, M). Before a pooling layer every pair
of positions is: (N, H, W, M, H', W'), a matrix between all positions of the row inputs and of the column inputs
(Novak et al. 2019, arXiv:1810.05148, sections 2.2 and 3; Arora et al. 2019, arXiv:1904.11955, section 4).
"""

from collections.abc import Iterator
from dataclasses import replace
from functools import singledispatch

import jax.numpy as jnp
from jaxtyping import Array

from bayes_nn.architecture.activations import Elementwise
from bayes_nn.architecture.forward_pass import window_of, window_pads
from bayes_nn.architecture.layers import (
    Affine,
    AvgPool,
    Conv,
    Dense,
    Flatten,
    GlobalAvgPool,
    Layer,
    LayerNorm,
    Residual,
)
from bayes_nn.priors.kernels.covariance import Covariance, Variances, pools_later
from bayes_nn.priors.kernels.dual_activations import derivative_dual, dual


def propagate(
    layers: tuple[Layer, ...],
    state: Covariance,
    stds: Iterator[tuple[Array, Array]],
    variances: Variances,
    tangent: bool,
    pooled_after: bool = False,
) -> Covariance:
    """The covariance after layers in series.

    Args:
        layers: the layers.
        state: what enters.
        stds: weight and bias standard deviation of each layer with weights, in order.
        variances: recorder or reader of the variances at nonlinearities.
        tangent: whether the NTK is wanted.
        pooled_after: whether a layer after these pools.

    Example:
        >>> from bayes_nn.priors.kernels.covariance import input_covariance
        >>> state = input_covariance(jnp.ones((5, 3)), jnp.ones((2, 3)), paired=False)
        >>> stds = iter([(jnp.array(2.0), jnp.array(0.5))])
        >>> float(propagate((Dense(),), state, stds, Variances.record(), tangent=False).nngp[0, 0])
        4.25
    """
    for position, layer in enumerate(layers):
        if not (pooled_after or pools_later(layers[position:])):
            state = state.same_positions()
        if isinstance(layer, Residual):
            later = pooled_after or pools_later(layers[position + 1 :])
            branch = propagate(layer.branch, state, stds, variances, tangent, later)
            shortcut = propagate(layer.shortcut, state, stds, variances, tangent, later)
            state = _sum(branch, shortcut) if later else _sum(branch.same_positions(), shortcut.same_positions())
        elif isinstance(layer, Affine):
            state = _affine(layer, state, *next(stds), tangent)
        else:
            state = step(layer, state, variances)
    return state


def _affine(layer: Affine, state: Covariance, weight_std: Array, bias_std: Array, tangent: bool) -> Covariance:
    """``K = w^2 A K + b^2`` and ``T = K + w^2 A T``, with A the mean over a filter's positions."""
    mean = state if isinstance(layer, Dense) else state.map(lambda k: _filter_mean(k, layer, state.paired))
    nngp = weight_std**2 * mean.nngp + bias_std**2
    ntk = None
    if tangent:
        ntk = nngp if mean.ntk is None else nngp + weight_std**2 * mean.ntk
    return replace(mean, nngp=nngp, ntk=ntk)


def _sum(branch: Covariance, shortcut: Covariance) -> Covariance:
    """Independent parts of mean 0 add."""
    if branch.nngp.shape != shortcut.nngp.shape or branch.paired != shortcut.paired:
        raise ValueError("the two sides of a Residual give different numbers of positions")
    tangents = [one.ntk for one in (branch, shortcut) if one.ntk is not None]
    ntk = sum(tangents[1:], tangents[0]) if tangents else None
    return replace(branch, nngp=branch.nngp + shortcut.nngp, ntk=ntk)


@singledispatch
def step(layer: Layer, state: Covariance, variances: Variances) -> Covariance:
    """The covariance after a layer without weights.

    Raises:
        NotImplementedError: for what is no such layer.

    Example:
        >>> from bayes_nn.priors.kernels.covariance import input_covariance
        >>> state = input_covariance(jnp.ones((5, 8, 8, 3)), jnp.ones((2, 8, 8, 3)), paired=False)
        >>> step(Flatten(), state, Variances.record()).nngp.shape
        (5, 2)
    """
    raise NotImplementedError(f"no covariance is known for {layer!r}")


@step.register
def _(layer: Elementwise, state: Covariance, variances: Variances) -> Covariance:
    p, q = variances.of(state)
    ntk = None if state.ntk is None else derivative_dual(layer, state.nngp, p, q) * state.ntk
    return replace(state, nngp=dual(layer, state.nngp, p, q), ntk=ntk)


@step.register
def _(layer: LayerNorm, state: Covariance, variances: Variances) -> Covariance:
    """Channels are independent of mean 0, so their variance is the kernel's diagonal."""
    p, q = variances.of(state)
    return state.map(lambda k: k / jnp.sqrt((layer.eps + p) * (layer.eps + q)))


@step.register
def _(layer: Flatten, state: Covariance, variances: Variances) -> Covariance:
    """The mean over positions with themselves."""
    return state.same_positions().map(lambda k: jnp.mean(k, axis=tuple(range(k.ndim - 2))))


@step.register
def _(layer: GlobalAvgPool, state: Covariance, variances: Variances) -> Covariance:
    """The mean over all pairs of positions."""
    positions = [axis for axis in range(state.nngp.ndim) if axis not in (0, 1 + state.spatial)]
    return state.map(lambda k: jnp.mean(k, axis=tuple(positions)), paired=False)


@step.register
def _(layer: AvgPool, state: Covariance, variances: Variances) -> Covariance:
    """The mean over the window of the row position and that of the column position."""

    def pool(k: Array) -> Array:
        for axis in range(state.spatial):
            for first in (1, 2 + state.spatial):
                k = _window_mean(k, (first + axis,), layer, axis)
        return k

    return state.map(pool)


def _filter_mean(k: Array, layer: Conv, paired: bool) -> Array:
    """The mean over a filter's positions, at which both inputs are read together."""
    spatial = len(layer.filter_shape)
    for axis in range(spatial):
        k = _window_mean(k, (1 + axis, 2 + spatial + axis) if paired else (axis,), layer, axis)
    return k


def _window_mean(k: Array, axes: tuple[int, ...], layer: Conv | AvgPool, spatial_axis: int) -> Array:
    """The mean over a window that moves along all ``axes`` together; zeros beyond the border count."""
    size, stride = window_of(layer)[spatial_axis], (layer.strides or ())[spatial_axis]
    length = k.shape[axes[0]]
    (pads,) = window_pads((size,), (stride,), layer.padding, (length,))
    widths = [pads if axis in axes else (0, 0) for axis in range(k.ndim)]
    k = jnp.pad(k, widths, mode="wrap" if layer.padding == "CIRCULAR" else "constant")
    count = (length + sum(pads) - size) // stride + 1
    shifted = []
    for offset in range(size):
        cut = [slice(None)] * k.ndim
        for axis in axes:
            cut[axis] = slice(offset, offset + (count - 1) * stride + 1, stride)
        shifted.append(k[tuple(cut)])
    return sum(shifted[1:], shifted[0]) / size
