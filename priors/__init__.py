"""Priors over functions: infinite-width kernels and mixtures of Gaussian processes."""

from bayes_nn.priors.finite_width import BayesianNetwork, FrozenFeatures
from bayes_nn.priors.kernel_priors import NNGP, NTK, ScaleMixture
from bayes_nn.priors.prior import Prior

__all__ = ["NNGP", "NTK", "BayesianNetwork", "FrozenFeatures", "Prior", "ScaleMixture"]
