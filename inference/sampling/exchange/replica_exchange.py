"""Replica exchange: posterior and evidence where modes are separated, by replicas that travel along the tempering."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import jax
from jaxtyping import Array

from bayes_nn.inference.problem.evidence import Evidence, with_approximation
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.moves.default import default_move
from bayes_nn.inference.sampling.moves.move import Move
from bayes_nn.inference.sampling.sampler import (
    Judge,
    SampledDraws,
    Sampler,
    all_values,
    check_max_steps,
    draw_nothing_more,
    silent,
)
from bayes_nn.inference.sampling.smc_settings import SMCSettings
from bayes_nn.runtime.progress import Report

if TYPE_CHECKING:
    from bayes_nn.inference.sampling.exchange.round_result import RoundResult
    from bayes_nn.inference.sampling.exchange.start import Start
    from bayes_nn.inference.sampling.exchange.system import Sweep

#: Rounds that are always run, since an error estimated from fewer sweeps may be small by chance.
FEWEST_ROUNDS = 3
#: Part of the time that the first round may take: three rounds, each twice as long as the one before, take half of it.
FIRST_ROUND_TIME = 0.07
#: Length of the next round, relative to the one before, below which it is not worth beginning.
WORTH_A_ROUND = 0.75


@dataclass(frozen=True)
class ReplicaExchange(Sampler):
    """Settings of replica exchange, which finds modes that chains and particles miss.

    One replica at every level of a ladder from the prior to the posterior is moved and swapped with its neighbours, in
    independent systems that begin at the particles of a small SMC run. Rounds double in length, the last one is shorter
    where time is; each places the levels by the rejections of the one before. Rounds go on until evidence and draws are
    good enough, or to the last one.
    (Syed, Bouchard-Cote, Deligiannidis and Doucet 2021, Journal of the Royal Statistical Society B 84.)

    Args:
        systems: independent systems, which run side by side.
        rounds: most rounds; the first has 64 sweeps, or fewer where time is limited.
        tolerance: standard error of the evidence, nats, at which rounds end early.
        max_steps: most gradient evaluations in one trajectory.
        particles: in each island of the SMC run at the beginning.
        move: how replicas are moved; None for trajectories where there are many latents, else elliptical slices.

    Raises:
        ValueError: for a setting out of range.

    Example:
        >>> ReplicaExchange(rounds=6).systems
        2
    """

    name = "replica_exchange"
    systems: int = 2
    rounds: int = 5
    tolerance: float = 0.2
    max_steps: int = 64
    particles: int = 64
    move: Move | None = None

    def __post_init__(self) -> None:
        if self.systems < 2 or self.rounds < 2 or self.particles < 8:
            raise ValueError(
                "replica exchange needs at least 2 systems and 2 rounds, which check each other, and 8 particles; got "
                f"{self.systems} systems, {self.rounds} rounds and {self.particles} particles"
            )
        if not self.tolerance > 0.0:
            raise ValueError(f"tolerance must be positive; got {self.tolerance}")
        check_max_steps(self.max_steps)

    def draw(
        self,
        problem: Problem,
        key: Array,
        *,
        report: Report = silent,
        checkpoint: Checkpoint = NOWHERE,
        good_enough: Judge = draw_nothing_more,
    ) -> SampledDraws:
        """The posterior's draws of every system in the last round, and the evidence."""
        return self.run(problem, key, report, checkpoint, good_enough)

    def begin(self, problem: Problem, key: Array, report: Report) -> "Start":
        """The SMC run at the beginning, and the levels and particles that it gives."""
        from bayes_nn.inference.sampling.exchange.start import start_from
        from bayes_nn.inference.sampling.schedule import run_pilot

        settings = SMCSettings(self.particles, self.systems, max_steps=self.max_steps, move=self.move)
        return start_from(run_pilot(problem, settings, key, report, stride=1, moves=1.0), self.systems)

    def run(
        self,
        problem: Problem,
        key: Array,
        report: Report,
        checkpoint: Checkpoint = NOWHERE,
        good_enough: Judge = draw_nothing_more,
        max_seconds: float = float("inf"),
        start: "Start | None" = None,
        to_confirm: Evidence | None = None,
    ) -> SampledDraws:
        """:meth:`draw` under a time limit, from a start that is known, or to confirm an evidence.

        Rounds are shorter where a sweep takes long, and none after the third is begun that would, at the pace so far,
        end after ``max_seconds``. They end as soon as they confirm the evidence given.
        """
        # These modules import BlackJAX, which starts JAX's backend.
        from bayes_nn.inference.sampling.exchange.judgement import confirms, judge_rounds
        from bayes_nn.inference.sampling.exchange.round_result import index_process
        from bayes_nn.inference.sampling.exchange.rounds import run_rounds

        key_start, key_rounds = jax.random.split(key)
        began = checkpoint.once("exchange_began", lambda: checkpoint.seconds)

        def enough(start: "Start", results: "list[RoundResult]", sweeps: "Sweep") -> bool:
            evidence = judge_rounds(start, results)
            if to_confirm is not None and confirms(evidence, to_confirm):
                return True
            if not evidence.reliable or evidence.mcse > self.tolerance:
                return False
            return good_enough(all_values(problem, sweeps.u), sweeps.log_likelihood[..., -1])

        def next_calls(
            start: "Start", results: "list[RoundResult]", sweeps: "Sweep", calls: int, seconds: float
        ) -> int:
            missing, left = min(FEWEST_ROUNDS, self.rounds) - len(results), max_seconds - (checkpoint.seconds - began)
            affordable = int(min(2.0, left / seconds / max(missing, 1)) * calls)
            if missing > 0:
                return max(calls, affordable)
            if len(results) >= self.rounds or affordable < WORTH_A_ROUND * calls or enough(start, results, sweeps):
                return 0
            return affordable

        start, results, sweeps = run_rounds(
            problem,
            self.move or default_move(problem, self.max_steps),
            lambda: start or self.begin(problem, key_start, report),
            key_rounds,
            next_calls,
            report,
            checkpoint,
            FIRST_ROUND_TIME * max_seconds,
        )
        evidence = with_approximation(judge_rounds(start, results), problem)
        evidence = replace(evidence, details=evidence.details | index_process(sweeps.replica))
        draws = all_values(problem, sweeps.u), sweeps.log_likelihood[..., -1], sweeps.stats
        return SampledDraws(*draws, evidence=evidence)
