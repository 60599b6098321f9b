"""The infinite-width limits of an architecture as priors: NNGP and NTK."""

import math
from typing import TYPE_CHECKING, Self

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayes_nn.architecture.serial import Serial
from bayes_nn.architecture.standard_deviations import (
    TAKEN_OUT,
    StandardDeviation,
    checked_std,
    is_inferred,
    median,
    prior_of,
)
from bayes_nn.priors.architecture_prior import ArchitecturePrior
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.kernels.kernel_recursion import Kind, check_inputs, kernel_diagonal, kernel_matrix
from bayes_nn.priors.prior import Latents

if TYPE_CHECKING:
    from bayes_nn.priors.kernels.gpjax_kernel import InfiniteWidthKernel


class _InfiniteWidth(ArchitecturePrior):
    """Shared by the two infinite-width limits, which differ in the recursion alone."""

    kind: Kind
    rung = 0

    @property
    def kernel(self) -> "InfiniteWidthKernel":
        """A GPJax kernel; inferred standard deviations are trainable and start at their prior median.

        Raises:
            ValueError: if the readout has a scale of its own, which belongs to the prior and not to the architecture.
        """
        if self.readout_scale is not None:
            raise ValueError(
                f"{self.name} has no kernel of its own: scale the weight_std of the last Dense layer instead"
            )
        from bayes_nn.priors.kernels.gpjax_kernel import InfiniteWidthKernel

        return InfiniteWidthKernel(self.net, self.kind)

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse inputs the architecture does not fit."""
        check_inputs(self.net, input_shape)

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The kernel matrices under the given standard deviations."""
        values = self.own_readout_scale(values)
        K = kernel_matrix(self.net, values, X, kind=self.kind)
        if X_new is None:
            return KernelProcess(K)
        K_new = kernel_matrix(self.net, values, X_new, X, kind=self.kind)
        return KernelProcess(K, K_new, kernel_diagonal(self.net, values, X_new, self.kind))


class NNGP(_InfiniteWidth):
    """The infinite-width limit of a Bayesian network (Neal 1996; Lee et al. 2018, arXiv:1711.00165).

    Args:
        net: the architecture.

    Example:
        >>> import bayes_nn as bnn
        >>> NNGP(bnn.mlp(depth=2)).kernel.kind
        'nngp'
    """

    kind: Kind = "nngp"


def default_output_scale(net: Serial) -> dist.Distribution:
    """Prior of an output_scale that is left out: median 1/(L + 1), within a factor of 7 of it with probability 0.95.

    Every one of the L + 1 layers with weights adds about one NNGP kernel to the NTK (exactly, in a linear network
    without biases and with unit weight_std), so that the median brings the NTK near the NNGP in variance.

    Args:
        net: the architecture.

    Example:
        >>> import bayes_nn as bnn
        >>> round(float(default_output_scale(bnn.mlp(depth=3)).icdf(0.5)), 4)
        0.25
    """
    return dist.LogNormal(-math.log(net.depth + 1.0), 1.0)


class NTK(_InfiniteWidth):
    """The neural tangent kernel as a prior (Jacot et al. 2018, arXiv:1806.07572), times a free scale.

    The NTK of L hidden layers has about L + 1 times the variance of the NNGP. Compared as it is, it would win or lose
    by that factor alone, so the scale is inferred.

    Args:
        net: the architecture.
        output_scale: the kernel is multiplied by it: a number (1.0 for the kernel itself), a positive NumPyro
            distribution (inferred), or None for ``LogNormal(-log(L + 1), 1)``. :attr:`kernel` is never scaled.

    Raises:
        ValueError: if output_scale is not positive.

    Example:
        >>> import bayes_nn as bnn
        >>> net = bnn.mlp(depth=2, weight_std=1.4, bias_std=0.1)
        >>> NTK(net).kernel.kind, list(NTK(net).hyperparameters()), NTK(net, output_scale=1.0).hyperparameters()
        ('ntk', ['output_scale'], {})
    """

    kind: Kind = "ntk"

    def __init__(self, net: Serial, output_scale: StandardDeviation | None = None) -> None:
        super().__init__(net)
        self.output_scale = checked_std(output_scale, "output_scale", lambda: default_output_scale(self.net))
        if not is_inferred(self.output_scale):
            self.name = f"NTK({net.name}, output_scale={self.output_scale:g})"

    def hyperparameters(self) -> Latents:
        """The inferred standard deviations, and the scale where it is inferred."""
        scale = {"output_scale": prior_of(self.output_scale)} if is_inferred(self.output_scale) else {}
        return super().hyperparameters() | scale

    def numbers(self) -> dict[str, float]:
        """The fixed standard deviations other than 0, and the scale where it is fixed, by site name."""
        scale = {"output_scale": self.output_scale} if isinstance(self.output_scale, float) else {}
        return super().numbers() | scale

    def without_numbers(self) -> Self:
        """See :class:`ArchitecturePrior`."""
        other = super().without_numbers()
        if not is_inferred(other.output_scale):
            other.output_scale, other.name = TAKEN_OUT, f"NTK({self.net.name})"
        return other

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The kernel matrices under the given standard deviations, times the scale."""
        scale = values["output_scale"] if "output_scale" in values else median(self.output_scale)
        return super().process(values, X, X_new).times(jnp.asarray(scale, X.dtype))
