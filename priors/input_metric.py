"""The NNGP of linearly transformed inputs: a kernel that learns which directions of the inputs matter."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from bayes_nn.architecture.network import standard_normal
from bayes_nn.architecture.serial import Serial
from bayes_nn.priors.architecture_prior import ArchitecturePrior
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.kernels.kernel_recursion import check_inputs, kernel_diagonal, kernel_matrix
from bayes_nn.priors.kernels.vector_kernel import gram_of_vectors
from bayes_nn.priors.prior import Latents

#: Site of the metric's latents.
METRIC = "metric"


class InputMetric(ArchitecturePrior):
    """The NNGP of ``A x``, with A learned: directions that matter, and no hidden unit.

    With a rank r, A is (r, d) with independent entries of N(0, 1/d). Without one it is diagonal, A = diag(a) with a_i
    of N(0, 1): one scale for every input, known as automatic relevance determination (Neal 1996, Bayesian Learning for
    Neural Networks, section 1.2.6). The first covariance is ``w^2 x' M x' / d + b^2``, with M the matrix A'A, times d/r
    where there is a rank. Its prior mean is the identity, the NNGP's; as r grows M tends to it, so a rank beyond d is
    allowed, for a metric that varies less. Kernels learn such a matrix by other means in Radhakrishnan et al. 2024
    (Science 383, 1461).

    A is identified up to signs, and with a rank up to rotations of its rows; ``posterior.metric`` shows what is.

    Args:
        net: the architecture, of layers for vectors.
        rank: r, the number of directions at most; None for one scale per input.

    Raises:
        ValueError: if the rank is neither None nor a positive integer.

    Example:
        >>> import bayes_nn as bnn
        >>> prior = InputMetric(bnn.mlp(depth=1), rank=2)
        >>> prior, prior.shape_latents((5,))["metric"].event_shape
        (InputMetric(relu, depth=1, rank=2), (2, 5))
    """

    rung = 2
    single_precision_steps = True

    def __init__(self, net: Serial, rank: int | None = None) -> None:
        super().__init__(net)
        if rank is not None and (isinstance(rank, bool) or not isinstance(rank, int) or rank < 1):
            raise ValueError(f"rank must be a positive integer, or None for one scale per input; got {rank!r}")
        self.rank, self.mixes_inputs = rank, rank is not None
        self.scales_of_inputs = self.latents_without_sign = (METRIC,) if rank is None else ()
        self.name = f"{type(self).__name__}({self.net.name}, {'ARD' if rank is None else f'rank={rank}'})"

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse inputs that are no vectors, or that the architecture does not fit."""
        if len(input_shape) != 1:
            raise ValueError(
                f"{self.name} takes inputs (N, d); got inputs of shape {tuple(input_shape)}: flatten them by "
                "X.reshape(len(X), -1) and give it an architecture for vectors, such as bayes_nn.mlp()"
            )
        check_inputs(self.net, (self.rank or input_shape[0],))

    def shape_latents(self, input_shape: tuple[int, ...]) -> Latents:
        """The standard-normal entries of the metric, (d,) or (r, d)."""
        self.check_inputs(input_shape)
        return {METRIC: standard_normal(input_shape if self.rank is None else (self.rank, *input_shape))}

    def transformed(self, entries: Float[Array, "*r d"], X: Float[Array, "N d"]) -> Float[Array, "N r"]:
        """The inputs that the NNGP sees.

        Args:
            entries: standard-normal entries of the metric.
            X: inputs.
        """
        return X * entries if self.rank is None else X @ entries.T / X.shape[1] ** 0.5

    def metric_of(self, entries: Float[Array, "*batch r d"]) -> Float[Array, "*batch d d"]:
        """M, with which the first covariance is ``w^2 x' M x' / d + b^2``.

        Args:
            entries: standard-normal entries of the metric, (d,) or (r, d), with any leading axes.

        Example:
            >>> import bayes_nn as bnn
            >>> InputMetric(bnn.mlp(depth=1)).metric_of(jnp.array([1.0, 2.0])).tolist()
            [[1.0, 0.0], [0.0, 4.0]]
        """
        if self.rank is None:
            return entries[..., None] ** 2 * jnp.eye(entries.shape[-1], dtype=entries.dtype)
        return jnp.swapaxes(entries, -1, -2) @ entries / self.rank

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The NNGP's kernel matrices of the transformed inputs."""
        Z = self.transformed(values[METRIC], X)
        K = gram_of_vectors(self.net, values, Z)
        if X_new is None:
            return KernelProcess(K)
        Z_new = self.transformed(values[METRIC], X_new)
        K_new = kernel_matrix(self.net, values, Z_new, Z)
        return KernelProcess(K, K_new, kernel_diagonal(self.net, values, Z_new, "nngp"))
