"""Markov chains in compiled calls of a few moves, with progress and checkpoints between them."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.sampler import Judge, SampledDraws, Sampler, all_values, draw_nothing_more, silent
from bayes_nn.runtime.environment import hint_at_idle_cores, one_blas_thread_per_device
from bayes_nn.runtime.progress import Report

#: Moves of every chain in one compiled call; warm-up is rounded up to whole calls.
MOVES_PER_CALL = 25

#: Draws by name, each (chains, draws, ...): u, its log likelihood, and the sampler's statistics.
Draws = dict[str, np.ndarray]

#: Draws of u (chains, draws, D), their log likelihood (chains, draws), and the sampler's statistics.
ChainDraws = tuple[Float[np.ndarray, "chains draws D"], Float[np.ndarray, "chains draws"], Draws]


def calls(count: int) -> int:
    """Compiled calls that ``count`` draws need."""
    return -(-count // MOVES_PER_CALL)


@dataclass(frozen=True)
class Chains(Sampler):
    """What all Markov chain samplers have in common; choose one of them instead.

    Args:
        chains: independent chains.
        warmup: draws per chain that adapt the sampler, thrown away.
        draws: draws kept per chain.
        target_accept: acceptance the step size is adapted to.

    Raises:
        ValueError: for a setting out of range.
    """

    chains: int = 4
    warmup: int = 500
    draws: int = 500
    target_accept: float = 0.8

    def __post_init__(self) -> None:
        if min(self.chains, self.warmup) < 1 or self.draws < 4:
            raise ValueError(
                f"sampling needs at least 1 chain, 1 warm-up draw and 4 draws; got {self.chains} chains, "
                f"{self.warmup} warm-up and {self.draws} draws"
            )
        if not 0.0 < self.target_accept < 1.0:
            raise ValueError(f"target_accept must lie between 0 and 1; got {self.target_accept}")

    @abc.abstractmethod
    def draw_u(
        self, problem: Problem, key: Array, report: Report = silent, checkpoint: Checkpoint = NOWHERE
    ) -> ChainDraws:
        """Draws on the unconstrained scale, their log likelihood, and the sampler's statistics."""

    def draw(
        self,
        problem: Problem,
        key: Array,
        *,
        report: Report = silent,
        checkpoint: Checkpoint = NOWHERE,
        good_enough: Judge = draw_nothing_more,
    ) -> SampledDraws:
        """Draws on the scale of the latents; chains end after their last draw, whatever the judge says."""
        u, log_likelihood, sample_stats = self.draw_u(problem, key, report, checkpoint)
        return SampledDraws(all_values(problem, u), log_likelihood, sample_stats)


def run_chains(
    settings: Chains,
    start: Callable[[], Any],
    advance: Callable[[Any, int], tuple[Any, Draws]],
    report: Report,
    checkpoint: Checkpoint,
) -> ChainDraws:
    """Run warm-up and sampling, or what a checkpoint says is left of them.

    Args:
        settings: numbers of chains and draws.
        start: the state of all chains at the beginning.
        advance: the state and the draws after the compiled call of a number; calls below ``calls(settings.warmup)``
            are warm-up.
        report: called after every compiled call.
        checkpoint: where to keep the state, and to go on from.

    Returns:
        Draws of u, their log likelihood, and the statistics, warm-up left out.
    """
    hint_at_idle_cores()
    warmup, total = calls(settings.warmup), calls(settings.warmup) + calls(settings.draws)
    with one_blas_thread_per_device():
        done, state = checkpoint.load("chains") or (0, start())
        kept = [checkpoint.load_part(f"draws_{number}") for number in range(warmup, done)]
        for number in range(done, total):
            state, draws = advance(state, number)
            draws = jax.tree.map(np.asarray, draws)
            if number >= warmup:
                kept.append(draws)
                checkpoint.save(f"draws_{number}", draws)
            checkpoint.save("chains", (number + 1, state))
            phase = "sampling" if number >= warmup else "warm-up"
            acceptance, steps = draws["acceptance_rate"].mean(), draws["n_steps"].mean()
            report((number + 1) / total, f"{phase}, acceptance {acceptance:.2f}, {steps:.0f} gradients per draw")
    joined = {name: np.concatenate([one[name] for one in kept], axis=1)[:, : settings.draws] for name in kept[0]}
    return joined.pop("u"), joined.pop("log_likelihood"), joined
