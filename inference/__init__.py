"""Fitting priors to data and judging them: samplers, evidence, comparison, the verdict."""

from bayes_nn.inference.after_kernel import AfterKernel, after_kernel
from bayes_nn.inference.agreement import agreement
from bayes_nn.inference.alignment import KernelAlignment, alignment, kernel_alignment
from bayes_nn.inference.evidence_curve import EvidenceCurve, evidence_curve
from bayes_nn.inference.evidence_methods import log_evidence
from bayes_nn.inference.feature_plots import plot_features
from bayes_nn.inference.fine_tuning import FineTuning, fine_tuning
from bayes_nn.inference.learning_curves import LearningCurves, learning_curves
from bayes_nn.inference.neuron_use import NeuronUse, neuron_use
from bayes_nn.inference.reweighting import Reweighting, reweighting
from bayes_nn.inference.settings import HMC, NUTS, SMC, InfiniteHMC
from bayes_nn.inference.sweep import Sweep, sweep
from bayes_nn.inference.transfer import Transfer, transfer
from bayes_nn.inference.width_slope import WidthSlope, width_slope

__all__ = [
    "HMC",
    "NUTS",
    "SMC",
    "AfterKernel",
    "EvidenceCurve",
    "FineTuning",
    "InfiniteHMC",
    "KernelAlignment",
    "LearningCurves",
    "NeuronUse",
    "Reweighting",
    "Sweep",
    "Transfer",
    "WidthSlope",
    "after_kernel",
    "agreement",
    "alignment",
    "evidence_curve",
    "fine_tuning",
    "kernel_alignment",
    "learning_curves",
    "log_evidence",
    "neuron_use",
    "plot_features",
    "reweighting",
    "sweep",
    "transfer",
    "width_slope",
]
