"""Layers of an architecture. None has a width: that belongs to the finite network alone.

Inputs are vectors (N, d), sequences (N, T, C) or images (N, H, W, C), channels last.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bayes_nn.architecture.activations import Elementwise
from bayes_nn.architecture.equality import ByFields
from bayes_nn.architecture.layers_without_weights import (
    AvgPool,
    Flatten,
    GlobalAvgPool,
    LayerNorm,
    Padding,
    check_windows,
)
from bayes_nn.architecture.standard_deviations import (
    TAKEN_OUT,
    StandardDeviation,
    checked_std,
    default_bias_std,
    default_weight_std,
    is_inferred,
    sharing,
)


class _WithStds(ByFields):
    """Base of the layers that hold standard deviations: equal where these are, and shared alike."""

    def _fields(self) -> Mapping[str, Any]:
        return {**super()._fields(), "sharing": sharing_pattern((self,))}  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False)
class Dense(_WithStds):
    """A fully connected layer in NTK parameterisation, applied to the channels of every position.

    ``h = weight_std / sqrt(fan_in) W x + bias_std b`` with standard-normal W and b
    (Jacot, Gabriel and Hongler 2018, arXiv:1806.07572, section 2).

    Args:
        weight_std: a number (fixed), a positive NumPyro distribution (inferred), a :class:`Shared` one, or
            None for ``LogNormal(log sqrt 2, 0.5)``. Dimensionless.
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
        _check_stds(self)


@dataclass(frozen=True, eq=False)
class Conv(_WithStds):
    """A convolution in NTK parameterisation, with one bias per channel.

    ``fan_in`` is the number of input channels times the filter's positions, also where the filter hangs over
    the border. Kernels of infinitely many channels: Novak et al. 2019, arXiv:1810.05148; Arora et al. 2019,
    arXiv:1904.11955.

    Args:
        filter_shape: one length per spatial axis: ``(3, 3)`` for images, ``(3,)`` for sequences.
        strides: one per spatial axis; all ones when left out.
        padding: ``"SAME"`` (zeros), ``"VALID"`` (none) or ``"CIRCULAR"`` (periodic, as large as SAME).
        weight_std: see :class:`Dense`.
        bias_std: see :class:`Dense`.

    Raises:
        ValueError: for a bad shape, stride, padding or standard deviation.

    Example:
        >>> Conv((3, 3), padding="CIRCULAR").strides
        (1, 1)
    """

    filter_shape: tuple[int, ...] = (3, 3)
    strides: tuple[int, ...] | None = None
    padding: Padding = "SAME"
    weight_std: StandardDeviation | None = None
    bias_std: StandardDeviation | None = None

    def __post_init__(self) -> None:
        check_windows(self, "filter_shape")
        _check_stds(self)


class Residual(_WithStds):
    """``branch(x) + shortcut(x)`` (He et al. 2016, arXiv:1512.03385).

    Args:
        *branch: layers in series.
        shortcut: layers in series; the identity where empty.

    Raises:
        ValueError: if something is not a layer, or there is no branch.

    Example:
        >>> from bayes_nn.architecture.activations import Relu
        >>> len(Residual(Relu(), Dense()).branch)
        2
    """

    def __init__(self, *branch: "Layer", shortcut: tuple["Layer", ...] | list["Layer"] = ()) -> None:
        if not branch:
            raise ValueError("Residual needs at least one layer in its branch")
        self.branch, self.shortcut = branch, tuple(shortcut)
        check_layers((*self.branch, *self.shortcut))


Affine = Dense | Conv
Layer = Dense | Conv | Flatten | GlobalAvgPool | AvgPool | LayerNorm | Residual | Elementwise


def check_layers(layers: tuple[object, ...]) -> None:
    """Refuse what is not a layer.

    Raises:
        ValueError: naming the first thing that is none.

    Example:
        >>> check_layers((Dense, Flatten()))
        Traceback (most recent call last):
        ValueError: layer 0 is the class Dense; write Dense()
    """
    for position, layer in enumerate(layers):
        if isinstance(layer, type):
            raise ValueError(f"layer {position} is the class {layer.__name__}; write {layer.__name__}()")
        if not isinstance(layer, Layer):
            raise ValueError(f"layer {position} is {layer!r}, which is no layer: use Dense(), Relu(), Conv(), ...")


def affine_layers(layers: tuple[Layer, ...]) -> tuple[Affine, ...]:
    """The layers with weights, in the order in which an input meets them; a branch before its shortcut.

    Example:
        >>> len(affine_layers((Dense(), Residual(Dense(), shortcut=(Dense(),)), Flatten())))
        3
    """
    found: list[Affine] = []
    for layer in layers:
        if isinstance(layer, Residual):
            found += [*affine_layers(layer.branch), *affine_layers(layer.shortcut)]
        elif isinstance(layer, Affine):
            found.append(layer)
    return tuple(found)


def sharing_pattern(layers: tuple[Layer, ...]) -> tuple[int, ...]:
    """Which :class:`Shared` standard deviations of some layers are one object, as numbers.

    Example:
        >>> import bayes_nn as bnn, numpyro.distributions as dist
        >>> shared = bnn.Shared(dist.LogNormal())
        >>> sharing_pattern((Dense(shared, 0.1), Dense(shared, 0.1)))
        (0, 0)
    """
    return sharing(std for layer in affine_layers(layers) for std in (layer.weight_std, layer.bias_std))


def without_numbers(layers: tuple[Layer, ...]) -> tuple[Layer, ...]:
    """The layers with every fixed standard deviation but 0 taken out; a bias_std of 0 means that there is no bias.

    Example:
        >>> without_numbers((Dense(1.5, 0.0), Flatten()))
        (Dense(weight_std=TAKEN_OUT, bias_std=0.0), Flatten())
    """

    def number_taken_out(std: StandardDeviation) -> StandardDeviation:
        return std if is_inferred(std) or std == 0.0 else TAKEN_OUT

    def one(layer: Layer) -> Layer:
        if isinstance(layer, Residual):
            return Residual(*without_numbers(layer.branch), shortcut=without_numbers(layer.shortcut))
        if isinstance(layer, Affine):
            return replace(
                layer, weight_std=number_taken_out(layer.weight_std), bias_std=number_taken_out(layer.bias_std)
            )
        return layer

    return tuple(map(one, layers))


def _check_stds(layer: Affine) -> None:
    weight_std = checked_std(layer.weight_std, "weight_std", default_weight_std)
    bias_std = checked_std(layer.bias_std, "bias_std", default_bias_std, zero_allowed=True)
    object.__setattr__(layer, "weight_std", weight_std)
    object.__setattr__(layer, "bias_std", bias_std)
