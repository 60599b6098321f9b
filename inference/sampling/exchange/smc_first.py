"""SMC where the path is short and its checks pass, replica exchange where they do not; quadrature over few latents."""

import time
from dataclasses import dataclass, field, replace

import jax
import numpy as np
from jaxtyping import Array

from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.problem.quadrature import confirmed, quadrature_where_reliable
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.exchange.replica_exchange import ReplicaExchange
from bayes_nn.inference.sampling.sampler import Judge, SampledDraws, Sampler, draw_nothing_more, silent
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.runtime.progress import Report

#: Times that SMC moves its particles on at the posterior before they are given up, where they could be.
MOST_MOVES_AT_THE_END = 5


@dataclass(frozen=True)
class SMCFirst(Sampler):
    """SMC, and replica exchange where SMC does not trust its evidence or its draws have not mixed.

    Where there are at most three latents the evidence is that of quadrature, if that can be trusted; the sampler's then
    has to agree.

    Args:
        smc: settings of SMC.
        exchange: settings of replica exchange.
        max_seconds: that replica exchange may take, and quadrature; where SMC took longer the former is not begun.

    Raises:
        ValueError: for a time that is not positive.

    Example:
        >>> SMCFirst(SMC(particles=64)).exchange.systems
        2
    """

    name = "smc"
    smc: SMC = field(default_factory=SMC)
    exchange: ReplicaExchange = field(default_factory=ReplicaExchange)
    max_seconds: float = 240.0

    def __post_init__(self) -> None:
        if not self.max_seconds > 0.0:
            raise ValueError(f"max_seconds must be positive; got {self.max_seconds}")

    def draw(
        self,
        problem: Problem,
        key: Array,
        *,
        report: Report = silent,
        checkpoint: Checkpoint = NOWHERE,
        good_enough: Judge = draw_nothing_more,
    ) -> SampledDraws:
        """The draws of the sampler that was good enough, or of the last one."""
        known = quadrature_where_reliable(problem, jax.random.fold_in(key, 2), report, self.max_seconds)
        started, asked = time.perf_counter(), 0

        def patience(values: dict[str, np.ndarray], log_likelihood: np.ndarray) -> bool:
            nonlocal asked
            asked += 1
            return asked > MOST_MOVES_AT_THE_END or good_enough(values, log_likelihood)

        drawn = self.smc.draw(problem, key, report=report, checkpoint=checkpoint, good_enough=patience)
        evidence = _evidence(drawn, known)
        enough = evidence.reliable and good_enough(drawn.values, drawn.log_likelihood)
        if enough or time.perf_counter() - started > self.max_seconds:
            return replace(drawn, evidence=evidence, sampler="smc")
        key = jax.random.fold_in(key, 1)
        found = self.exchange.run(problem, key, report, checkpoint, good_enough, self.max_seconds)
        return replace(found, evidence=_evidence(found, known), sampler="replica_exchange")


def _evidence(drawn: SampledDraws, known: Evidence | None) -> Evidence:
    """That of quadrature where it is known, else that which came with the draws."""
    assert drawn.evidence is not None
    return drawn.evidence if known is None else confirmed(known, drawn.evidence)
