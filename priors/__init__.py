"""Priors over functions: infinite-width kernels, finite networks, GPJax kernels and NumPyro models."""

from bayes_nn.priors.ard_kernel import ARDKernel
from bayes_nn.priors.empirical_kernel import EmpiricalNTK
from bayes_nn.priors.finite_width import BayesianNetwork, FrozenFeatures
from bayes_nn.priors.gradient_flow import GradientFlow, gradient_flow
from bayes_nn.priors.infinite_width import NNGP, NTK
from bayes_nn.priors.input_metric import InputMetric
from bayes_nn.priors.kernel_prior import KernelPrior
from bayes_nn.priors.kernels.empirical_ntk import empirical_ntk
from bayes_nn.priors.ladder import ladder
from bayes_nn.priors.numpyro_prior import NumPyroPrior
from bayes_nn.priors.prior import GaussianProcessMixture, Prior
from bayes_nn.priors.renormalised_kernel import RenormalisedKernel
from bayes_nn.priors.scaled_nngp import ScaleMixture, StudentT

__all__ = [
    "NNGP",
    "NTK",
    "ARDKernel",
    "BayesianNetwork",
    "EmpiricalNTK",
    "FrozenFeatures",
    "GaussianProcessMixture",
    "GradientFlow",
    "InputMetric",
    "KernelPrior",
    "NumPyroPrior",
    "Prior",
    "RenormalisedKernel",
    "ScaleMixture",
    "StudentT",
    "empirical_ntk",
    "gradient_flow",
    "ladder",
]
