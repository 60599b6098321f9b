"""Layers without weights: reshaping, pooling and normalisation."""

from dataclasses import dataclass
from typing import Any, Literal

from bayes_nn.architecture.equality import ByFields

Padding = Literal["SAME", "VALID", "CIRCULAR"]


@dataclass(frozen=True, eq=False)
class Flatten(ByFields):
    """All positions and channels of an input as one vector.

    Example:
        >>> Flatten() == Flatten()
        True
    """


@dataclass(frozen=True, eq=False)
class GlobalAvgPool(ByFields):
    """The mean over all positions, per channel.

    Example:
        >>> GlobalAvgPool()
        GlobalAvgPool()
    """


@dataclass(frozen=True, eq=False)
class AvgPool(ByFields):
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
        check_windows(self, "window_shape")


@dataclass(frozen=True, eq=False)
class LayerNorm(ByFields):
    """Each position's channels brought to mean 0 and variance 1, without a trainable scale or shift.

    With infinitely many channels the mean is 0 and the variance is the kernel's diagonal, so the kernel becomes
    a correlation (Ba, Kiros and Hinton 2016, arXiv:1607.06450, eq. 3).

    Args:
        eps: added to the variance.

    Raises:
        ValueError: if eps is not positive.

    Example:
        >>> LayerNorm(eps=1e-6)
        LayerNorm(eps=1e-06)
    """

    eps: float = 1e-12

    def __post_init__(self) -> None:
        if not self.eps > 0:
            raise ValueError(f"eps must be positive; got {self.eps!r}")


def check_windows(layer: Any, name: str) -> None:
    """Check and complete the shape, strides and padding of a layer that moves a window over positions.

    Args:
        layer: a ``Conv`` or ``AvgPool`` under construction.
        name: of the attribute that holds the shape of the window.

    Raises:
        ValueError: for a bad shape, stride or padding.

    Example:
        >>> AvgPool((2,), strides=(1, 1))
        Traceback (most recent call last):
        ValueError: window_shape (2,) and strides (1, 1) must have one number per spatial axis
    """
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
