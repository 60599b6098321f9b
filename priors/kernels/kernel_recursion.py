"""Infinite-width kernels of an architecture, by a recursion over whole kernel matrices."""

from collections.abc import Sequence
from functools import partial
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.layers import Flatten
from bayes_nn.architecture.network import Values, layer_stds, parameter_shapes, std_values
from bayes_nn.architecture.serial import Serial
from bayes_nn.priors.kernels.covariance import Covariance, Variances, input_covariance, input_variance, pools_later
from bayes_nn.priors.kernels.layer_rules import propagate
from bayes_nn.priors.kernels.tiles import Offset, fill

Kind = Literal["nngp", "ntk"]


class Kernels(NamedTuple):
    """Kernel matrices of one architecture; None where not asked for.

    Example:
        >>> import bayes_nn as bnn
        >>> kernel_matrices(bnn.mlp(depth=1), {}, jnp.ones((5, 3)), ntk=False).ntk is None
        True
    """

    nngp: Float[Array, "N M"]
    ntk: Float[Array, "N M"] | None


def check_inputs(net: Serial, input_shape: Sequence[int]) -> None:
    """Refuse inputs the architecture does not fit.

    Raises:
        ValueError: saying which layer does not, or that positions are left at the readout.

    Example:
        >>> import bayes_nn as bnn
        >>> check_inputs(bnn.mlp(depth=1), (3,))
    """
    parameter_shapes(net, tuple(input_shape), (2,) * net.depth)


def _self_covariance(net: Serial, stds: list, X: Array, tangent: bool) -> tuple[Covariance, list[Array]]:
    """Every input with itself through the whole network, and the variances that enter each nonlinearity."""
    variances = Variances.record()
    state = input_variance(X, paired=pools_later(net.layers))
    return propagate(net.layers, state, iter(stds), variances, tangent), variances.recorded


def kernel_diagonal(net: Serial, values: Values, X: Float[Array, "N *shape"], kind: Kind) -> Float[Array, " N"]:
    """The kernel of every input with itself; arguments as in :func:`kernel_matrix`.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.mlp(depth=1, activation="identity", weight_std=1.0, bias_std=0.0)
        >>> kernel_diagonal(net, {}, jnp.array([[1.0, 1.0], [2.0, 0.0]]), "nngp").tolist()
        [1.0, 2.0]
    """
    check_inputs(net, X.shape[1:])
    return _kernel_diagonal(net.without_numbers, std_values(net, values, X.dtype), X, kind)


@partial(jax.jit, static_argnames=("net", "kind"))
def _kernel_diagonal(net: Serial, values: Values, X: Array, kind: Kind) -> Array:
    state, _ = _self_covariance(net, layer_stds(net, values, X.dtype), X, kind == "ntk")
    return state.kernels[-1][:, 0]


def kernel_matrices(
    net: Serial,
    values: Values,
    X: Float[Array, "N *shape"],
    X_other: Float[Array, "M *shape"] | None = None,
    *,
    ntk: bool = True,
) -> Kernels:
    """The NNGP kernel and the NTK of an architecture between two sets of inputs, in one recursion.

    NNGP (Lee et al. 2018, arXiv:1711.00165, eq. 5): ``K_l = w_l^2 E[phi phi] + b_l^2``. NTK (Jacot et al.
    2018, theorem 1): ``T_l = K_l + w_l^2 E[phi' phi'] T_(l-1)``, with ``T_0 = K_0``. What convolutions, pooling,
    residual connections and layer normalisation do is in :mod:`bayes_nn.priors.kernels.layer_rules`.

    Args:
        net: the architecture.
        values: standard deviations by site name (``weight_std_0``, ...); where one is missing, the architecture's
            number or its prior's median. Differentiable.
        X: inputs (N, d), (N, T, C) or (N, H, W, C), float32 or float64; the kernels have their precision.
        X_other: other inputs; left out, the Gram matrix of ``X``, whose diagonal is then exact.
        ntk: whether the NTK is wanted as well.

    Raises:
        ValueError: if the architecture does not fit such inputs.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.Serial(bnn.Conv(), bnn.Relu(), bnn.GlobalAvgPool(), bnn.Dense())
        >>> kernel_matrices(net, {}, jnp.ones((5, 8, 8, 1))).ntk.shape
        (5, 5)
    """
    check_inputs(net, X.shape[1:])
    if X_other is not None and X_other.shape[1:] != X.shape[1:]:
        raise ValueError(f"inputs of shapes {X.shape[1:]} and {X_other.shape[1:]} cannot be compared")
    return _kernel_matrices(net.without_numbers, std_values(net, values, X.dtype), X, X_other, ntk)


@partial(jax.jit, static_argnames=("net", "ntk"))
def _kernel_matrices(net: Serial, values: Values, X: Array, X_other: Array | None, ntk: bool) -> Kernels:
    stds = layer_stds(net, values, X.dtype)
    if isinstance(net.layers[0], Flatten):  # the same kernel from one product of matrices
        X, X_other = X.reshape(len(X), -1), None if X_other is None else X_other.reshape(len(X_other), -1)
    itself, rows = _self_covariance(net, stds, X, ntk)
    other = X if X_other is None else X_other
    columns = rows if X_other is None else _self_covariance(net, stds, other, ntk)[1]
    paired = pools_later(net.layers)

    def tile(row: Offset, column: Offset, height: int, width: int) -> tuple[Array, ...]:
        def cut(arrays: list[Array], start: Offset, length: int) -> list[Array]:
            return [jax.lax.dynamic_slice_in_dim(one, start, length) for one in arrays]

        state = input_covariance(cut([X], row, height)[0], cut([other], column, width)[0], paired)
        variances = Variances.known(cut(rows, row, height), cut(columns, column, width))
        blocks = propagate(net.layers, state, iter(stds), variances, ntk).kernels
        if X_other is None:
            same = (row + jnp.arange(height))[:, None] == column + jnp.arange(width)
            exact = cut(itself.kernels, row, height)
            blocks = [jnp.where(same, diagonal, block) for diagonal, block in zip(exact, blocks, strict=True)]
        return tuple(blocks)

    positions = 1
    for length in X.shape[1:-1]:
        positions *= length ** (2 if paired else 1)
    shape = (len(X), len(other))
    matrices = fill(tile, shape, 1 + ntk, X.dtype, symmetric=X_other is None, positions=positions)
    return Kernels(matrices[0], matrices[1] if ntk else None)


def kernel_matrix(
    net: Serial, values: Values, X: Array, X_other: Array | None = None, kind: Kind = "nngp"
) -> Float[Array, "N M"]:
    """One of :func:`kernel_matrices`.

    Args:
        net: the architecture.
        values: standard deviations by site name.
        X: inputs.
        X_other: other inputs; ``X`` where left out.
        kind: ``"nngp"`` or ``"ntk"``.

    Example:
        >>> import bayes_nn as bnn
        >>> kernel_matrix(bnn.mlp(depth=1), {}, jnp.ones((5, 3)), jnp.ones((2, 3)), "ntk").shape
        (5, 2)
    """
    kernels = kernel_matrices(net, values, X, X_other, ntk=kind == "ntk")
    return kernels.nngp if kernels.ntk is None else kernels.ntk
