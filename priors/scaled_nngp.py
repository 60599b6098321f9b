"""The NNGP with random scales: one for every hidden layer, of the law of finite width, or one for the whole kernel."""

import jax.numpy as jnp
import numpyro.distributions as dist
from jaxtyping import Array

from bayes_nn.architecture.network import READOUT_SCALE, layer_stds
from bayes_nn.architecture.serial import Serial, checked_width
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.infinite_width import NNGP
from bayes_nn.priors.kernels.scale_laws import Scale, reads, scale_of
from bayes_nn.priors.prior import Latents


class ScaleMixture(NNGP):
    """The NNGP with the random scale that finite width gives to every hidden layer.

    The scale s_l of hidden layer l multiplies what the next layer weighs, ``K_{l+1} = s_l w^2 E[phi phi] + b^2``: the
    NNGP with a weight_std times sqrt(s_l), biases as they are. What finite width does to the prior beyond scale is left
    out, so the gain of this row over the NNGP is the part of a finite-width gain that scales explain.

    The law of s_l has mean 1 and spreads like 1/n. It is that of the network at any one input for

    * linear networks, chi2(n)/n, where with one output the prior is that of the network at all inputs together (Hanin
      and Zlokapa 2023, arXiv:2212.14457);
    * ``Abs``, likewise chi2(n)/n;
    * ReLU, 2 chi2(k)/n with k ~ Binomial(n, 1/2) active units (Zavatone-Veth and Pehlevan 2021, arXiv:2104.11734).
      Layers without an active unit, of probability 2^-n, are left out: the law is that given k > 0, of mean
      1/(1 - 2^-n).

    Leaky rectifiers have the same mixture, with a Gamma distribution of the right mean and variance for every k. For
    all other activations it is one Gamma distribution of mean 1 and variance ``(E[phi^4]/E[phi^2]^2 - 1)/n``, at a
    standardised input and the prior median of the stds. ``caveat`` says what is not exact. The evidence is that of the
    prior as it is, without approximation.

    In convolutions n is the number of channels, and all positions and inputs share the scale of one position. The units
    of a ``Residual`` sum have one scale together, as if Gaussian, under the name of the branch's last layer. Units
    after ``LayerNorm`` have none where the next layer reads them at once: their mean square is not random.

    Args:
        net: the architecture.
        width: width of every hidden layer, or one per layer.

    Raises:
        ValueError: if a width is not a positive integer.

    Example:
        >>> import bayes_nn as bnn
        >>> prior = ScaleMixture(bnn.mlp(depth=2, weight_std=1.0, bias_std=0.0), width=8)
        >>> sorted(prior.hyperparameters()), prior.caveat
        (['scale_0', 'scale_1'], 'scales: without networks that have no active unit, of probability 2^-8 in a layer')
    """

    rung = 1

    def __init__(self, net: Serial, width: int) -> None:
        super().__init__(net)
        self.widths = checked_width(width, net.depth)
        self.name = f"ScaleMixture({net.name}, width={width})"
        read, scales = reads(net), dict[str, Scale]()
        for one in read:
            scale = None if one.hidden is None else scale_of(one, self.widths[one.hidden])
            if scale is not None:
                scales.setdefault(f"scale_{one.hidden}", scale)
        #: Name of the scale of what every layer with weights reads; None where it has none.
        self.sites = tuple(f"scale_{one.hidden}" if f"scale_{one.hidden}" in scales else None for one in read)
        self.laws: Latents = {name: scale.law for name, scale in scales.items()}
        caveats = dict.fromkeys(scale.caveat for scale in scales.values() if scale.caveat)
        self.caveat = f"scales: {'; '.join(caveats)}" if caveats else ""

    def scales(self) -> Latents:
        """One scale per hidden layer."""
        return self.laws

    def hyperparameters(self) -> Latents:
        """The inferred standard deviations, and the scales."""
        return super().hyperparameters() | self.scales()

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The NNGP's kernel matrices, the weight_std of every layer that reads hidden units times sqrt(scale)."""
        # The scale of the readout is in the stds of the layers already.
        stds: dict[str, Array] = {READOUT_SCALE: jnp.ones((), X.dtype)}
        own = zip(self.sites, layer_stds(self.net, self.own_readout_scale(values), X.dtype), strict=True)
        for i, (site, (weight_std, bias_std)) in enumerate(own):
            scale = 1.0 if site is None else jnp.sqrt(values[site])
            stds |= {f"weight_std_{i}": scale * weight_std, f"bias_std_{i}": bias_std}
        return super().process(values | stds, X, X_new)


class StudentT(NNGP):
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

    rung = 1

    def __init__(self, net: Serial, df: float = 4) -> None:
        super().__init__(net)
        if isinstance(df, bool) or not isinstance(df, int | float) or not 0.0 < df < float("inf"):
            raise ValueError(f"df must be a positive number; got {df!r}")
        self.df = df
        self.name = f"StudentT({net.name}, df={df:g})"

    def scales(self) -> Latents:
        """The one scale."""
        return {"scale": dist.InverseGamma(self.df / 2.0, self.df / 2.0)}

    def hyperparameters(self) -> Latents:
        """The inferred standard deviations, and the scale."""
        return super().hyperparameters() | self.scales()

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> KernelProcess:
        """The NNGP's kernel matrices times the scale."""
        return super().process(values, X, X_new).times(values["scale"])
