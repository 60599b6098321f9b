"""What every sampler is: settings that draw from a posterior."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import ClassVar

import jax
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.runtime.progress import Report

#: Draws of a chain in one compiled call.
PIECE = 25
#: Judges whether draws are good enough: takes them and the log likelihoods, (chains, draws).
Judge = Callable[[dict[str, np.ndarray], np.ndarray], bool]


@dataclass(frozen=True)
class SampledDraws:
    """What a sampler leaves behind.

    Attributes:
        values: draws of every latent on its own scale, (chains, draws, ...); empty without latents.
        log_likelihood: ``log p(y | z)`` of every draw, (chains, draws), nats.
        sample_stats: the sampler's statistics under the names ArviZ reads, (chains, draws) each.
        reasons: why not to trust the draws, beyond what they show themselves; empty if none.
        evidence: the evidence, where the sampler estimates it.
        sampler: name of the one that drew, where settings choose between several.
    """

    values: dict[str, np.ndarray]
    log_likelihood: Float[np.ndarray, "chains draws"]
    sample_stats: dict[str, np.ndarray] = field(default_factory=dict)
    reasons: tuple[str, ...] = ()
    evidence: Evidence | None = None
    sampler: str | None = None


def draw_nothing_more(values: dict[str, np.ndarray], log_likelihood: np.ndarray) -> bool:
    """The judge that takes draws as they are."""
    return True


def silent(fraction: float, text: str) -> None:
    """The report that nobody reads."""


class Sampler(abc.ABC):
    """Settings that know how to draw; to add a sampler, derive one and list it in ``sampling/samplers.py``.

    Attributes:
        name: what :func:`bayes_nn.fit` calls it.
    """

    name: ClassVar[str]

    @abc.abstractmethod
    def draw(
        self,
        problem: Problem,
        key: Array,
        *,
        report: Report = silent,
        checkpoint: Checkpoint = NOWHERE,
        good_enough: Judge = draw_nothing_more,
    ) -> SampledDraws:
        """Draw from a posterior.

        Args:
            problem: the posterior.
            key: random key.
            report: called with the fraction done and a text.
            checkpoint: where to keep the state, and to go on from.
            good_enough: asked by samplers that can go on after their last step.
        """


def all_values(problem: Problem, u: Float[np.ndarray, "chains draws D"]) -> dict[str, np.ndarray]:
    """Latents on their own scale for draws of u, in pieces of one size, so that more draws compile nothing."""
    draws = u.shape[1]
    size, found = min(draws, PIECE), []
    for start in range(0, draws, size):
        first = min(start, draws - size)  # the last piece overlaps with the one before
        values = _values(problem, u[:, first : first + size])
        found.append({name: np.asarray(value)[:, start - first :] for name, value in values.items()})
    return {name: np.concatenate([one[name] for one in found], axis=1) for name in found[0]}


@jax.jit
def _values(problem: Problem, u: Float[Array, "chains P D"]) -> dict[str, Array]:
    return jax.vmap(jax.vmap(problem.values))(u)


def check_max_steps(max_steps: int) -> None:
    """Refuse trajectories without a step.

    Raises:
        ValueError: for fewer than 1.
    """
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1; got {max_steps}")
