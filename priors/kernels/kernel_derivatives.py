"""First and second derivatives of the kernel recursion, from every hidden layer to the readout.

Dense layers and activations act on every pair of inputs by itself: with G the second moments ``E[phi phi']`` of a
hidden layer, the readout's covariance is ``K_ij = f(G_ij, G_ii, G_jj)``. So the derivatives of K along any change of G
follow from those of f, a handful of N x N matrices, and cost O(N^2) per change of rank one.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.activations import Elementwise, Identity
from bayes_nn.architecture.layers import Dense
from bayes_nn.architecture.network import Values, layer_stds
from bayes_nn.architecture.serial import Serial
from bayes_nn.priors.kernels.dual_activations import dual


def hidden_activations(net: Serial) -> tuple[Elementwise, ...]:
    """The activation of every hidden layer of a dense network, the identity where there is none.

    Raises:
        ValueError: if a layer is neither ``Dense`` nor an activation.

    Example:
        >>> import bayes_nn as bnn
        >>> hidden_activations(bnn.Serial(bnn.Dense(), bnn.Relu(), bnn.Dense(), bnn.Dense()))
        (Relu(), Identity())
    """
    found: list[Elementwise] = []
    for layer in net.layers:
        if isinstance(layer, Dense):
            found.append(Identity())
        elif isinstance(layer, Elementwise):
            found[-1] = layer
        else:
            raise ValueError(f"only networks of Dense layers and activations have a width slope; got {layer!r}")
    return tuple(found[:-1])


class KernelDerivatives(NamedTuple):
    """Derivatives of ``f(k, p, q)`` at ``k = G_ij``, ``p = G_ii``, ``q = G_jj``, for every pair of inputs.

    Those in q are the transposes of those in p. On the diagonal, where k, p and q are one number, ``k`` and ``kk`` hold
    the derivatives in that number and the others are 0.

    Example:
        >>> import bayes_nn as bnn
        >>> slopes = activation_derivatives(bnn.Identity(), jnp.eye(2))
        >>> slopes.along(jnp.array([[0.0, 0.1], [0.1, 0.0]])).tolist()
        [[0.0, 0.1], [0.1, 0.0]]
    """

    k: Float[Array, "N N"]
    p: Float[Array, "N N"]
    kk: Float[Array, "N N"]
    kp: Float[Array, "N N"]
    pp: Float[Array, "N N"]
    pq: Float[Array, "N N"]

    def along(self, change: Float[Array, "N N"]) -> Float[Array, "N N"]:
        """``F'[D]``: the first derivative of K along a change D of G."""
        own = self.p * jnp.diagonal(change)[:, None]
        return self.k * change + own + own.T

    def along_outer(self, phi: Float[Array, "M N"], vectors: Float[Array, "M N"]) -> Float[Array, "M N"]:
        """``F'[phi phi'] v`` for every phi with its own v."""
        square = phi * phi
        return phi * ((phi * vectors) @ self.k) + square * (vectors @ self.p.T) + (square * vectors) @ self.p

    def pulled_back(self, gradient: Float[Array, "N N"]) -> Float[Array, "N N"]:
        """B with ``tr(B D) = tr(H F'[D])`` for every D: the symmetric gradient H in K becomes one in G."""
        return self.k * gradient + 2.0 * jnp.diag(jnp.sum(self.p * gradient, axis=1))

    def curvature(
        self, gradient: Float[Array, "N N"], G: Float[Array, "N N"], phi: Float[Array, "M N"]
    ) -> Float[Array, " M"]:
        """``tr(H F''[D, D])`` along ``D = phi phi' - G`` for every phi, given the symmetric gradient H in K."""
        kk, kp, pp, pq = (gradient * second for second in (self.kk, self.kp, self.pp, self.pq))
        square = phi * phi
        own = square - jnp.diagonal(G)
        both = jnp.sum(square * (square @ kk) - 2.0 * phi * (phi @ (kk * G)), axis=1) + jnp.sum(kk * G * G)
        mixed = jnp.sum(own * phi * (phi @ kp.T) - own * jnp.sum(kp * G, axis=1), axis=1)
        variances = jnp.sum(own * (own * jnp.sum(pp, axis=1) + own @ pq), axis=1)
        return both + 4.0 * mixed + 2.0 * variances

    def after(self, inner: "KernelDerivatives") -> "KernelDerivatives":
        """The chain rule: these derivatives, taken at the values that an inner map of every pair has."""
        slope, bend = jnp.diagonal(inner.k)[:, None], jnp.diagonal(inner.kk)[:, None]
        crossed = self.kp * slope * inner.p.T
        return KernelDerivatives(
            k=self.k * inner.k,
            p=self.k * inner.p + self.p * slope,
            kk=self.kk * inner.k**2 + self.k * inner.kk,
            kp=(self.kk * inner.p + self.kp * slope) * inner.k + self.k * inner.kp,
            pp=(self.kk * inner.p + 2.0 * self.kp * slope) * inner.p
            + self.pp * slope**2
            + self.k * inner.pp
            + self.p * bend,
            pq=self.kk * inner.p * inner.p.T + crossed + crossed.T + self.pq * slope * slope.T + self.k * inner.pq,
        )


def scaling(factor: Array, count: int) -> KernelDerivatives:
    """The derivatives of ``k -> factor k + constant`` at ``count`` inputs: what a dense layer does.

    Example:
        >>> scaling(jnp.array(2.0), 3).k.shape
        (3, 3)
    """
    nothing = jnp.zeros((count, count))
    return KernelDerivatives(jnp.full_like(nothing, factor), *[nothing] * 5)


@partial(jax.jit, static_argnames="activation")
def activation_derivatives(activation: Elementwise, K: Float[Array, "N N"]) -> KernelDerivatives:
    """The derivatives of an activation's dual where the pre-activations have covariance K.

    Inputs that a rectifier cannot tell apart move together, so their second derivatives are 0.

    Example:
        >>> import bayes_nn as bnn
        >>> float(activation_derivatives(bnn.Relu(), jnp.eye(2)).k[0, 1])  # E[phi' phi'] of uncorrelated neurons
        0.25
    """
    # A pre-activation of variance 0 never moves, so that any derivative will do.
    p = jnp.where(jnp.diagonal(K) > 0.0, jnp.diagonal(K), 1.0)
    itself = jnp.eye(len(K), dtype=bool)

    def moments(shift: Float[Array, " 3"]) -> Float[Array, "N N"]:
        return dual(activation, K + shift[0], p[:, None] + shift[1], p[None, :] + shift[2])

    def gradient(shift: Float[Array, " 3"]) -> tuple[Float[Array, "N N 3"], Float[Array, "N N 3"]]:
        first = jax.jacfwd(moments)(shift)
        return first, first

    second, first = jax.jacfwd(gradient, has_aux=True)(jnp.zeros(3))
    return KernelDerivatives(
        k=jnp.where(itself, jnp.sum(first, axis=-1), first[..., 0]),
        p=jnp.where(itself, 0.0, first[..., 1]),
        kk=jnp.where(itself, jnp.sum(second, axis=(-2, -1)), second[..., 0, 0]),
        kp=jnp.where(itself, 0.0, second[..., 0, 1]),
        pp=jnp.where(itself, 0.0, second[..., 1, 1]),
        pq=jnp.where(itself, 0.0, second[..., 1, 2]),
    )


def kernel_derivatives(net: Serial, values: Values, covariances: list[Float[Array, "N N"]]) -> list[KernelDerivatives]:
    """The derivatives of the readout's covariance in the second moments ``E[phi phi']`` of every hidden layer.

    Args:
        net: a dense architecture.
        values: standard deviations by site name.
        covariances: of the pre-activations of the second hidden layer, the third, and so on to the readout.

    Returns:
        One for each hidden layer, in order.

    Raises:
        ValueError: if the architecture is not dense.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.mlp(depth=2, activation="identity", weight_std=2.0)
        >>> first, last = kernel_derivatives(net, {}, [jnp.eye(3), jnp.eye(3)])
        >>> float(first.k[0, 1]), float(last.k[0, 1])
        (16.0, 4.0)
    """
    weight_stds = [weight_std for weight_std, _ in layer_stds(net, values)]
    count = len(covariances[-1])
    found = [scaling(weight_stds[-1] ** 2, count)]
    stages = zip(hidden_activations(net)[1:], weight_stds[1:-1], covariances[:-1], strict=True)
    for activation, weight_std, K in reversed(list(stages)):
        through = activation_derivatives(activation, K).after(scaling(weight_std**2, count))
        found.insert(0, found[0].after(through))
    return found
