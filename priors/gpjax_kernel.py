"""Infinite-width kernels as GPJax kernels.

Importing GPJax starts JAX's backend, after which the number of host devices is settled. This module is
therefore imported when a kernel is first asked for, not when the package is.
"""

import equinox as eqx
import jax.numpy as jnp
import lineax as lx
from gpjax.kernels import AbstractKernel
from gpjax.kernels.computations import AbstractKernelComputation
from gpjax.parameters import PositiveReal, val
from jaxtyping import Array, Float
from paramax import AbstractUnwrappable

from bayes_nn.architecture import Serial
from bayes_nn.hyperparameters import StandardDeviation, is_inferred, median
from bayes_nn.priors.infinite_width import Kind, kernel_diagonal, kernel_matrix


class WholeMatrix(AbstractKernelComputation):
    """Computes an infinite-width kernel for all pairs at once instead of pair by pair."""

    def _gram(self, kernel: "InfiniteWidthKernel", x: Array) -> Array:
        return kernel.matrix(x)

    def _cross_covariance(self, kernel: "InfiniteWidthKernel", x: Array, y: Array) -> Array:
        return kernel.matrix(x, y)

    def _diagonal(self, kernel: "InfiniteWidthKernel", inputs: Array) -> lx.AbstractLinearOperator:
        weight_std, bias_std = kernel.stds()
        diagonal = kernel_diagonal(kernel.net, weight_std, bias_std, kernel.slice_input(inputs), kernel.kind)
        return lx.TaggedLinearOperator(lx.DiagonalLinearOperator(diagonal), lx.positive_semidefinite_tag)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


def _parameter(std: StandardDeviation) -> AbstractUnwrappable | float:
    """A trainable GPJax parameter at the prior median, or the fixed number."""
    return PositiveReal(jnp.asarray(median(std), dtype=float)) if is_inferred(std) else float(std)


class InfiniteWidthKernel(AbstractKernel):
    """The NNGP kernel or NTK of an architecture, usable with any GPJax model.

    Standard deviations that the architecture infers are trainable ``PositiveReal`` parameters that
    start at their prior median; numbers stay fixed.

    Args:
        net: the architecture.
        kind: ``"nngp"`` or ``"ntk"``.
        active_dims: input columns the kernel reads; all by default.

    Example:
        >>> import bayes_nn as bnn
        >>> kernel = InfiniteWidthKernel(bnn.mlp(depth=1, weight_std=1.0, bias_std=0.0), "nngp")
        >>> kernel.gram(jnp.ones((2, 3))).as_matrix().shape
        (2, 2)
    """

    net: Serial = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)
    weight_std: list
    bias_std: list
    fixed: tuple = eqx.field(static=True)
    name = "InfiniteWidth"

    def __init__(self, net: Serial, kind: Kind = "nngp", active_dims: list[int] | slice | None = None) -> None:
        if kind not in ("nngp", "ntk"):
            raise ValueError(f"kind must be 'nngp' or 'ntk'; got {kind!r}")
        self.net, self.kind = net, kind
        weight = [_parameter(layer.weight_std) for layer in net.dense]
        bias = [_parameter(layer.bias_std) for layer in net.dense]
        self.fixed = tuple(None if isinstance(s, AbstractUnwrappable) else s for s in (*weight, *bias))
        self.weight_std = [s if isinstance(s, AbstractUnwrappable) else None for s in weight]
        self.bias_std = [s if isinstance(s, AbstractUnwrappable) else None for s in bias]
        super().__init__(active_dims, None, WholeMatrix())

    def stds(self) -> tuple[list[Array], list[Array]]:
        """Current weight and bias standard deviations, one per affine layer."""
        parameters = zip((*self.weight_std, *self.bias_std), self.fixed, strict=True)
        values = [jnp.asarray(number if std is None else val(std)) for std, number in parameters]
        return values[: len(self.weight_std)], values[len(self.weight_std) :]

    def matrix(self, x: Float[Array, "N d"], y: Float[Array, "M d"] | None = None) -> Float[Array, "N M"]:
        """Kernel between ``x`` and ``y``, or the Gram matrix of ``x``."""
        weight_std, bias_std = self.stds()
        other = None if y is None else self.slice_input(y)
        return kernel_matrix(self.net, weight_std, bias_std, self.slice_input(x), other, self.kind)

    def __call__(self, x: Float[Array, " d"], y: Float[Array, " d"]) -> Float[Array, ""]:
        """Kernel between two single inputs."""
        return self.matrix(x[None, :], y[None, :])[0, 0]
