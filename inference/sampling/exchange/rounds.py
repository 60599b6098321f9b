"""Rounds of replica exchange, each of which begins with what the one before has taught."""

import time
from collections.abc import Callable

import jax
import numpy as np
from jaxtyping import Array

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.checkpoint import Checkpoint
from bayes_nn.inference.sampling.exchange.round_result import RoundResult
from bayes_nn.inference.sampling.exchange.stage import Stage, first_stage, next_stage
from bayes_nn.inference.sampling.exchange.start import Start
from bayes_nn.inference.sampling.exchange.system import Levels, Sweep, sweep_systems
from bayes_nn.inference.sampling.moves.move import Move
from bayes_nn.runtime.environment import hint_at_idle_cores, one_blas_thread_per_device
from bayes_nn.runtime.progress import Report

#: Sweeps in one compiled call, and in the first round.
SWEEPS_PER_CALL, FIRST_ROUND = 8, 64
#: Calls at the beginning of the first round that adapt; it has one more at least.
FIRST_ADAPTING = 2
#: Fraction of a round that adapts step sizes and forgets the last levels; its sweeps are not kept. Gain of adaptation.
ADAPTING, GAIN = 0.25, 0.3

#: The compiled calls of the next round, 0 to end, from where it all began, the results so far, and the kept sweeps, the
#: calls and the seconds of the last round.
NextCalls = Callable[[Start, list[RoundResult], Sweep, int, float], int]


def run_rounds(
    problem: Problem,
    move: Move,
    start: Callable[[], Start],
    key: Array,
    next_calls: NextCalls,
    report: Report,
    checkpoint: Checkpoint,
    first_seconds: float = float("inf"),
) -> tuple[Start, list[RoundResult], Sweep]:
    """Run rounds until the next one is to have no calls.

    Args:
        problem: the posterior.
        move: how replicas are moved.
        start: makes levels and particles; not called where a checkpoint has them.
        key: random key.
        next_calls: asked after every round.
        report: told the fraction of the round that is done, its number, the barrier and the round trips.
        checkpoint: where to keep the state, and to go on from.
        first_seconds: that the first round may take; it is shorter where a call takes long.

    Returns:
        Where it began, the result of every round, and the kept sweeps of the last one, (systems, sweeps, ...).
    """
    hint_at_idle_cores()
    with one_blas_thread_per_device():
        saved = checkpoint.load("exchange")
        if saved is None:
            begun = start()
            saved = begun, first_stage(problem, move, begun, key), [], 0, FIRST_ROUND // SWEEPS_PER_CALL, 0.0
        begun, stage, results, done, calls, seconds = saved
        while True:
            round_began = time.perf_counter() - seconds
            number = len(results)
            adapting = int(ADAPTING * calls) if results else FIRST_ADAPTING
            kept = [checkpoint.load_part(f"sweeps_{number}_{call}") for call in range(adapting, done)]
            while done < calls:
                began = time.perf_counter()
                stage, sweeps = _advance(problem, move, stage, GAIN if done < adapting else 0.0)
                if done >= adapting:
                    kept.append(sweeps)
                    checkpoint.save(f"sweeps_{number}_{done}", sweeps)
                done += 1
                if not results and done == FIRST_ADAPTING:  # the first call may have been compiled
                    affordable = int(min(first_seconds / (time.perf_counter() - began), calls))
                    calls = max(affordable, FIRST_ADAPTING + 1)
                seconds = time.perf_counter() - round_began
                checkpoint.save("exchange", (begun, stage, results, done, calls, seconds))
                report(done / calls, _progress(results, sweeps))
            joined = jax.tree.map(lambda *parts: np.concatenate(parts, axis=1), *kept)
            results = [*results, RoundResult.of(stage.tempering, joined)]
            if not (following := next_calls(begun, results, joined, calls, seconds)):
                return begun, results, joined
            stage = next_stage(problem, move, stage, results[-1], joined, number)
            done, calls, seconds = 0, following, 0.0
            checkpoint.save("exchange", (begun, stage, results, done, calls, seconds))


def _advance(problem: Problem, move: Move, stage: Stage, gain: float) -> tuple[Stage, Sweep]:
    """One compiled call; through the host, so that the next one sees arguments placed alike and compiles nothing."""
    levels = Levels(problem, move, stage.tempering, stage.reference, stage.moves)
    systems, sweeps = jax.tree.map(np.asarray, sweep_systems(levels, stage.systems, np.float64(gain), SWEEPS_PER_CALL))
    return stage._replace(systems=systems), sweeps


def _progress(results: list[RoundResult], sweeps: Sweep) -> str:
    text = f"round {len(results) + 1}, barrier {sweeps.rejection.mean(axis=(0, 1)).sum():.1f}"
    if not results:
        return text
    last = results[-1]
    value = np.mean([each.value for each in last.evidence])
    return f"{text}, log Z {value:.1f}, {last.journeys.sum() // 2} round trips in the last round"
