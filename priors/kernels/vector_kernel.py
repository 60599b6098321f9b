"""The NNGP kernel's Gram matrix of vectors, with a derivative in the vectors that is written out.

Between vectors every layer acts on each pair of inputs by itself: with the first covariances G, the matrix is
``K_ij = f(G_ij, G_ii, G_jj)``. So a gradient in K is pulled back entry by entry to one in G, and ``G = Z Z'/r`` takes
it to Z by one product of matrices. Both ways go tile by tile over one triangle of the matrix; what a tile needs is
computed again on the way back rather than stored, so that memory does not grow.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.network import Values, layer_stds, std_values
from bayes_nn.architecture.serial import Serial
from bayes_nn.priors.kernels.covariance import Covariance, Variances
from bayes_nn.priors.kernels.kernel_recursion import check_inputs
from bayes_nn.priors.kernels.layer_rules import propagate
from bayes_nn.priors.kernels.tiles import Cuts, Offset, fill

#: Rows of a tile at most: small enough that one triangle of 200 rows saves work, large enough to be worth a loop.
SIDE = 100

#: Variances of every input where a nonlinearity needs them, in order.
Recorded = list[Float[Array, " N"]]


def gram_of_vectors(net: Serial, values: Values, Z: Float[Array, "N r"]) -> Float[Array, "N N"]:
    """The Gram matrix that ``kernel_matrix(net, values, Z)`` gives, to be differentiated in ``Z`` and ``values``.

    Derivatives are of reverse mode and first order. On the diagonal and for equal inputs they are exact.

    Args:
        net: the architecture.
        values: standard deviations by site name, as in
            :func:`~bayes_nn.priors.kernels.kernel_recursion.kernel_matrices`.
        Z: inputs, float32 or float64; the matrix has their precision.

    Raises:
        ValueError: if the architecture does not fit such inputs.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.mlp(depth=1, activation="identity", weight_std=1.0, bias_std=0.0)
        >>> jax.grad(lambda Z: gram_of_vectors(net, {}, Z)[0, 1])(jnp.array([[2.0], [3.0]])).tolist()
        [[3.0], [2.0]]
    """
    check_inputs(net, Z.shape[1:])
    return _gram(net.without_numbers, std_values(net, values, Z.dtype), Z)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _gram(net: Serial, values: Values, Z: Float[Array, "N r"]) -> Float[Array, "N N"]:
    G = _first_covariance(Z)
    itself, variances = _with_itself(net, values, jnp.diagonal(G))

    def tile(row: Offset, column: Offset, height: int, width: int) -> tuple[Array]:
        k = jax.lax.dynamic_slice(G, (row, column), (height, width))
        block = _between(net, values, k, _cut(variances, row, height), _cut(variances, column, width))
        same = (row + jnp.arange(height))[:, None] == column + jnp.arange(width)
        return (jnp.where(same, jax.lax.dynamic_slice_in_dim(itself, row, height)[:, None], block),)

    return fill(tile, (len(Z), len(Z)), 1, Z.dtype, symmetric=True, side=SIDE)[0]


def _forward(net: Serial, values: Values, Z: Array) -> tuple[Array, tuple[Values, Array]]:
    return _gram(net, values, Z), (values, Z)


def _backward(net: Serial, kept: tuple[Values, Array], H: Float[Array, "N N"]) -> tuple[Values, Float[Array, "N r"]]:
    """From the gradient in K those in the standard deviations and in Z.

    H may be any matrix, of which only the symmetric part counts. Pairs i < j are gone through once. ``B`` collects the
    gradients in G_ij, the recorded variances theirs, which then go back, with the diagonal's, to G_ii.
    """
    values, Z = kept
    G = _first_covariance(Z)
    (_, variances), back_to_diagonal = jax.vjp(partial(_with_itself, net), values, jnp.diagonal(G))
    cuts = Cuts(len(Z), SIDE)
    rows, columns = jnp.triu_indices(cuts.count)
    starts = jnp.asarray(cuts.starts)
    shape = (cuts.length, cuts.length)

    def add_tile(number: Array, sums: tuple[Array, Recorded, Values]) -> tuple[Array, Recorded, Values]:
        B, of_variances, of_values = sums
        at = row, column = starts[rows[number]], starts[columns[number]]
        i, j = (row + jnp.arange(cuts.length))[:, None], column + jnp.arange(cuts.length)
        # The last tiles overlap with those before, whose pairs do not count again.
        new = (i < j) & (i >= rows[number] * cuts.length) & (j >= columns[number] * cuts.length)
        own = jax.lax.dynamic_slice(H, at, shape) + jax.lax.dynamic_slice(H, at[::-1], shape).T
        pull_back = jax.vjp(
            partial(_between, net), values, jax.lax.dynamic_slice(G, at, shape),
            _cut(variances, row, cuts.length), _cut(variances, column, cuts.length),
        )[1]  # fmt: skip
        more, k, p, q = pull_back(jnp.where(new, own, 0.0))
        B = _added(B, k, at)
        of_variances = [
            _added(_added(one, a, (row,)), b, (column,)) for one, a, b in zip(of_variances, p, q, strict=True)
        ]
        return B, of_variances, jax.tree.map(jnp.add, of_values, more)

    B, of_variances, of_values = jax.lax.fori_loop(
        0, len(rows), add_tile, jax.tree.map(jnp.zeros_like, (G, variances, values))
    )
    more, of_diagonal = back_to_diagonal((jnp.diagonal(H), of_variances))
    of_Z = (B @ Z + B.T @ Z + 2.0 * of_diagonal[:, None] * Z) / Z.shape[1]
    return jax.tree.map(jnp.add, of_values, more), of_Z


_gram.defvjp(_forward, _backward)


def _first_covariance(Z: Float[Array, "N r"]) -> Float[Array, "N N"]:
    return Z @ Z.T / Z.shape[1]


def _with_itself(net: Serial, values: Values, variance: Float[Array, " N"]) -> tuple[Float[Array, " N"], Recorded]:
    """The kernel of every input with itself, and the variances that enter each nonlinearity."""
    variances = Variances.record()
    stds = layer_stds(net, values, variance.dtype)
    state = propagate(net.layers, Covariance(variance[:, None]), iter(stds), variances, tangent=False)
    return state.nngp[:, 0], variances.recorded


def _between(
    net: Serial, values: Values, k: Float[Array, "n m"], rows: Recorded, columns: Recorded
) -> Float[Array, "n m"]:
    """The kernel of pairs of inputs from their first covariances and their variances at every nonlinearity."""
    stds = layer_stds(net, values, k.dtype)
    return propagate(net.layers, Covariance(k), iter(stds), Variances.known(rows, columns), tangent=False).nngp


def _cut(variances: Recorded, start: Offset, length: int) -> Recorded:
    return [jax.lax.dynamic_slice_in_dim(one, start, length) for one in variances]


def _added(array: Array, block: Array, at: tuple[Offset, ...]) -> Array:
    """The array with a block added to the entries that begin there."""
    own = jax.lax.dynamic_slice(array, at, block.shape)
    return jax.lax.dynamic_update_slice(array, own + block, at)
