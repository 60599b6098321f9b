"""Labels that draws from a posterior give to all inputs jointly, and how often each labelling comes up."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from bayes_nn.inference.posterior.draws import for_all_draws
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.monte_carlo_errors import standard_errors
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.gaussian.log_marginal import JITTER, factor, solve
from bayes_nn.runtime.memory import refuse_beyond_memory


def label_draws(
    posterior: Posterior, X_new: Float[Array, "T *shape"], threshold: float, draws: int, key: Array
) -> Bool[np.ndarray, "Z D rows"]:
    """Whether f lies above a threshold, at the training inputs and then at new ones.

    Args:
        posterior: of a mixture of Gaussian processes, with Gaussian noise.
        X_new: new inputs on the model's scale.
        threshold: on the user's scale.
        draws: of f, rounded up to D for each of the posterior's Z draws of z.
        key: a JAX key.

    Example:
        >>> import bayes_nn as bnn
        >>> net, x = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.5), np.array([-1.0, 1.0])
        >>> posterior = bnn.fit(bnn.priors.NNGP(net), x, x, bnn.Gaussian(0.1))
        >>> labels = label_draws(posterior, jnp.array([[2.0]]), 0.0, 1000, jax.random.key(0))
        >>> labels.shape, labels.mean(axis=(0, 1)).round(1).tolist()
        ((1000, 1, 3), [0.0, 1.0, 1.0])
    """
    count = posterior.log_likelihood.size
    values = {name: value.reshape(count, *value.shape[2:]) for name, value in posterior.values.items()}
    scale = posterior.dataset.scale
    noise = jnp.zeros((len(X_new) + len(posterior.dataset), -(-draws // count)))  # only its shape matters
    shared = X_new, noise, jnp.asarray((threshold - scale.y_mean[0]) / scale.y_std[0])
    found = for_all_draws(posterior.problem, shared, values, key, count, _labels)
    return np.moveaxis(found, 1, 2)


def _labels(problem: CollapsedProblem, shared: Any, values: dict[str, Array], key: Array) -> Bool[Array, "rows D"]:
    X_new, like, threshold = shared
    return functions_at(problem, X_new, like.shape[1], values, key) > threshold


def functions_at(
    problem: CollapsedProblem, X_new: Float[Array, "T *shape"], draws: int, values: dict[str, Array], key: Array
) -> Float[Array, "rows D"]:
    """Joint draws of f given z and the data, at the training inputs and then at new ones, by Matheron's rule.

    A draw f of the prior at all inputs is moved by ``K A^-1 (y - f - noise)``, where K are the covariances of all
    inputs with the training inputs, and A those of y.

    Args:
        problem: with Gaussian noise and one output.
        X_new: new inputs on the model's scale.
        draws: D.
        values: latents by site name.
        key: a JAX key.
    """
    key_f, key_noise = jax.random.split(key)
    rows, v = len(problem.X), problem.noise_variance(values) + JITTER
    process = problem.prior.process(problem.fixed | values, jnp.concatenate([problem.X, X_new]))
    K = process.K if isinstance(process, KernelProcess) else process.Phi @ process.Phi.T
    weights = len(K) if isinstance(process, KernelProcess) else process.Phi.shape[1]
    f = process.function(jax.random.normal(key_f, (weights, draws)))
    noise = jnp.sqrt(v) * jax.random.normal(key_noise, (rows, draws))
    A = K[:rows, :rows] + v * jnp.eye(rows)
    return f + K[:, :rows] @ solve(factor(A), problem.Y - f[:rows] - noise)


class Chosen(NamedTuple):
    """What those draws, or trained networks, chose that label the training rows correctly.

    Attributes:
        functions: labels of the test inputs, (K, T).
        groups: of each, the number of the draw of z it belongs to, (K,).
        sizes: how many of every group label the training rows correctly, (Z,).
        fitting: the fraction of all that do.

    Example:
        >>> labels = np.array([[[True, False]], [[True, True]], [[False, True]]])
        >>> chosen = Chosen.of("network", labels, np.array([True]))
        >>> chosen.functions.tolist(), round(chosen.fitting, 2)
        ([[False], [True]], 0.67)
        >>> chosen.frequencies(np.array([0, 1]), 2, (1, 3), "frozen")[0].tolist()
        [1, 1]
    """

    functions: Bool[np.ndarray, "K T"]
    groups: Int[np.ndarray, " K"]
    sizes: Int[np.ndarray, " Z"]
    fitting: float

    @classmethod
    def of(cls, name: str, labels: Bool[np.ndarray, "Z D rows"], right: Bool[np.ndarray, " N"]) -> "Chosen":
        """From labels of the training rows, then the test inputs, by D draws in each of Z groups.

        Raises:
            ValueError: if all label a training row wrongly.
        """
        fits = (labels[..., : len(right)] == right).all(axis=-1)
        if not fits.any():
            raise ValueError(f"no {name} labels all training rows correctly: fit with less noise, or train for longer")
        return cls(labels[fits][:, len(right) :], np.nonzero(fits)[0], fits.sum(axis=1), float(fits.mean()))

    def frequencies(
        self, place: Int[np.ndarray, " K"], functions: int, shape: tuple[int, int], sampler: str
    ) -> tuple[Int[np.ndarray, " F"], Float[np.ndarray, " F"]]:
        """How often each function was chosen, and the Monte-Carlo standard error of its fraction of all K.

        The error is that of a ratio, since how many of a group label the training rows correctly is random too.

        Args:
            place: the function that each chose.
            functions: F.
            shape: chains and draws that the groups are.
            sampler: that made them.
        """
        size = len(self.sizes) * functions
        refuse_beyond_memory(3 * 8.0 * size, f"counting {functions:,} functions", "take fewer draws or test inputs")
        hits = np.zeros((len(self.sizes), functions))
        np.add.at(hits, (self.groups, place), 1.0)
        counts = hits.sum(axis=0)
        residuals = (hits - counts / len(place) * self.sizes[:, None]) / self.sizes.mean()
        return counts.astype(int), standard_errors(residuals.reshape(*shape, functions), sampler)
