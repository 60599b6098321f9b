"""The infinite-width limits of an architecture as priors: NNGP and NTK."""

from typing import TYPE_CHECKING

from jaxtyping import Array

from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.kernels.kernel_recursion import Kind, check_inputs, kernel_diagonal, kernel_matrix
from bayes_nn.priors.prior import ArchitecturePrior

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


class NTK(_InfiniteWidth):
    """The neural tangent kernel as a prior (Jacot et al. 2018, arXiv:1806.07572).

    Args:
        net: the architecture.

    Example:
        >>> import bayes_nn as bnn
        >>> NTK(bnn.mlp(depth=2)).kernel.kind
        'ntk'
    """

    kind: Kind = "ntk"
