"""Infinite-width kernels as GPJax kernels."""

import math

import equinox as eqx
import jax.numpy as jnp
import lineax as lx
from gpjax.kernels import AbstractKernel
from gpjax.kernels.computations import AbstractKernelComputation
from gpjax.parameters import PositiveReal, val
from jaxtyping import Array, Float
from paramax import AbstractUnwrappable

from bayes_nn.architecture.network import hyperparameter_priors
from bayes_nn.architecture.serial import Serial
from bayes_nn.architecture.standard_deviations import median
from bayes_nn.priors.kernels.kernel_recursion import Kernels, Kind, kernel_diagonal, kernel_matrices, kernel_matrix


class WholeMatrix(AbstractKernelComputation):
    """Computes an infinite-width kernel for all pairs at once instead of pair by pair.

    Example:
        >>> WholeMatrix() == WholeMatrix()
        True
    """

    def _gram(self, kernel: "InfiniteWidthKernel", x: Array) -> Array:
        return kernel.matrix(x)

    def _cross_covariance(self, kernel: "InfiniteWidthKernel", x: Array, y: Array) -> Array:
        return kernel.matrix(x, y)

    def _diagonal(self, kernel: "InfiniteWidthKernel", inputs: Array) -> lx.AbstractLinearOperator:
        diagonal = kernel_diagonal(kernel.net, kernel.values(), kernel.shaped(inputs), kernel.kind)
        return lx.TaggedLinearOperator(lx.DiagonalLinearOperator(diagonal), lx.positive_semidefinite_tag)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


class InfiniteWidthKernel(AbstractKernel):
    """The NNGP kernel or NTK of an architecture, usable with any GPJax model.

    Standard deviations that the architecture infers are trainable ``PositiveReal`` parameters that
    start at their prior median; numbers stay fixed.

    Args:
        net: the architecture.
        kind: ``"nngp"`` or ``"ntk"``.
        active_dims: input columns (channels of images) the kernel reads; all by default.
        input_shape: of one image or sequence, where the rows of x hold it flattened, as a ``gpjax.Dataset`` needs;
            left out, x is taken as it is: (N, d), (N, T, C) or (N, H, W, C).

    Raises:
        ValueError: for an unknown kind, or inputs that the architecture does not fit.

    Example:
        >>> import bayes_nn as bnn
        >>> kernel = InfiniteWidthKernel(bnn.mlp(depth=1, weight_std=1.0, bias_std=0.0), "nngp")
        >>> kernel.gram(jnp.ones((2, 3))).as_matrix().shape
        (2, 2)
    """

    net: Serial = eqx.field(static=True)
    kind: Kind = eqx.field(static=True)
    input_shape: tuple[int, ...] | None = eqx.field(static=True)
    stds: dict[str, AbstractUnwrappable]
    name = "InfiniteWidth"

    def __init__(
        self,
        net: Serial,
        kind: Kind = "nngp",
        active_dims: list[int] | slice | None = None,
        input_shape: tuple[int, ...] | None = None,
    ) -> None:
        if kind not in ("nngp", "ntk"):
            raise ValueError(f"kind must be 'nngp' or 'ntk'; got {kind!r}")
        self.net, self.kind = net, kind
        self.input_shape = None if input_shape is None else tuple(input_shape)
        priors = hyperparameter_priors(net)
        self.stds = {site: PositiveReal(jnp.asarray(median(prior), dtype=float)) for site, prior in priors.items()}
        super().__init__(active_dims, None, WholeMatrix())

    def values(self) -> dict[str, Array]:
        """Current values of the trainable standard deviations, by site name."""
        return {site: val(std) for site, std in self.stds.items()}

    def shaped(self, x: Float[Array, "N ..."]) -> Float[Array, "N *shape"]:
        """Inputs as the architecture reads them.

        Raises:
            ValueError: if the rows do not hold ``input_shape``.
        """
        if self.input_shape is not None:
            if math.prod(x.shape[1:]) != math.prod(self.input_shape):
                raise ValueError(f"rows of shape {x.shape[1:]} do not hold inputs of shape {self.input_shape}")
            x = x.reshape(len(x), *self.input_shape)
        return self.slice_input(x)

    def matrix(self, x: Float[Array, "N ..."], y: Float[Array, "M ..."] | None = None) -> Float[Array, "N M"]:
        """Kernel between ``x`` and ``y``, or the Gram matrix of ``x``."""
        return kernel_matrix(self.net, self.values(), self.shaped(x), None if y is None else self.shaped(y), self.kind)

    def both(self, x: Float[Array, "N ..."], y: Float[Array, "M ..."] | None = None) -> Kernels:
        """The NNGP kernel and the NTK under the same parameters, in one recursion."""
        return kernel_matrices(self.net, self.values(), self.shaped(x), None if y is None else self.shaped(y))

    def __call__(self, x: Float[Array, "..."], y: Float[Array, "..."]) -> Float[Array, ""]:
        """Kernel between two single inputs."""
        return self.matrix(x[None], y[None])[0, 0]
