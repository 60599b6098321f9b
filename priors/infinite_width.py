"""Infinite-width kernels of an architecture, by a recursion over whole kernel matrices."""

from typing import Literal

import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture import Serial
from bayes_nn.network import layer_stds
from bayes_nn.priors.dual_activations import derivative_dual, derivative_dual_diagonal, dual, dual_diagonal

Kind = Literal["nngp", "ntk"]


def kernel_diagonal(
    net: Serial, weight_std: list[Array], bias_std: list[Array], X: Float[Array, "N d"], kind: Kind
) -> Float[Array, " N"]:
    """The kernel of every input with itself; arguments as in :func:`kernel_matrix`."""
    return _diagonals(net, weight_std, bias_std, X, kind)[-1][1 if kind == "ntk" else 0]


def _diagonals(
    net: Serial, weight_std: list[Array], bias_std: list[Array], X: Array, kind: Kind
) -> list[tuple[Array, Array]]:
    """(NNGP, NTK) diagonals of the pre-activations of every affine layer."""
    nngp = weight_std[0] ** 2 * jnp.mean(X * X, axis=1) + bias_std[0] ** 2
    layers = [(nngp, nngp)]
    for activation, w, b in zip(net.activations, weight_std[1:], bias_std[1:], strict=True):
        previous, tangent = layers[-1]
        nngp = w**2 * dual_diagonal(activation, previous) + b**2
        if kind == "ntk":
            tangent = nngp + w**2 * derivative_dual_diagonal(activation, previous) * tangent
        layers.append((nngp, tangent))
    return layers


def kernel_matrix(
    net: Serial,
    weight_std: list[Float[Array, ""]],
    bias_std: list[Float[Array, ""]],
    X: Float[Array, "N d"],
    X_other: Float[Array, "M d"] | None = None,
    kind: Kind = "nngp",
) -> Float[Array, "N M"]:
    """The NNGP kernel or the NTK of an architecture between two sets of inputs.

    NNGP (Lee et al. 2018, arXiv:1711.00165, eq. 5): ``K_l = w_l^2 E[phi phi] + b_l^2``. NTK (Jacot et al.
    2018, theorem 1): ``T_l = K_l + w_l^2 E[phi' phi'] T_(l-1)``, with ``T_0 = K_0``.

    Args:
        net: the architecture.
        weight_std: one per affine layer.
        bias_std: one per affine layer.
        X: inputs (N, d).
        X_other: inputs (M, d); left out, the Gram matrix of ``X``, whose diagonal is then exact.
        kind: ``"nngp"`` or ``"ntk"``.

    Returns:
        The kernel matrix, (N, M).
    """
    other = X if X_other is None else X_other
    rows = _diagonals(net, weight_std, bias_std, X, kind)
    columns = rows if X_other is None else _diagonals(net, weight_std, bias_std, other, kind)
    nngp = weight_std[0] ** 2 * (X @ other.T) / X.shape[1] + bias_std[0] ** 2
    tangent = nngp
    for layer, activation in enumerate(net.activations):
        w, b = weight_std[layer + 1], bias_std[layer + 1]
        p, q = rows[layer][0][:, None], columns[layer][0][None, :]
        if kind == "ntk":
            tangent = w**2 * derivative_dual(activation, nngp, p, q) * tangent
        nngp = w**2 * dual(activation, nngp, p, q) + b**2
        if kind == "ntk":
            tangent = tangent + nngp
    kernel = tangent if kind == "ntk" else nngp
    if X_other is None:
        diagonal = rows[-1][1 if kind == "ntk" else 0]
        kernel = jnp.where(jnp.eye(len(X), dtype=bool), diagonal[:, None], kernel)
    return kernel


def prior_kernel_matrix(
    net: Serial, values: dict[str, Array], X: Array, X_other: Array | None = None, kind: Kind = "nngp"
) -> Float[Array, "N M"]:
    """:func:`kernel_matrix` under sampled standard deviations, by site name."""
    weight_std, bias_std = layer_stds(net, values)
    return kernel_matrix(net, weight_std, bias_std, X, X_other, kind)


def prior_kernel_diagonal(net: Serial, values: dict[str, Array], X: Array, kind: Kind = "nngp") -> Float[Array, " N"]:
    """:func:`kernel_diagonal` under sampled standard deviations, by site name."""
    weight_std, bias_std = layer_stds(net, values)
    return kernel_diagonal(net, weight_std, bias_std, X, kind)
