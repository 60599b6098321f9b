"""Fitting priors to data and judging them: samplers, evidence, comparison, the verdict."""

from bayes_nn.inference.atlases.atlas import Atlas, atlas
from bayes_nn.inference.atlases.data_set import DataSet
from bayes_nn.inference.comparison.closeness_to_training import agreement
from bayes_nn.inference.comparison.evidence_curve import EvidenceCurve, evidence_curve
from bayes_nn.inference.comparison.learning_curves import LearningCurves, learning_curves
from bayes_nn.inference.comparison.prior_sensitivity import PriorSensitivity, prior_sensitivity
from bayes_nn.inference.comparison.richness import Richness, richness
from bayes_nn.inference.comparison.sweep import Sweep, sweep
from bayes_nn.inference.evidence.log_evidence import log_evidence
from bayes_nn.inference.evidence.width_slope import WidthSlope, width_slope
from bayes_nn.inference.features.after_kernel import AfterKernel, after_kernel
from bayes_nn.inference.features.alignment import KernelAlignment, alignment, kernel_alignment
from bayes_nn.inference.features.feature_plot import plot_features
from bayes_nn.inference.features.fine_tuning import FineTuning, fine_tuning
from bayes_nn.inference.features.function_probabilities import FunctionProbabilities, function_probabilities
from bayes_nn.inference.features.neuron_use import NeuronUse, neuron_use
from bayes_nn.inference.features.reweighting import Reweighting, reweighting
from bayes_nn.inference.features.scale_and_shape import ScaleAndShape, scale_and_shape
from bayes_nn.inference.features.transfer import Transfer, transfer
from bayes_nn.inference.sampling.exchange.replica_exchange import ReplicaExchange
from bayes_nn.inference.sampling.few_latents.adaptive_importance import AdaptiveImportance
from bayes_nn.inference.sampling.infinite_hmc import InfiniteHMC
from bayes_nn.inference.sampling.nuts import HMC, NUTS
from bayes_nn.inference.sampling.smc import SMC

__all__ = [
    "HMC",
    "NUTS",
    "SMC",
    "AdaptiveImportance",
    "AfterKernel",
    "Atlas",
    "DataSet",
    "EvidenceCurve",
    "FineTuning",
    "FunctionProbabilities",
    "InfiniteHMC",
    "KernelAlignment",
    "LearningCurves",
    "NeuronUse",
    "PriorSensitivity",
    "ReplicaExchange",
    "Reweighting",
    "Richness",
    "ScaleAndShape",
    "Sweep",
    "Transfer",
    "WidthSlope",
    "after_kernel",
    "agreement",
    "alignment",
    "atlas",
    "evidence_curve",
    "fine_tuning",
    "function_probabilities",
    "kernel_alignment",
    "learning_curves",
    "log_evidence",
    "neuron_use",
    "plot_features",
    "prior_sensitivity",
    "reweighting",
    "richness",
    "scale_and_shape",
    "sweep",
    "transfer",
    "width_slope",
]
