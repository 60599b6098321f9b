"""Fitting priors to data and judging them: samplers, evidence, comparison, the verdict."""

from bayes_nn.inference.agreement import agreement
from bayes_nn.inference.evidence_curve import EvidenceCurve, evidence_curve
from bayes_nn.inference.evidence_methods import log_evidence
from bayes_nn.inference.learning_curves import LearningCurves, learning_curves
from bayes_nn.inference.settings import HMC, NUTS, SMC, InfiniteHMC
from bayes_nn.inference.transfer import Transfer, transfer

__all__ = [
    "HMC",
    "NUTS",
    "SMC",
    "EvidenceCurve",
    "InfiniteHMC",
    "LearningCurves",
    "Transfer",
    "agreement",
    "evidence_curve",
    "learning_curves",
    "log_evidence",
    "transfer",
]
