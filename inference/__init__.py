"""Fitting priors to data and judging them: samplers, evidence, comparison, the verdict."""

from bayes_nn.inference.agreement import agreement
from bayes_nn.inference.evidence_methods import log_evidence
from bayes_nn.inference.settings import HMC, NUTS, SMC, InfiniteHMC

__all__ = ["HMC", "NUTS", "SMC", "InfiniteHMC", "agreement", "log_evidence"]
