"""Centred kernel alignment: how far the data turned the network's kernel, and whether towards the targets."""

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.inference.features.after_kernel import kernels_of
from bayes_nn.inference.posterior.draws import checked_network, of_every_draw
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.monte_carlo_errors import Average, average_over_draws
from bayes_nn.priors.finite_width import BayesianNetwork
from bayes_nn.priors.infinite_width import NNGP
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each
from bayes_nn.runtime.progress import progress_bar
from bayes_nn.runtime.random_keys import checked_key


def centred(K: Float[Array, "N N"]) -> Float[Array, "N N"]:
    """``H K H`` with ``H = I - 11'/N``: the kernel of features whose mean over the rows is 0.

    Example:
        >>> centred(jnp.ones((2, 2))).tolist()
        [[0.0, 0.0], [0.0, 0.0]]
    """
    K = K - jnp.mean(K, axis=0)
    return K - jnp.mean(K, axis=1)[:, None]


def alignment(K1: Float[Array, "N N"], K2: Float[Array, "N N"]) -> Float[Array, ""]:
    """Centred kernel alignment, the cosine between two kernel matrices once both are centred; from 0 to 1.

    ``A = <H K1 H, H K2 H> / (|H K1 H| |H K2 H|)`` in the Frobenius norm (Cortes, Mohri and Rostamizadeh 2012, JMLR 13,
    definition 4), also known as linear CKA (Kornblith et al. 2019, arXiv:1905.00414, eq. 4). A scale and a constant
    added to either kernel, such as the bias of a readout, change nothing.

    Args:
        K1: a kernel matrix.
        K2: another, at the same inputs.

    Raises:
        ValueError: if the two are not square matrices of one size.

    Example:
        >>> round(float(alignment(jnp.eye(3), 2.0 * jnp.eye(3) + 5.0)), 6)
        1.0
    """
    if jnp.ndim(K1) != 2 or jnp.shape(K1) != jnp.shape(K2) or jnp.shape(K1)[0] != jnp.shape(K1)[1]:
        raise ValueError(f"kernel matrices of shapes {jnp.shape(K1)} and {jnp.shape(K2)} cannot be aligned")
    K1, K2 = centred(jnp.asarray(K1)), centred(jnp.asarray(K2))
    return jnp.vdot(K1, K2) / (jnp.linalg.norm(K1) * jnp.linalg.norm(K2))


@dataclass(frozen=True)
class KernelAlignment:
    """Centred alignments of the last hidden layer's kernel, averaged over draws; ``y`` stands for the kernel yy'.

    *Before* is a draw of the hidden weights from the prior under the hyperparameters of a posterior draw, *after* the
    posterior draw itself, so that hyperparameters make no difference between the two.

    Attributes:
        before: with y, before.
        after: with y, after.
        change: after minus before, draw by draw: how far the features turned towards the targets.
        infinite_width: of the NNGP kernel with y.
        prior_to_prior: of the kernel before with the NNGP's: what finite width alone does.
        prior_to_posterior: of the kernel after with the NNGP's: below ``prior_to_prior`` where features moved.

    Example:
        >>> one = Average(0.5, 0.01, 0.1)
        >>> print(KernelAlignment(one, one, one, one, one, one).change)
        0.5 +- 0.01 (spread 0.1)
    """

    before: Average
    after: Average
    change: Average
    infinite_width: Average
    prior_to_prior: Average
    prior_to_posterior: Average

    def __str__(self) -> str:
        return "\n".join(f"{name.replace('_', ' '):20}{average}" for name, average in vars(self).items())


def kernel_alignment(posterior: Posterior, key: int | Array = 0, *, progress: bool = True) -> KernelAlignment:
    """Alignment of a network's kernel with the targets and with its NNGP kernel, before and after the data.

    A finite width lowers the alignment of any single draw, which is why the kernel before is a draw of the same width
    and not the NNGP's. Every likelihood will do; labels count as their encoding.

    Args:
        posterior: of a network.
        key: a JAX key or an integer seed, for the draws from the prior.
        progress: show a progress bar on a terminal.

    Returns:
        Averages over draws, each with its MCSE and its spread over draws.

    Raises:
        ValueError: for a prior without hidden weights.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(20, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=20)
        >>> posterior = bnn.fit(network, X, X[:, 0], bnn.Gaussian(0.3), bnn.inference.InfiniteHMC(draws=50))
        >>> bool(kernel_alignment(posterior).change.value > 0)
        True
    """
    network, problem = checked_network(posterior), posterior.problem
    assert isinstance(problem, CollapsedProblem)
    nngp = problem.with_prior(NNGP(network.net))
    fixed = None if nngp.prior.hyperparameters() else kernels_of(nngp, {}).K
    keys = jax.random.split(checked_key(key), posterior.shape)
    shared = problem, fixed
    with one_blas_thread_per_device(), progress_bar("kernel alignment", enabled=progress) as report:
        found = of_every_draw(posterior, _alignments, shared, jax.random.key_data(keys), report, "draws")
    before, after, infinite, prior_to_prior, prior_to_posterior = (
        average_over_draws(found[..., i], posterior.sampler) for i in range(5)
    )
    change = average_over_draws(found[..., 1] - found[..., 0], posterior.sampler)
    return KernelAlignment(before, after, change, infinite, prior_to_prior, prior_to_posterior)


def with_prior_weights(problem: CollapsedProblem, values: dict[str, Array], key: Array) -> dict[str, Array]:
    """The values of one draw with its hidden weights drawn anew from their prior.

    Args:
        problem: of a network.
        values: of its latents.
        key: random key.
    """
    priors = problem.prior.hidden_weights(problem.X.shape[1:])
    keys = jax.random.split(key, len(priors))
    return values | {name: prior.sample(one) for one, (name, prior) in zip(keys, priors.items(), strict=True)}


@jax.jit
def _alignments(
    shared: tuple[CollapsedProblem, Array | None], values: dict[str, Array], keys: Array
) -> Float[Array, "chains piece 5"]:
    def one(shared: tuple[CollapsedProblem, Array | None], own: tuple[dict[str, Array], Array]) -> Float[Array, " 5"]:
        (problem, infinite), (values, key) = shared, own
        assert isinstance(problem.prior, BayesianNetwork)
        before = kernels_of(problem, with_prior_weights(problem, values, jax.random.wrap_key_data(key))).K
        after = kernels_of(problem, values).K
        nngp = kernels_of(problem.with_prior(NNGP(problem.prior.net)), values).K if infinite is None else infinite
        y = problem.Y @ problem.Y.T
        pairs = ((before, y), (after, y), (nngp, y), (before, nngp), (after, nngp))
        return jnp.stack([alignment(*pair) for pair in pairs])

    def one_chain(shared: tuple, chain: tuple) -> Array:
        return map_each(partial(one, shared), chain)

    return map_over_devices(one_chain, len(keys))(shared, (values, keys))
