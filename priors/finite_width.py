"""Finite networks with the readout integrated out: hidden weights updated by the data, or frozen."""

import math
from typing import Literal, get_args

from jaxtyping import Array, Float

from bayes_nn.architecture.network import hidden_weight_priors, parameter_shapes, readout_features, standard_normal
from bayes_nn.architecture.serial import Serial, checked_width
from bayes_nn.priors.architecture_prior import ArchitecturePrior
from bayes_nn.priors.gaussian.gaussian_process import FeatureProcess
from bayes_nn.priors.prior import Latents

Parameterization = Literal["ntk", "mean-field"]


class BayesianNetwork(ArchitecturePrior):
    """A finite network as a prior over functions, ``f = Phi_z v`` with the readout v integrated out.

    In the NTK parameterisation the readout's weights have variance ``weight_std^2 / n``, n the width of the last hidden
    layer: the network tends to the NNGP and its features freeze as n grows. In the mean-field parameterisation it is
    ``weight_std^2 / n^2`` (Mei, Montanari and Nguyen 2018, arXiv:1804.06561; Chizat, Oyallon and Bach 2019,
    arXiv:1812.07956; Yang and Hu 2021, arXiv:2011.14522). Only the readout's weights are scaled, in networks of any
    depth; hidden layers and the readout's bias are those of the NTK parameterisation. At fixed n it is the network
    whose readout has ``weight_std / sqrt(n)``.

    Without a bias the prior variance of f then falls like 1/n, and fitting data takes hidden weights that move. They
    keep moving as n grows where the data grow in weight with n, that is where the noise variance falls like 1/n or the
    rows grow like n (the scaling of van Meegen and Sompolinsky 2025, Nature Communications 16): feature information is
    then proportional to n. With data and noise fixed the prior, which tends to f = 0, wins in the end, and feature
    information falls here too. A comparison with an NNGP is one of scale as well: :meth:`with_readout_scale` gives an
    NNGP the same scale.

    Args:
        net: the architecture.
        width: width of every hidden layer, or one per layer.
        parameterization: ``"ntk"`` or ``"mean-field"``.

    Raises:
        ValueError: if a width is not a positive integer, or for another parameterisation.

    Example:
        >>> import bayes_nn as bnn
        >>> bnn.BayesianNetwork(bnn.mlp(depth=2), width=64)
        BayesianNetwork(relu, depth=2, width=64)
        >>> network = bnn.BayesianNetwork(bnn.mlp(depth=2), width=64, parameterization="mean-field")
        >>> network, network.readout_scale
        (BayesianNetwork(relu, depth=2, width=64, mean-field), 0.125)
    """

    learns_features = True
    rung: int | None = 3
    function_site = "readout"
    single_precision_steps = True

    def __init__(self, net: Serial, width: int, parameterization: Parameterization = "ntk") -> None:
        super().__init__(net)
        self.widths = checked_width(width, net.depth)
        self.name = f"{type(self).__name__}({net.name}, width={width})"
        if parameterization not in get_args(Parameterization):
            raise ValueError(f"parameterization must be 'ntk' or 'mean-field'; got {parameterization!r}")
        if parameterization == "mean-field":
            self.readout_scale = 1.0 / math.sqrt(self.widths[-1])
            self.name = f"{self.name.removesuffix(')')}, mean-field)"

    def hidden_weights(self, input_shape: tuple[int, ...]) -> Latents:
        """Standard-normal hidden weights and biases."""
        return hidden_weight_priors(self.net, input_shape, self.widths)

    def function_weights(self, X: Float[Array, "N *shape"], outputs: int) -> Latents:
        """The standard-normal readout."""
        features, _ = parameter_shapes(self.net, tuple(X.shape[1:]), self.widths)["readout"]
        return {self.function_site: standard_normal((features, outputs))}

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> FeatureProcess:
        """The features of the last hidden layer."""
        values = self.own_readout_scale(values)
        new = None if X_new is None else readout_features(self.net, values, X_new)
        return FeatureProcess(readout_features(self.net, values, X), new)

    def process_for_steps(self, values: dict[str, Array], X: Array, angle: Array) -> FeatureProcess:
        """The same process, the slopes at kinks smoothed over what a unit moves in a step of this angle, radians."""
        return FeatureProcess(readout_features(self.net, self.own_readout_scale(values), X, angle), None)


class FrozenFeatures(BayesianNetwork):
    """Random features: hidden weights drawn from the prior and never updated, readout Bayesian.

    Predictions average over draws with equal weights; the score is the code length
    ``sum_i log E_z[p(y_i | y_<i, z)]``, averaged over permutations of the data.

    Args:
        net: the architecture.
        width: width of every hidden layer, or one per layer.
        parameterization: as of :class:`BayesianNetwork`.

    Raises:
        ValueError: if a width is not a positive integer, or for another parameterisation.

    Example:
        >>> import bayes_nn as bnn
        >>> FrozenFeatures(bnn.mlp(depth=1), width=16).learns_features
        False
    """

    learns_features = False
    updated = False
    rung = None
