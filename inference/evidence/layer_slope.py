"""What the fluctuation of one hidden layer adds to the width slope: its estimate from neurons drawn at random.

Notation as in :mod:`bayes_nn.inference.evidence.width_slope`: C outputs Y, ``A = K + noise^2 I``, ``a = A^-1 Y``, and
G the second moments ``E[phi phi']`` of a hidden layer. Two quadratic forms of a neuron, t and q, have known means and
serve as control variates of every sample.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.activations import Identity
from bayes_nn.architecture.forward_pass import affine
from bayes_nn.architecture.layers import Dense
from bayes_nn.architecture.network import layer_stds
from bayes_nn.architecture.serial import Serial
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.infinite_width import NNGP
from bayes_nn.priors.kernels.kernel_derivatives import KernelDerivatives, hidden_activations, kernel_derivatives
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrix


class Readout(NamedTuple):
    """The infinite-width regression.

    Attributes:
        inverse: A^-1.
        a: A^-1 Y.
    """

    inverse: Float[Array, "N N"]
    a: Float[Array, "N C"]

    @property
    def outputs(self) -> int:
        """C."""
        return self.a.shape[1]

    @classmethod
    def of(cls, K: Float[Array, "N N"], Y: Float[Array, "N C"], noise_variance: Array) -> "Readout":
        """From the covariance; the gradient in K of the log density of one output y = 0 is -A^-1/2."""

        def log_density_of_zero(K: Array) -> Array:
            return KernelProcess(K).log_marginal(jnp.zeros((len(K), 1)), noise_variance)

        inverse = -2.0 * jax.grad(log_density_of_zero)(K)
        return cls(inverse, inverse @ Y)


def last_layer_samples(readout: Readout, S: Float[Array, "N N"], psi: Float[Array, "M N"]) -> Float[Array, "M 3"]:
    """Samples of the last hidden layer's term, and of ``t = |a'psi|^2`` and ``q = psi'A^-1 psi`` less their means.

    The term is ``E[t^2 - 2 (C + 2) t q + C (C + 2) q^2]/8``, for C = 1 the mean of q^2 times the fourth Hermite
    polynomial of a'psi/sqrt(q), less ``(E t - C E q)^2/8 + C tr(A^-1 S A^-1 S)/4 - tr(a'S A^-1 S a)/2``.

    Args:
        readout: the regression.
        S: ``E[psi psi']``.
        psi: outputs of M neurons times the readout's weight_std.
    """
    (inverse, a), C = readout, readout.outputs
    IS, Sa = inverse @ S, S @ a
    t, q = jnp.sum((psi @ a) ** 2, axis=1), jnp.sum(psi * (psi @ inverse), axis=1)
    t_mean, q_mean = jnp.vdot(a, Sa), jnp.trace(IS)
    constant = (t_mean - C * q_mean) ** 2 / 8.0 + C * jnp.vdot(IS, IS.T) / 4.0 - jnp.vdot(Sa, inverse @ Sa) / 2.0
    term = (t**2 - 2.0 * (C + 2) * t * q + C * (C + 2) * q**2) / 8.0 - constant
    return jnp.stack([term, t - t_mean, q - q_mean], axis=1)


def deeper_layer_samples(
    readout: Readout,
    derivatives: KernelDerivatives,
    G: Float[Array, "N N"],
    phi: Float[Array, "M N"],
    probes: Float[Array, "M N"],
) -> Float[Array, "M 3"]:
    """Samples of any hidden layer's term, and of t and q less their means.

    With ``R = F'[D]``, ``H = (a a' - C A^-1)/2`` and s a probe, the term is the mean of::

        1/2 [ tr(H R)^2 + tr(H F''[D, D]) + C/2 s'R A^-1 R s - tr(a'R A^-1 R a) ],    D = phi phi' - G.

    Args:
        readout: the regression.
        derivatives: of the kernel recursion F from this layer to the readout.
        G: second moments of the layer.
        phi: outputs of M of its neurons.
        probes: draws of N(0, A^-1), one for each neuron.
    """
    (inverse, a), C = readout, readout.outputs
    mean_change = derivatives.along(G)

    def squared(vectors: Float[Array, "M N"]) -> Float[Array, " M"]:
        """``v'R A^-1 R v``."""
        moved = derivatives.along_outer(phi, vectors) - vectors @ mean_change
        return jnp.sum(moved * (moved @ inverse), axis=1)

    def form(gradient: Float[Array, "N N"]) -> Float[Array, " M"]:
        """``phi'B phi`` less its mean."""
        B = derivatives.pulled_back(gradient)
        return jnp.sum(phi * (phi @ B), axis=1) - jnp.vdot(B, G)

    t, q = form(a @ a.T), form(inverse)
    gradient = 0.5 * (a @ a.T - C * inverse)
    of_data = jnp.sum(jax.lax.map(lambda one: squared(jnp.broadcast_to(one, phi.shape)), a.T), axis=0)
    second = derivatives.curvature(gradient, G, phi) + 0.5 * C * squared(probes) - of_data
    return jnp.stack([0.5 * ((0.5 * (t - C * q)) ** 2 + second), t, q], axis=1)


def gaussian_slope(readout: Readout, S: Float[Array, "N N"]) -> Float[Array, ""]:
    """The last layer's term where psi is Gaussian, from the fourth moments of quadratic forms.

    With ``T = a'S a`` and ``Q = A^-1 S``::

        1/4 [ tr T^2 - 2 tr T tr Q + C (tr Q)^2 - 2 (C + 1) tr(a'S A^-1 S a) + C (C + 1) tr Q^2 ]

    Args:
        readout: the regression.
        S: ``E[psi psi']``.
    """
    (inverse, a), C = readout, readout.outputs
    Q, Sa = inverse @ S, S @ a
    T = a.T @ Sa
    t, q, mixed = jnp.trace(T), jnp.trace(Q), jnp.vdot(Sa, inverse @ Sa)
    squares = jnp.vdot(T, T) + C * (C + 1) * jnp.vdot(Q, Q.T)
    return (squares - 2.0 * t * q + C * q**2 - 2.0 * (C + 1) * mixed) / 4.0


def layer_samples(problem: CollapsedProblem, u: Float[Array, " H"], key: Array, draws: int) -> Float[Array, "L M 3"]:
    """Samples of every hidden layer's term, with t and q less their means.

    Args:
        problem: an NNGP of a dense architecture under Gaussian noise.
        u: what is inferred, on the unconstrained scale.
        key: random key.
        draws: neurons drawn from each layer.
    """
    assert isinstance(problem.prior, NNGP)
    net, X, values = problem.prior.net, problem.X, problem.fixed | problem.values(u)
    noise_variance = problem.noise_variance(values)
    ends = [position for position, layer in enumerate(net.layers) if isinstance(layer, Dense)][1:]
    # Of the pre-activations of the second hidden layer, ..., of the readout: each is the NNGP of the layers up to it.
    covariances = [kernel_matrix(Serial(*net.layers[: end + 1]), values, X) for end in ends]
    activations, stds = hidden_activations(net), layer_stds(net, values)
    derivatives = kernel_derivatives(net, values, covariances)
    regression = KernelProcess(covariances[-1])
    readout = Readout.of(covariances[-1], problem.Y, noise_variance)

    def pre_activations(layer: int, key: Array) -> Float[Array, "M N"]:
        if layer:
            whitened = jax.random.normal(key, (len(X), draws))
            return KernelProcess(covariances[layer - 1]).function(whitened).T
        key_weights, key_biases = jax.random.split(key)
        W, b = jax.random.normal(key_weights, (X.shape[1], draws)), jax.random.normal(key_biases, (draws,))
        return affine(net.affine[0], X, stds[0], W, b).T

    def samples(layer: int, key: Array) -> Float[Array, "M 3"]:
        weight_std, bias_std = stds[layer + 1]
        G = (covariances[layer] - bias_std**2) / weight_std**2
        if all(isinstance(one, Identity) for one in activations[layer:]):
            exact = gaussian_slope(readout, derivatives[layer].k * G)
            return jnp.zeros((draws, 3)).at[:, 0].set(exact)
        key_neurons, key_probes = jax.random.split(key)
        phi = activations[layer](pre_activations(layer, key_neurons))
        if layer == net.depth - 1:
            return last_layer_samples(readout, weight_std**2 * G, weight_std * phi)
        data = regression.draw_prior(key_probes, draws, noise_variance)
        return deeper_layer_samples(readout, derivatives[layer], G, phi, data.T @ readout.inverse)

    return jnp.stack([samples(layer, one) for layer, one in enumerate(jax.random.split(key, net.depth))])
