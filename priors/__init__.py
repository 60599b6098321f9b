"""Priors over functions: infinite-width kernels and mixtures of Gaussian processes."""

from bayes_nn.priors.empirical_kernel import EmpiricalNTK
from bayes_nn.priors.empirical_ntk import empirical_ntk
from bayes_nn.priors.finite_width import BayesianNetwork, FrozenFeatures
from bayes_nn.priors.gradient_flow import GradientFlow, gradient_flow
from bayes_nn.priors.kernel_prior import KernelPrior
from bayes_nn.priors.kernel_priors import NNGP, NTK, ScaleMixture, StudentT
from bayes_nn.priors.numpyro_prior import NumPyroPrior
from bayes_nn.priors.prior import Prior
from bayes_nn.priors.renormalised_kernel import RenormalisedKernel

__all__ = [
    "NNGP",
    "NTK",
    "BayesianNetwork",
    "EmpiricalNTK",
    "FrozenFeatures",
    "GradientFlow",
    "KernelPrior",
    "NumPyroPrior",
    "Prior",
    "RenormalisedKernel",
    "ScaleMixture",
    "StudentT",
    "empirical_ntk",
    "gradient_flow",
]
