"""Priors whose z holds no hidden weights: NNGP, NTK, and the NNGP with a random scale of either kind."""

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayes_nn.architecture import Serial, checked_net, checked_width
from bayes_nn.network import hyperparameter_priors
from bayes_nn.priors.gaussian_process import KernelProcess
from bayes_nn.priors.infinite_width import Kind, check_inputs, kernel_diagonal, kernel_matrix
from bayes_nn.priors.prior import Latents, Prior

if TYPE_CHECKING:
    from bayes_nn.priors.gpjax_kernel import InfiniteWidthKernel


class _InfiniteWidth(Prior):
    """Shared by the two infinite-width limits, which differ in the recursion alone."""

    kind: Kind

    def __init__(self, net: Serial) -> None:
        self.net = checked_net(net)
        self.name = f"{type(self).__name__}({net.name})"

    @property
    def kernel(self) -> "InfiniteWidthKernel":
        """A GPJax kernel; inferred standard deviations are trainable and start at their prior median."""
        from bayes_nn.priors.gpjax_kernel import InfiniteWidthKernel

        return InfiniteWidthKernel(self.net, self.kind)

    def check_inputs(self, input_shape: tuple[int, ...]) -> None:
        """Refuse inputs the architecture does not fit."""
        check_inputs(self.net, input_shape)

    def hyperparameters(self) -> Latents:
        """The inferred standard deviations of the architecture."""
        return hyperparameter_priors(self.net)

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The kernel matrices under the given standard deviations."""
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


class ScaledNNGP(NNGP):
    """The NNGP times a random scale; shared by the priors that differ in the scale's distribution alone."""

    def scales(self) -> Latents:
        """The scales that the kernel is multiplied with, by site name."""
        raise NotImplementedError

    def hyperparameters(self) -> Latents:
        """The inferred standard deviations, and the scales."""
        return super().hyperparameters() | self.scales()

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The NNGP's kernel matrices times the product of the scales."""
        scale = jnp.prod(jnp.stack([values[name] for name in self.scales()]))
        unscaled = super().process(values, X, X_new)
        if X_new is None:
            return KernelProcess(scale * unscaled.K)
        return KernelProcess(scale * unscaled.K, scale * unscaled.K_new, scale * unscaled.k_new)


class ScaleMixture(ScaledNNGP):
    """The NNGP times the random scale that finite width gives: ``s = prod_l chi2(n_l)/n_l``.

    What finite width does to the prior beyond scale is left out, so the gain of this row over the
    NNGP is the part of a finite-width gain that one scalar explains. Exact for deep linear networks
    without biases and with one output (Hanin and Zlokapa 2023, arXiv:2212.14457).

    Args:
        net: the architecture.
        width: width of every hidden layer, or one per layer.

    Raises:
        ValueError: if a width is not a positive integer.

    Example:
        >>> import bayes_nn as bnn
        >>> sorted(ScaleMixture(bnn.mlp(depth=2, weight_std=1.0, bias_std=0.0), width=8).hyperparameters())
        ['scale_0', 'scale_1']
    """

    def __init__(self, net: Serial, width: int) -> None:
        super().__init__(net)
        self.widths = checked_width(width, net.depth)
        self.name = f"ScaleMixture({net.name}, width={width})"

    def scales(self) -> Latents:
        """One scale chi2(n)/n = Gamma(n/2, n/2) per hidden layer."""
        return {f"scale_{i}": dist.Gamma(n / 2.0, n / 2.0) for i, n in enumerate(self.widths)}


class StudentT(ScaledNNGP):
    """The NNGP times one scale ``s ~ InverseGamma(df/2, df/2)``: a Student-t process (Shah et al. 2014, AISTATS 33).

    A heavy-tailed scale that owes nothing to a network; the noise is not scaled.

    Args:
        net: the architecture.
        df: degrees of freedom; the fewer, the wider the scale is spread.

    Raises:
        ValueError: if df is not a positive number.

    Example:
        >>> import bayes_nn as bnn
        >>> StudentT(bnn.mlp(depth=1), df=4)
        StudentT(relu, depth=1, df=4)
    """

    def __init__(self, net: Serial, df: float = 4) -> None:
        super().__init__(net)
        if isinstance(df, bool) or not isinstance(df, int | float) or not 0.0 < df < float("inf"):
            raise ValueError(f"df must be a positive number; got {df!r}")
        self.df = df
        self.name = f"StudentT({net.name}, df={df:g})"

    def scales(self) -> Latents:
        """The one scale."""
        return {"scale": dist.InverseGamma(self.df / 2.0, self.df / 2.0)}
