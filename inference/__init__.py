"""Fitting priors to data and judging them: samplers, evidence, comparison, the verdict, what features learnt."""

from bayes_nn.inference.after_kernel import AfterKernel, after_kernel
from bayes_nn.inference.alignment import KernelAlignment, alignment, kernel_alignment
from bayes_nn.inference.evidence_methods import log_evidence
from bayes_nn.inference.feature_plots import plot_features
from bayes_nn.inference.neuron_use import NeuronUse, neuron_use
from bayes_nn.inference.reweighting import Reweighting, reweighting
from bayes_nn.inference.settings import HMC, NUTS, SMC, InfiniteHMC

__all__ = [
    "HMC",
    "NUTS",
    "SMC",
    "AfterKernel",
    "InfiniteHMC",
    "KernelAlignment",
    "NeuronUse",
    "Reweighting",
    "after_kernel",
    "alignment",
    "kernel_alignment",
    "log_evidence",
    "neuron_use",
    "plot_features",
    "reweighting",
]
