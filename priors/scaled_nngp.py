"""The NNGP times a random scale."""

import abc

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayes_nn.architecture.serial import Serial, checked_width
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.infinite_width import NNGP
from bayes_nn.priors.prior import Latents


class ScaledNNGP(NNGP):
    """The NNGP times a random scale: base of the priors that differ in the distribution of the scale alone.

    Args:
        net: the architecture.

    Example:
        >>> import bayes_nn as bnn
        >>> isinstance(StudentT(bnn.mlp(depth=1)), ScaledNNGP)
        True
    """

    rung = 1

    @abc.abstractmethod
    def scales(self) -> Latents:
        """The scales that the kernel is multiplied with, by site name."""

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

    The distribution of the scale is heavy-tailed and does not come from a network. The noise is not scaled.

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
