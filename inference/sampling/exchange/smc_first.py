"""Importance sampling where latents are few; SMC where the path is short, and replica exchange elsewhere."""

from dataclasses import dataclass, field, replace
from functools import partial

import jax
import numpy as np
from jaxtyping import Array

from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.exchange.replica_exchange import ReplicaExchange
from bayes_nn.inference.sampling.few_latents.adaptive_importance import AdaptiveImportance, has_few_latents
from bayes_nn.inference.sampling.few_latents.quadrature import confirmed, quadrature_where_reliable
from bayes_nn.inference.sampling.sampler import Judge, SampledDraws, Sampler, draw_nothing_more, silent
from bayes_nn.inference.sampling.smc import SMC
from bayes_nn.runtime.progress import Report

#: Times that SMC moves its particles on at the posterior before they are given up, where they could be.
MOST_MOVES_AT_THE_END = 5
#: Barrier beyond which SMC is not tried: 3 to 4 where it agrees with long runs, 8 and more where it is 10 nats low.
LONGEST_PATH = 6.0


@dataclass(frozen=True)
class SMCFirst(Sampler):
    """SMC, and replica exchange where SMC does not trust its evidence or its draws have not mixed.

    Kernels with few latents, scales of inputs among them, come first: adaptive importance sampling takes a tenth of the
    time there, and SMC does what it does not trust itself with.

    The posterior of a network may have a phase that no particle of SMC finds, although all its checks pass. So the
    pilot run of SMC comes first, at whose particles replica exchange begins. Where the barrier that it saw is high,
    replica exchange does the rest; where it is low, SMC does, along the pilot's schedule, and three rounds or more of
    replica exchange have to confirm it. A kernel with a learned metric is treated alike, but for the confirmation,
    which takes several times as long as SMC there.

    Where there are at most three latents the evidence is that of quadrature, if that can be trusted; the sampler's then
    has to agree.

    Args:
        smc: settings of SMC.
        exchange: settings of replica exchange; None for SMC alone.
        max_seconds: for all of it; no round of replica exchange after the third is begun that would end later, and none
            at all where SMC took longer, whose evidence is then not reliable if it had to be confirmed. Quadrature may
            take as long again.
        confirm_kernels: whether replica exchange confirms SMC for kernels with a learned metric too.

    Raises:
        ValueError: for a time that is not positive.

    Example:
        >>> SMCFirst(SMC(particles=64)).exchange.systems, SMCFirst(exchange=None).exchange is None
        (2, True)
    """

    name = "smc"
    smc: SMC = field(default_factory=SMC)
    exchange: ReplicaExchange | None = field(default_factory=ReplicaExchange)
    max_seconds: float = 120.0
    confirm_kernels: bool = False

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
        known = checkpoint.once(
            "quadrature",
            lambda: quadrature_where_reliable(problem, jax.random.fold_in(key, 2), report, self.max_seconds),
        )
        if has_few_latents(problem):
            own = jax.random.fold_in(key, 3)
            weighted = checkpoint.once("importance", lambda: AdaptiveImportance().draw(problem, own, report=report))
            evidence, itself = _evidence(weighted, known), weighted.evidence
            trusted = evidence.reliable and itself is not None and itself.reliable
            if trusted and good_enough(weighted.values, weighted.log_likelihood):
                return replace(weighted, evidence=evidence, sampler=AdaptiveImportance.name)
        if self.exchange is None:
            drawn = self.smc.draw(problem, key, report=report, checkpoint=checkpoint, good_enough=good_enough)
            return replace(drawn, evidence=_evidence(drawn, known), sampler=SMC.name)
        return self._confirmed(problem, key, report, checkpoint, good_enough, known, self.exchange)

    def _confirmed(
        self,
        problem: Problem,
        key: Array,
        report: Report,
        checkpoint: Checkpoint,
        good_enough: Judge,
        known: Evidence | None,
        exchange: ReplicaExchange,
    ) -> SampledDraws:
        """SMC with replica exchange behind it."""
        # This module imports BlackJAX, which starts JAX's backend.
        from bayes_nn.inference.sampling.exchange.judgement import confirms
        from bayes_nn.inference.sampling.exchange.start import start_from
        from bayes_nn.inference.sampling.schedule import run_pilot

        began = checkpoint.once("smc_began", lambda: checkpoint.seconds)
        # Moves at the posterior that an earlier part of the run has made.
        *_, asked = checkpoint.load("islands") or (0,)

        def patience(values: dict[str, np.ndarray], log_likelihood: np.ndarray) -> bool:
            nonlocal asked
            asked += 1
            return asked > MOST_MOVES_AT_THE_END or good_enough(values, log_likelihood)

        # The pilot that SMC would run itself.
        key_pilot, key_exchange = jax.random.split(key)[0], jax.random.fold_in(key, 1)
        pilot, start, drawn, trusted = None, None, None, False
        if problem.has_shape_latents:
            pilot = checkpoint.once("schedule", lambda: run_pilot(problem, self.smc, key_pilot, report))
            start = start_from(pilot, exchange.systems)
        if start is None or start.barrier <= LONGEST_PATH:
            smc = partial(self.smc.draw, problem, key, report=report, checkpoint=checkpoint, pilot=pilot)
            drawn = checkpoint.once("smc", lambda: smc(good_enough=patience))
            drawn = replace(drawn, evidence=_evidence(drawn, known), sampler="smc")
            assert drawn.evidence is not None
            trusted = drawn.evidence.reliable and good_enough(drawn.values, drawn.log_likelihood)
            confirmed_by_exchange = problem.has_hidden_weights or (start is not None and self.confirm_kernels)
            if trusted and not confirmed_by_exchange:
                return drawn
        seconds = self.max_seconds - checkpoint.once("smc_seconds", lambda: checkpoint.seconds - began)
        if drawn and seconds < 0.0:
            return replace(drawn, evidence=_unconfirmed(drawn.evidence, self.max_seconds)) if trusted else drawn
        to_confirm = drawn.evidence if drawn and trusted else None
        found = exchange.run(
            problem, key_exchange, report, checkpoint, good_enough, seconds, start, to_confirm=to_confirm
        )
        assert found.evidence is not None
        if drawn and to_confirm and confirms(found.evidence, to_confirm):
            note = {"log_evidence_of_replica_exchange": found.evidence.value}
            return replace(drawn, evidence=replace(to_confirm, details=to_confirm.details | note))
        return replace(found, evidence=_evidence(found, known), sampler="replica_exchange")


def _unconfirmed(evidence: Evidence | None, max_seconds: float) -> Evidence:
    """Evidence of SMC that replica exchange should have confirmed, and had no time to."""
    assert evidence is not None
    why = (
        f"SMC took all of the {max_seconds:g} seconds, so that replica exchange could not confirm it: raise max_seconds"
    )
    return replace(evidence, reliable=False, reasons=(*evidence.reasons, why))


def _evidence(drawn: SampledDraws, known: Evidence | None) -> Evidence:
    """That of quadrature where it is known, else that which came with the draws."""
    assert drawn.evidence is not None
    return drawn.evidence if known is None else confirmed(known, drawn.evidence)
