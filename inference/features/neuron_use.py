"""Functional use of single neurons: what the network loses when one of them is drawn anew from the prior."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.stats import norm
from jaxtyping import Array, Float, Int

from bayes_nn.inference.posterior.draws import checked_network
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.monte_carlo_errors import Average, average_over_draws
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device
from bayes_nn.runtime.mapping import map_each
from bayes_nn.runtime.progress import progress_bar
from bayes_nn.runtime.random_keys import checked_key

#: Draws looked at in one compiled call, on every device.
DRAWS_PER_CALL = 4


@dataclass(frozen=True)
class NeuronUse:
    """How much the test score of a draw falls when one neuron is drawn anew, for every neuron of a layer.

    Attributes:
        use: fall of the lpd, nats per test point, largest first within a draw, (draws, n).
        per_neuron: its mean over the neurons of a draw: the price of one neuron taken at random.
        effective_neurons: participation ratio of a draw, ``(sum u)^2 / sum u^2`` over u = max(use, 0): n where all
            neurons carry the same, 1 where a single one carries everything.
        neurons: which neuron of its draw every use belongs to, (draws, n).
        places: chain and number of every draw, (draws, 2): ``posterior.values["hidden_weight_0"][chain, number]`` are
            the weights of a draw, its last axis the neurons.

    Example:
        >>> one, order, place = Average(0.5, 0.1, 0.2), np.array([[1, 0]]), np.array([[0, 7]])
        >>> NeuronUse(np.array([[0.9, 0.1]]), one, one, order, place).profile.tolist()
        [0.9, 0.1]
    """

    use: Float[np.ndarray, "draws n"]
    per_neuron: Average
    effective_neurons: Average
    neurons: Int[np.ndarray, "draws n"]
    places: Int[np.ndarray, "draws 2"]

    @property
    def profile(self) -> Float[np.ndarray, " n"]:
        """Use of the most used neuron, the second most used, ..., averaged over draws."""
        return self.use.mean(axis=0)

    def __str__(self) -> str:
        return (
            f"lpd lost per redrawn neuron, nats per test point: {self.per_neuron}\n"
            f"most used neuron of a draw: {self.profile[0]:.4g}\n"
            f"effective number of used neurons of {self.use.shape[1]}: {self.effective_neurons}"
        )


def neuron_use(
    posterior: Posterior,
    X_test: Any,
    y_test: Any,
    layer: int = 0,
    draws: int = 32,
    redraws: int = 4,
    key: int | Array = 0,
    *,
    progress: bool = True,
) -> NeuronUse:
    """The fall in test lpd when the incoming weights and bias of one neuron are redrawn from their prior.

    For a draw z and a neuron j, ``use_j(z) = lpd(z) - E_w[lpd(z with w_j <- w)]``, w from the prior, the readout
    integrated out anew over its posterior given the training data, and ``lpd(z)`` the mean over test points of
    ``log p(y* | x*, z, D)``. A neuron that the data left at its prior loses nothing on average. (Ablation with the
    readout refitted; after the single-unit ablations of Morcos et al. 2018, arXiv:1803.06959.)

    Neurons are exchangeable: the j of one draw is not the j of another. So only what is invariant under permutations
    within a draw is averaged over draws: the sorted uses, their mean, and their participation ratio. Sorting noisy
    numbers spreads them, and so does a finite number of redraws: compare a profile with that of another network or
    of ``FrozenFeatures``, not with a flat line. The lpd of the mixture over draws is no measure of use: with the same
    j redrawn everywhere it has no meaning, and with a j taken at random in every draw most members lose nothing, and
    a mixture forgives the rest.

    Costs ``draws x width x redraws`` times one prediction.

    Args:
        posterior: of a network, with Gaussian noise.
        X_test: test inputs.
        y_test: test targets.
        layer: the hidden layer, counted from 0 at the inputs; for a convolution a neuron is a channel.
        draws: posterior draws to look at, spread evenly over all chains.
        redraws: prior draws that every neuron is replaced by.
        key: a JAX key or an integer seed.
        progress: show a progress bar on a terminal.

    Raises:
        ValueError: for another prior or likelihood, a layer or a number out of range, or bad test data.

    Example:
        >>> import bayes_nn as bnn, numpy as np
        >>> X = np.random.default_rng(0).normal(size=(40, 2))
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), width=5)
        >>> posterior = bnn.fit(network, X[:20], X[:20, 0], bnn.Gaussian(0.3), bnn.inference.InfiniteHMC(draws=50))
        >>> neuron_use(posterior, X[20:], X[20:, 0], draws=8).use.shape
        (8, 5)
    """
    network, problem, dataset = checked_network(posterior), posterior.problem, posterior.dataset
    if not problem.likelihood.conjugate:
        raise ValueError(f"neuron use is for Gaussian noise; the likelihood is {dataset.likelihood}")
    whole = isinstance(layer, (int, np.integer)) and not isinstance(layer, bool)
    if not whole or not 0 <= layer < network.net.depth:
        raise ValueError(f"layer must be one of 0 ... {network.net.depth - 1}; got {layer!r}")
    chains, per_chain = posterior.shape[0], min(-(-draws // posterior.shape[0]), posterior.shape[1])
    if min(draws, redraws) < 1:
        raise ValueError(f"at least 1 draw and 1 redraw are needed; got draws={draws}, redraws={redraws}")
    inputs, targets = dataset.new_inputs(X_test, "X_test"), dataset.new_targets(y_test)
    if len(targets) != len(inputs):
        raise ValueError(f"y_test has shape {targets.shape}; expected {(len(inputs), targets.shape[1])}")

    rows = np.linspace(0, posterior.shape[1] - 1, per_chain).round().astype(int)
    values = {name: value[:, rows].reshape(-1, *value.shape[2:]) for name, value in posterior.values.items()}
    keys = jax.random.key_data(jax.random.split(checked_key(key), chains * per_chain))
    shared = problem, inputs, dataset.scale.targets(targets)
    found: list[np.ndarray] = []
    # Calls of equal size: the last one overlaps with the one before.
    size = min(DRAWS_PER_CALL * jax.local_device_count(), len(keys))
    with one_blas_thread_per_device(), progress_bar("neuron use", enabled=progress) as report:
        for start in range(0, len(keys), size):
            cut = slice(min(start, len(keys) - size), min(start, len(keys) - size) + size)
            own = {name: jnp.asarray(value[cut]) for name, value in values.items()}, keys[cut]
            found.append(np.asarray(_uses(shared, own, int(layer), int(redraws)))[start - cut.start :])
            report(cut.stop / len(keys), f"{cut.stop} of {len(keys)} draws")
    use = np.concatenate(found)
    positive = np.maximum(use, 0.0)
    squares = np.sum(positive**2, axis=1)
    effective = np.where(squares > 0.0, positive.sum(axis=1) ** 2 / np.where(squares > 0.0, squares, 1.0), 0.0)
    per_neuron, effective_neurons = (
        average_over_draws(each.reshape(chains, per_chain), posterior.sampler) for each in (use.mean(axis=1), effective)
    )
    order = np.argsort(-use, axis=1)
    places = np.stack([np.repeat(np.arange(chains), per_chain), np.tile(rows, chains)], axis=1)
    return NeuronUse(np.take_along_axis(use, order, axis=1), per_neuron, effective_neurons, order, places)


@partial(jax.jit, static_argnames=("layer", "redraws"))
def _uses(
    shared: tuple[Problem, Array, Array], own: tuple[dict[str, Array], Array], layer: int, redraws: int
) -> Float[Array, "draws n"]:
    """Use of every neuron of every draw, not sorted."""
    sites = [name for name in (f"hidden_weight_{layer}", f"hidden_bias_{layer}") if name in own[0]]

    def of_draw(shared: tuple[Problem, Array, Array], own: tuple[dict[str, Array], Array]) -> Float[Array, " n"]:
        values, key = own[0], jax.random.wrap_key_data(own[1])
        width = values[sites[0]].shape[-1]

        def lpd_redrawn(job: tuple[Array, Array]) -> Array:
            neuron, key = job
            redrawn = {
                name: values[name].at[..., neuron].set(jax.random.normal(one, values[name].shape[:-1]))
                for name, one in zip(sites, jax.random.split(key, len(sites)), strict=True)
            }
            return _lpd(*shared, values | redrawn)

        neurons = jnp.repeat(jnp.arange(width), redraws)
        redrawn = map_each(lpd_redrawn, (neurons, jax.random.split(key, width * redraws)))
        return _lpd(*shared, values) - redrawn.reshape(width, redraws).mean(axis=1)

    return map_over_devices(of_draw, len(own[1]))(shared, own)


def _lpd(problem: Problem, X_new: Array, Y_new: Array, values: dict[str, Array]) -> Float[Array, ""]:
    """Mean over test rows of log p(y* | x*, z, D), summed over outputs, nats; the readout integrated out."""
    mean, variance = problem.predict(X_new, values, jax.random.key(0))  # the key is for labels only
    log_density = norm.logpdf(Y_new, mean, jnp.sqrt(variance))
    return jnp.mean(jnp.sum(log_density, axis=1))
