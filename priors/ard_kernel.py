"""Stationary kernels with one lengthscale for every input, made when the number of inputs is known."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array, Float

from bayes_nn.architecture.network import standard_normal
from bayes_nn.architecture.standard_deviations import StandardDeviation, checked_std, is_inferred, prior_of
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.prior import GaussianProcessMixture, Latents

if TYPE_CHECKING:
    from gpjax.kernels import AbstractKernel

#: Site of the standard-normal relevance of every input.
RELEVANCE = "relevance"


def _squared_distances(A: Float[Array, "N d"], B: Float[Array, "M d"]) -> Float[Array, "N M"]:
    """By one product of matrices, whose gradient is another: half the time of differences for every pair."""
    return jnp.maximum(jnp.sum(A**2, axis=1)[:, None] + jnp.sum(B**2, axis=1) - 2.0 * A @ B.T, 0.0)


def _root(squares: Float[Array, "N M"]) -> Float[Array, "N M"]:
    """With a derivative of 0 at 0, where a smooth function of the square does not ask for it."""
    return jnp.sqrt(jnp.maximum(squares, 1e-36))


def _rbf(squares: Float[Array, "N M"]) -> Float[Array, "N M"]:
    return jnp.exp(-0.5 * squares)


def _matern32(squares: Float[Array, "N M"]) -> Float[Array, "N M"]:
    r = _root(3.0 * squares)
    return (1.0 + r) * jnp.exp(-r)


def _matern52(squares: Float[Array, "N M"]) -> Float[Array, "N M"]:
    r = _root(5.0 * squares)
    return (1.0 + r + r**2 / 3.0) * jnp.exp(-r)


#: Correlation at a squared distance, GPJax's class, and how tables call it, by the names that :class:`ARDKernel` takes.
CORRELATIONS = {"rbf": _rbf, "matern32": _matern32, "matern52": _matern52}
CLASSES = {"rbf": "RBF", "matern32": "Matern32", "matern52": "Matern52"}
TITLES = {"rbf": "RBF", "matern32": "Matern 3/2", "matern52": "Matern 5/2"}


def default_variance() -> dist.Distribution:
    """Prior of a variance that is left out: median 1, that of standardised targets, within a factor of 7 at 0.95.

    Example:
        >>> float(default_variance().icdf(0.5))
        1.0
    """
    return dist.LogNormal(0.0, 1.0)


class ARDKernel(GaussianProcessMixture):
    """A stationary kernel with a lengthscale for every input: automatic relevance determination.

    The lengthscale of each of d inputs is ``sqrt(d) exp(-spread r)`` with its relevance r ~ N(0, 1): LogNormal of
    median sqrt(d). Two rows of standardised inputs are about sqrt(2 d) apart, so that at the median their correlation
    is of order one whatever d is (cf. Hvarfner, Hellsten and Nardi 2024, arXiv:2402.02229). With a spread of 1 a
    lengthscale is within a factor of 7 of the median with probability 0.95: for 12 inputs between 0.5, which follows a
    function that bends several times within the spread of an input, and 25, which switches the input off.

    The kernels are those of GPJax, in a form whose gradient is cheaper; :meth:`kernel_at` gives GPJax's own. A kernel
    with other parameters or priors is a :class:`KernelPrior`.

    Args:
        kernel: ``"rbf"``, ``"matern32"`` or ``"matern52"`` (Rasmussen and Williams 2006, section 4.2).
        spread: standard deviation of the logarithm of a lengthscale.
        variance: of the function: a number (fixed), a positive NumPyro distribution (inferred), or None for
            ``LogNormal(0, 1)``.

    Raises:
        ValueError: for an unknown kernel, or a spread or variance that is not positive; when fitted, for inputs that
            are no vectors.

    Example:
        >>> prior = ARDKernel("matern52")
        >>> prior, {name: one.event_shape for name, one in prior.shape_latents((3,)).items()}
        (ARDKernel(Matern 5/2), {'relevance': (3,)})
    """

    rung = 2
    scales_of_inputs = (RELEVANCE,)

    def __init__(self, kernel: str = "rbf", spread: float = 1.0, variance: StandardDeviation | None = None) -> None:
        if kernel not in CORRELATIONS:
            raise ValueError(f"kernel must be one of {', '.join(map(repr, CORRELATIONS))}; got {kernel!r}")
        if isinstance(spread, bool) or not isinstance(spread, int | float) or not 0.0 < spread < float("inf"):
            raise ValueError(f"spread must be a positive number; got {spread!r}")
        self.kernel, self.spread = kernel, float(spread)
        self.variance = checked_std(variance, "variance", default_variance)
        self.name = f"ARDKernel({TITLES[kernel]})"

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse inputs that are no vectors."""
        if len(input_shape) != 1:
            raise ValueError(f"{self.name} takes inputs (N, d); got inputs of shape {input_shape}: flatten them")

    def hyperparameters(self) -> Latents:
        """The variance, where it is inferred."""
        return {"variance": prior_of(self.variance)} if is_inferred(self.variance) else {}

    def shape_latents(self, input_shape: tuple[int, ...]) -> Latents:
        """The standard-normal relevance of every input, which trajectories turn."""
        self.check_inputs(input_shape)
        return {RELEVANCE: standard_normal(input_shape)}

    def lengthscales(self, relevance: Float[Array, "*batch d"]) -> Float[Array, "*batch d"]:
        """Lengthscales on the scale of the inputs that the model sees, standardised by default.

        Args:
            relevance: of every input, with any leading axes, such as ``posterior.values["relevance"]``.

        Example:
            >>> ARDKernel("rbf").lengthscales(jnp.zeros(4)).tolist()
            [2.0, 2.0, 2.0, 2.0]
        """
        relevance = jnp.asarray(relevance)
        return relevance.shape[-1] ** 0.5 * jnp.exp(-self.spread * relevance)

    def kernel_at(self, values: dict[str, Array]) -> "AbstractKernel":
        """The GPJax kernel under the given values of the latents."""
        from gpjax import kernels

        lengthscales = self.lengthscales(values[RELEVANCE])
        return getattr(kernels, CLASSES[self.kernel])(lengthscale=lengthscales, variance=self._variance(values))

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The kernel matrices under the given relevances and variance."""
        variance, lengthscales = self._variance(values).astype(X.dtype), self.lengthscales(values[RELEVANCE])
        correlation, Z = CORRELATIONS[self.kernel], X / lengthscales
        K = variance * correlation(_squared_distances(Z, Z))
        if X_new is None:
            return KernelProcess(K)
        K_new = variance * correlation(_squared_distances(X_new / lengthscales, Z))
        return KernelProcess(K, K_new, jnp.full(len(X_new), variance))

    def _variance(self, values: dict[str, Array]) -> Float[Array, ""]:
        return jnp.asarray(values["variance"] if is_inferred(self.variance) else self.variance)
