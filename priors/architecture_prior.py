"""Priors that an architecture gives rise to."""

import copy
from typing import Any, Self

from bayes_nn.architecture.network import READOUT_SCALE, fixed_stds, hyperparameter_priors
from bayes_nn.architecture.serial import Serial, checked_net
from bayes_nn.architecture.standard_deviations import TAKEN_OUT, TakenOut
from bayes_nn.priors.prior import GaussianProcessMixture, Latents


class ArchitecturePrior(GaussianProcessMixture):
    """A mixture of Gaussian processes that an architecture gives rise to.

    Args:
        net: the architecture.

    Attributes:
        readout_scale: a factor on the readout's weight_std; None where there is none.

    Raises:
        ValueError: if it is no architecture.

    Example:
        >>> import bayes_nn as bnn
        >>> bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.5, bias_std=0.0)).numbers()
        {'weight_std_0': 1.5, 'weight_std_1': 1.5}
    """

    readout_scale: float | TakenOut | None = None

    def __init__(self, net: Serial) -> None:
        self.net = checked_net(net)
        self.name = f"{type(self).__name__}({net.name})"

    def hyperparameters(self) -> Latents:
        """The inferred standard deviations of the architecture."""
        return hyperparameter_priors(self.net)

    def numbers(self) -> dict[str, float]:
        """The fixed standard deviations other than 0, and the scale of the readout if it has one, by site name."""
        return fixed_stds(self.net) | self.own_readout_scale({})

    def without_numbers(self) -> Self:
        """The same prior on :attr:`Serial.without_numbers`, a scale of the readout taken out as well."""
        other = copy.copy(self)
        other.net = self.net.without_numbers
        if self.readout_scale is not None:
            other.readout_scale = TAKEN_OUT
            other.name = self.name.partition(", readout times")[0].removesuffix(")") + ")"
        return other

    def with_readout_scale(self, factor: float) -> Self:
        """The same prior with the readout's weight_std times a factor, whether that is a number or inferred.

        The readout's bias_std stays as it is. Priors that differ in the factor alone share compiled code.

        Raises:
            ValueError: if the factor is not a positive number.

        Example:
            >>> import bayes_nn as bnn
            >>> bnn.priors.NNGP(bnn.mlp(depth=1)).with_readout_scale(0.25)
            NNGP(relu, depth=1, readout times 0.25)
        """
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0.0 < factor < float("inf"):
            raise ValueError(f"the factor on the readout's weight_std must be a positive number; got {factor!r}")
        other = copy.copy(self)
        other.readout_scale = float(factor) * self.own_readout_scale({}).get(READOUT_SCALE, 1.0)
        other.name = f"{self.name.removesuffix(')')}, readout times {factor:.3g})"
        return other

    def own_readout_scale(self, values: dict[str, Any]) -> dict[str, Any]:
        """Values by site name with the scale of the readout among them, where the prior has one and they do not.

        Raises:
            ValueError: if it was taken out of the prior and the values have none.
        """
        if self.readout_scale is None or READOUT_SCALE in values:
            return values
        if isinstance(self.readout_scale, TakenOut):
            raise ValueError(f"the readout's scale was taken out of {self.name}, and the values have none")
        return values | {READOUT_SCALE: self.readout_scale}
