"""Finite networks with the readout integrated out: hidden weights updated by the data, or frozen."""

from jaxtyping import Array, Float

from bayes_nn.architecture.network import hidden_weight_priors, parameter_shapes, readout_features, standard_normal
from bayes_nn.architecture.serial import Serial, checked_width
from bayes_nn.priors.gaussian.gaussian_process import FeatureProcess
from bayes_nn.priors.prior import ArchitecturePrior, Latents


class BayesianNetwork(ArchitecturePrior):
    """A finite network as a prior over functions, ``f = Phi_z v`` with the readout v integrated out.

    Args:
        net: the architecture.
        width: width of every hidden layer, or one per layer.

    Raises:
        ValueError: if a width is not a positive integer.

    Example:
        >>> import bayes_nn as bnn
        >>> bnn.BayesianNetwork(bnn.mlp(depth=2), width=64)
        BayesianNetwork(relu, depth=2, width=64)
    """

    learns_features = True
    rung: int | None = 3
    function_site = "readout"
    single_precision_steps = True

    def __init__(self, net: Serial, width: int) -> None:
        super().__init__(net)
        self.widths = checked_width(width, net.depth)
        self.name = f"{type(self).__name__}({net.name}, width={width})"

    def hidden_weights(self, input_shape: tuple[int, ...]) -> Latents:
        """Standard-normal hidden weights and biases."""
        return hidden_weight_priors(self.net, input_shape, self.widths)

    def function_weights(self, X: Float[Array, "N *shape"], outputs: int) -> Latents:
        """The standard-normal readout."""
        features, _ = parameter_shapes(self.net, tuple(X.shape[1:]), self.widths)["readout"]
        return {self.function_site: standard_normal((features, outputs))}

    def process(self, values: dict[str, Array], X: Array, X_new: Array | None = None) -> FeatureProcess:
        """The features of the last hidden layer."""
        new = None if X_new is None else readout_features(self.net, values, X_new)
        return FeatureProcess(readout_features(self.net, values, X), new)

    def process_for_steps(self, values: dict[str, Array], X: Array, angle: Array) -> FeatureProcess:
        """The same process, the slopes at kinks smoothed over what a unit moves in a step of this angle, radians."""
        return FeatureProcess(readout_features(self.net, values, X, angle), None)


class FrozenFeatures(BayesianNetwork):
    """Random features: hidden weights drawn from the prior and never updated, readout Bayesian.

    Predictions average over draws with equal weights; the score is the code length
    ``sum_i log E_z[p(y_i | y_<i, z)]``, averaged over permutations of the data.

    Args:
        net: the architecture.
        width: width of every hidden layer, or one per layer.

    Raises:
        ValueError: if a width is not a positive integer.

    Example:
        >>> import bayes_nn as bnn
        >>> FrozenFeatures(bnn.mlp(depth=1), width=16).learns_features
        False
    """

    learns_features = False
    updated = False
    rung = None
