"""The posterior under a mixture of Gaussian processes: f integrated out where the likelihood allows it."""

from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Self

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.data.scale import Scale
from bayes_nn.inference.problem.problem import Problem, unconstrained_size
from bayes_nn.priors.gaussian.gaussian_process import Process
from bayes_nn.priors.gaussian.repeated_inputs import AnyProcess, PooledProcess, RepeatedInputs
from bayes_nn.priors.prior import GaussianProcessMixture, Latents
from bayes_nn.runtime.mapping import in_pieces, mend, unbatched

#: Condition number beyond which the gradient of a trajectory is not left to single precision, whose unit is 6e-8.
LARGEST_CONDITION = 1e7
#: Entries of features, or of a kernel matrix, below which single precision saves less than it costs to compile.
FEWEST_ROUNDED_ENTRIES = 4096
#: New inputs that are predicted at once: as many as there are rows, and at least these.
SMALLEST_PIECE = 4096


@partial(
    jax.tree_util.register_dataclass,
    data_fields=["X", "Y", "fixed", "repeated"],
    meta_fields=["prior", "likelihood"],
)
@dataclass(frozen=True)
class CollapsedProblem(Problem):
    """A mixture of Gaussian processes, a likelihood and data.

    The unconstrained vector u holds the H hyperparameters first, then the hidden weights or the input metric, then,
    where f cannot be integrated out, the readout or the whitened f. Fixed standard deviations are traced like the data:
    problems that differ in them alone share compiled code.

    Attributes:
        X: inputs (N, d) or (N, H, W, C) on the model's scale.
        Y: targets (N, C) on the model's scale, labels encoded.
        prior: the prior over functions, without its fixed numbers.
        likelihood: the likelihood, without its fixed numbers.
        fixed: those numbers, by site name.
        repeated: the distinct inputs where they are few, which under Gaussian noise stand for all rows; else None.

    Example:
        >>> import bayes_nn as bnn, jax.numpy as jnp
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> problem = CollapsedProblem.of(nngp, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian(0.5))
        >>> problem.dimension, sorted(problem.fixed)
        (0, ['bias_std_0', 'bias_std_1', 'noise_std', 'weight_std_0', 'weight_std_1'])
    """

    X: Float[Array, "N *shape"]
    Y: Float[Array, "N C"]
    prior: GaussianProcessMixture
    likelihood: Likelihood
    fixed: dict[str, Array]
    repeated: RepeatedInputs | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, prior: GaussianProcessMixture, X: Array, Y: Array, likelihood: Likelihood) -> Self:
        """The problem of checked data on the model's scale."""
        fixed = _as_arrays(prior.numbers() | likelihood.numbers())
        repeated = RepeatedInputs.of(X) if likelihood.conjugate else None
        return cls(X, Y, prior.without_numbers(), likelihood.without_numbers(), fixed, repeated=repeated)

    def with_prior(self, prior: GaussianProcessMixture) -> Self:
        """The same data under another prior of the same architecture."""
        return replace(self, prior=prior.without_numbers(), fixed=self.fixed | _as_arrays(prior.numbers()))

    @property
    def hyperparameters(self) -> Latents:
        """Low-dimensional latents, the likelihood's included."""
        return self.prior.hyperparameters() | self.likelihood.hyperparameter_priors()

    @property
    def latents(self) -> Latents:
        """All latents in the order of u."""
        return self.prior.latents(self.likelihood, self.X, self.Y.shape[1])

    @property
    def function_weights(self) -> Latents:
        """The latents that f is linear in given z."""
        return self.prior.function_weights(self.X, self.Y.shape[1])

    @property
    def n_function_weights(self) -> int:
        """Of every output: the neurons that its readout sees, or the rows of a kernel."""
        return sum(map(unconstrained_size, self.function_weights.values())) // self.Y.shape[1]

    @property
    def n_hyperparameters(self) -> int:
        """H, the length of the hyperparameter block of u."""
        return sum(map(unconstrained_size, self.hyperparameters.values()))

    @property
    def dimension(self) -> int:
        """Length of u."""
        return sum(map(unconstrained_size, self.latents.values()))

    @property
    def has_hidden_weights(self) -> bool:
        """Whether u holds hidden weights."""
        return bool(self.prior.hidden_weights(self.X.shape[1:]))

    @property
    def has_shape_latents(self) -> bool:
        """Whether u holds hidden weights or an input metric."""
        return bool(self.prior.shape_latents(self.X.shape[1:]))

    @property
    def has_many_latents(self) -> bool:
        """Whether u holds more than hyperparameters, so that moves want gradients."""
        return len(self.latents) > len(self.hyperparameters)

    def process(self, values: dict[str, Array], X_new: Array | None = None) -> Process:
        """The Gaussian process given z, at the training inputs and, if asked, at new ones."""
        return self.prior.process(self.fixed | values, self.X, X_new)

    def process_of_likelihood(self, values: dict[str, Array], X_new: Any = None, angle: Any = None) -> AnyProcess:
        """:meth:`process`, or that for steps of an angle, at the distinct inputs where they stand for all rows."""
        values, X = self.fixed | values, self.X if self.repeated is None else self.repeated.X
        given = (
            self.prior.process(values, X, X_new) if angle is None else self.prior.process_for_steps(values, X, angle)
        )
        return given if self.repeated is None else self.repeated.process(given)

    def noise_variance(self, values: dict[str, Array]) -> Float[Array, ""]:
        """Of Gaussian noise."""
        return self.likelihood.noise_variance(self.fixed | values)

    def at_rows(self, values: dict[str, Array]) -> dict[str, Array]:
        """The latents and fixed numbers, with what the likelihood needs of the training inputs."""
        return self.likelihood.at_rows(self.fixed | values, self.X)

    def log_likelihood(self, u: Float[Array, " D"]) -> Float[Array, ""]:
        """``log p(y | z)`` in nats, the readout or f integrated out where possible; -inf where it fails."""
        log_likelihood = self.log_likelihood_of(self.values(u))
        return jnp.where(jnp.isfinite(log_likelihood), log_likelihood, -jnp.inf)

    def log_likelihood_of(self, values: dict[str, Array]) -> Float[Array, ""]:
        """:meth:`log_likelihood` from the latents on their own scale."""
        return self.log_likelihood_given(self.process_of_likelihood(values), values)

    def log_likelihood_given(self, process: AnyProcess, values: dict[str, Array]) -> Float[Array, ""]:
        """:meth:`log_likelihood` from the Gaussian process that the latents stand for."""
        if self.likelihood.conjugate:
            return process.log_marginal(self.Y, self.noise_variance(values).astype(self.Y.dtype))
        assert not isinstance(process, PooledProcess)
        f = process.function(values[self.prior.function_site])
        return jnp.sum(self.likelihood.log_prob(self.at_rows(values), self.Y, f))

    def gradients(self, u: Float[Array, " D"], angle: Array) -> tuple[Float[Array, " D"], Float[Array, " D"]]:
        """Gradients of log prior and log likelihood for trajectories whose steps have this angle, radians.

        A trajectory is accepted by its densities, which are double and exact, so that its gradients may differ: a
        network's are smoothed where the activation has a kink, and rounded to single precision, as are those of an
        input metric. Where the matrix to be factorised is too ill-conditioned for single precision, or it fails, the
        gradient is double, and so it is where there are few rows, or a kernel matrix is factorised without noise.
        """
        whitened = self.prior.function_site != "readout" and not self.likelihood.conjugate
        if whitened or not self.prior.single_precision_steps:
            return super().gradients(u, angle)
        few = len(self.X) * min(len(self.X), self.n_function_weights) < FEWEST_ROUNDED_ENTRIES
        gradient = (_smoothed_gradient if few else _gradient_for_steps)(self, u, angle)
        return jax.grad(self.log_prior)(u), jnp.where(jnp.isfinite(gradient), gradient, 0.0)

    def _smoothed(self, u: Float[Array, " D"], angle: Array) -> Float[Array, ""]:
        """:meth:`log_likelihood`, to be differentiated for steps of this angle."""
        values = self.values(u)
        return self.log_likelihood_given(self.process_of_likelihood(values, angle=angle), values)

    def _rounded(self, u: Float[Array, " D"], angle: Array) -> tuple[Array, Array]:
        """:meth:`_smoothed` in single precision, and the condition number of what it factorises, from above."""
        X, Y, repeated = _single((self.X, self.Y, self.repeated))
        rounded, values = replace(self, X=X, Y=Y, repeated=repeated), _single(self.values(u))
        condition = jnp.ones((), jnp.float32)
        with jax.default_matmul_precision("highest"):
            # Constants of an activation may be double.
            process = _single(rounded.process_of_likelihood(values, angle=angle))
            if self.likelihood.conjugate:
                condition = process.condition(self.noise_variance(values).astype(jnp.float32))
            return rounded.log_likelihood_given(process, values), condition

    def predict(self, X_new: Float[Array, "T *shape"], values: dict[str, Array], key: Array) -> Any:
        """The predictive distribution of y at new inputs given z, as :meth:`Likelihood.predict` gives it."""
        noise_key = jax.random.fold_in(key, 1)
        at_new = self.likelihood.at_new_rows(noise_key, self.fixed | values, self.X, X_new)
        return self.likelihood.predict(key, at_new, *self._function_at(X_new, values))

    def _function_at(self, X_new: Array, values: dict[str, Array]) -> tuple[Float[Array, "T C"], Float[Array, " T"]]:
        """Mean and variance of f at new inputs given z and the data."""

        def piece(X_new: Array) -> tuple[Float[Array, "P C"], Float[Array, " P"]]:
            if self.likelihood.conjugate:
                return self.process_of_likelihood(values, X_new).predict(self.Y, self.noise_variance(values))
            return self.process(values, X_new).predict_function(values[self.prior.function_site])

        return in_pieces(piece, X_new, max(SMALLEST_PIECE, len(self.X)))

    def predictive(self, components: Any, scale: Scale) -> Any:
        """The equally weighted mixture over draws, on the user's scale."""
        return self.likelihood.predictive(components, scale)

    def draw_function(self, values: dict[str, Array], key: Array) -> dict[str, Array]:
        """``"f"`` at the training inputs given z, and the readout where it was integrated out."""
        if self.likelihood.conjugate:
            return self.process_of_likelihood(values).draw(key, self.Y, self.noise_variance(values))
        return {"f": self.process(values).function(values[self.prior.function_site])}

    def draw_function_at(
        self, X_new: Float[Array, "T *shape"], values: dict[str, Array], key: Array
    ) -> Float[Array, "T C"]:
        """f at new inputs given z and the data, every input drawn on its own."""
        mean, variance = self._function_at(X_new, values)
        return mean + jnp.sqrt(variance)[:, None] * jax.random.normal(key, mean.shape)

    def pointwise_log_likelihood(self, values: dict[str, Array], f: Float[Array, "N C"]) -> Float[Array, "N *C"]:
        """``log p(y | f)`` of every row, and of every output on its own where they are independent; nats."""
        return self.likelihood.pointwise_log_prob(self.at_rows(values), self.Y, f)

    def replicate(self, key: Array, values: dict[str, Array], f: Float[Array, "N C"]) -> Float[Array, "N *C"]:
        """One draw of y at the training inputs given f."""
        return self.likelihood.draw(key, self.at_rows(values), f)

    def draw_prior(self, key: Array) -> tuple[dict[str, Array], Float[Array, "N C"], Float[Array, "N *C"]]:
        """One draw from the prior: the latents (a network's readout among them), f and y at the training inputs."""
        key_u, key_weights, key_y = jax.random.split(key, 3)
        values, site = self.values(self.sample_prior(key_u)), self.prior.function_site
        integrated_out = {} if site in values else self.function_weights
        weights = {name: prior.sample(key_weights) for name, prior in integrated_out.items()}
        f = self.process(values).function((values | weights)[site])
        kept = values | weights if site == "readout" else values
        return kept, f, self.replicate(key_y, values, f)


@unbatched
@jax.jit
def _gradient_for_steps(problem: CollapsedProblem, u: Float[Array, " D"], angle: Array) -> Float[Array, " D"]:
    """Of the log likelihood in u, in single precision where that will do."""
    gradient, condition = jax.grad(problem._rounded, has_aux=True)(u, angle)
    sound = jnp.all(jnp.isfinite(gradient)) & (condition < LARGEST_CONDITION)
    return mend(_smoothed_gradient, sound, gradient, problem, (u, angle))


def _smoothed_gradient(problem: CollapsedProblem, u: Float[Array, " D"], angle: Array) -> Float[Array, " D"]:
    """Of the log likelihood in u, in double precision."""
    return jax.grad(problem._smoothed)(u, angle)


def _as_arrays(numbers: dict[str, float]) -> dict[str, Array]:
    return {name: jnp.asarray(number, float) for name, number in numbers.items()}


def _single(tree: Any) -> Any:
    """In single precision, but for whole numbers."""
    return jax.tree.map(lambda leaf: leaf if leaf.dtype == int else leaf.astype(jnp.float32), tree)
