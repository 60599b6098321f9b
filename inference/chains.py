"""Markov chains in compiled calls of ``CHUNK`` draws, with progress and checkpoints between them."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from bayes_nn.environment import hint_at_idle_cores, one_blas_thread_per_device
from bayes_nn.inference.checkpoint import Checkpoint
from bayes_nn.inference.settings import Chains, calls
from bayes_nn.progress import Report

#: Draws by name, each (chains, draws, ...): u, its log likelihood, and the sampler's statistics.
Draws = dict[str, np.ndarray]


def run_chains(
    settings: Chains,
    start: Callable[[], Any],
    advance: Callable[[Any, int], tuple[Any, Draws]],
    report: Report,
    checkpoint: Checkpoint,
) -> tuple[Float[np.ndarray, "chains draws D"], Float[np.ndarray, "chains draws"], Draws]:
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
        kept = [checkpoint.load(f"draws_{number}") for number in range(warmup, done)]
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
