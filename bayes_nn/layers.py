"""Layers of an architecture. None has a width: that belongs to the finite network alone.

Inputs are vectors (N, d), sequences (N, T, C) or images (N, H, W, C), channels last.
"""

from dataclasses import dataclass
from typing import Literal

from bayes_nn.activations import Elementwise
from bayes_nn.hyperparameters import StandardDeviation, checked_std, default_bias_std, default_weight_std

Padding = Literal["SAME", "VALID", "CIRCULAR"]


@dataclass(frozen=True, eq=False)
class Dense:
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
class Conv:
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
        _check_windows(self, "filter_shape")
        _check_stds(self)


@dataclass(frozen=True)
class Flatten:
    """All positions and channels of an input as one vector."""


@dataclass(frozen=True)
class GlobalAvgPool:
    """The mean over all positions, per channel."""


@dataclass(frozen=True)
class AvgPool:
    """The mean over windows of positions, per channel.

    Args:
        window_shape: one length per spatial axis.
        strides: one per spatial axis; the window's shape when left out.
        padding: as in :class:`Conv`; the sum is divided by the full window also at the border.

    Raises:
        ValueError: for a bad shape, stride or padding.

    Example:
        >>> AvgPool((2, 2)).strides
        (2, 2)
    """

    window_shape: tuple[int, ...] = (2, 2)
    strides: tuple[int, ...] | None = None
    padding: Padding = "VALID"

    def __post_init__(self) -> None:
        _check_windows(self, "window_shape")


@dataclass(frozen=True)
class LayerNorm:
    """Each position's channels brought to mean 0 and variance 1, without a trainable scale or shift.

    With infinitely many channels the mean is 0 and the variance is the kernel's diagonal, so the kernel becomes
    a correlation (Ba, Kiros and Hinton 2016, arXiv:1607.06450, eq. 3).

    Args:
        eps: added to the variance.

    Raises:
        ValueError: if eps is not positive.
    """

    eps: float = 1e-12

    def __post_init__(self) -> None:
        if not self.eps > 0:
            raise ValueError(f"eps must be positive; got {self.eps!r}")


class Residual:
    """``branch(x) + shortcut(x)`` (He et al. 2016, arXiv:1512.03385).

    Args:
        *branch: layers in series.
        shortcut: layers in series; the identity where empty.

    Raises:
        ValueError: if something is not a layer, or there is no branch.

    Example:
        >>> from bayes_nn.activations import Relu
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
    """
    for position, layer in enumerate(layers):
        if isinstance(layer, type):
            raise ValueError(f"layer {position} is the class {layer.__name__}; write {layer.__name__}()")
        if not isinstance(layer, Layer):
            raise ValueError(f"layer {position} is {layer!r}, which is no layer: use Dense(), Relu(), Conv(), ...")


def affine_layers(layers: tuple[Layer, ...]) -> tuple[Affine, ...]:
    """The layers with weights, in the order in which an input meets them; a branch before its shortcut."""
    found: list[Affine] = []
    for layer in layers:
        if isinstance(layer, Residual):
            found += [*affine_layers(layer.branch), *affine_layers(layer.shortcut)]
        elif isinstance(layer, Affine):
            found.append(layer)
    return tuple(found)


def _check_stds(layer: Affine) -> None:
    weight_std = checked_std(layer.weight_std, "weight_std", default_weight_std)
    bias_std = checked_std(layer.bias_std, "bias_std", default_bias_std, zero_allowed=True)
    object.__setattr__(layer, "weight_std", weight_std)
    object.__setattr__(layer, "bias_std", bias_std)


def _check_windows(layer: Conv | AvgPool, name: str) -> None:
    window = _checked_lengths(getattr(layer, name), name)
    default_strides = window if isinstance(layer, AvgPool) else (1,) * len(window)
    strides = default_strides if layer.strides is None else _checked_lengths(layer.strides, "strides")
    if len(strides) != len(window):
        raise ValueError(f"{name} {window} and strides {strides} must have one number per spatial axis")
    if layer.padding not in ("SAME", "VALID", "CIRCULAR"):
        raise ValueError(f"padding must be 'SAME', 'VALID' or 'CIRCULAR'; got {layer.padding!r}")
    object.__setattr__(layer, name, window)
    object.__setattr__(layer, "strides", strides)


def _checked_lengths(lengths: object, name: str) -> tuple[int, ...]:
    numbers = tuple(lengths) if isinstance(lengths, (tuple, list)) else ()
    if not numbers or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in numbers):
        raise ValueError(f"{name} must be a tuple of positive integers, one per spatial axis; got {lengths!r}")
    return numbers
