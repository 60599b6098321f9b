"""Draws of a posterior with what they are draws of, and computations for every one of them."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.priors.finite_width import BayesianNetwork
from bayes_nn.priors.prior import Prior
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device, require_double_precision
from bayes_nn.runtime.memory import refuse_beyond_memory
from bayes_nn.runtime.progress import Report

#: Numbers that a prediction holds for every input, output and draw: mean and variance, and a copy of each.
NUMBERS = 4
#: Most draws in one compiled call, and most draws of a chain where chains are kept apart.
PIECE, PIECE_OF_CHAIN = 100, 50


@dataclass(frozen=True)
class Draws:
    """Draws from a posterior.

    Attributes:
        problem: prior, likelihood and data on the model's scale.
        dataset: the data as given, their scale and their columns.
        values: draws of every latent, (chains, draws, ...); chains are islands for SMC. Empty for exact
            posteriors without latents.
        log_likelihood: ``log p(y | z)`` of every draw, (chains, draws), nats.
        sample_stats: the sampler's statistics, (chains, draws) each.
        sampler: ``"exact"``, ``"infinite_hmc"``, ``"smc"``, ``"replica_exchange"``, ``"nuts"``, ``"hmc"`` or
            ``"frozen"``.
        key: for draws made later: of the readout, of f, of replicated y.
    """

    problem: Problem
    dataset: Dataset
    values: dict[str, np.ndarray]
    log_likelihood: Float[np.ndarray, "chains draws"]
    sample_stats: dict[str, np.ndarray]
    sampler: str
    key: Array

    @property
    def shape(self) -> tuple[int, int]:
        """Chains (islands) and draws (particles)."""
        return self.log_likelihood.shape

    @property
    def prior(self) -> Prior:
        """The prior that was fitted, without its fixed numbers."""
        return self.problem.prior

    def of_every_draw(self, what: Callable[..., Any], shared: Any = None, *, once: bool = False) -> Any:
        """``what(problem, shared, values, key)`` for every draw, over the devices; one leading axis of all draws.

        Args:
            what: traceable.
            shared: what every draw needs besides.
            once: whether a posterior without latents, all of whose draws have the same z, is computed once.
        """
        count = 1 if once and not self.values else math.prod(self.shape)
        values = {name: value.reshape(count, *value.shape[2:]) for name, value in self.values.items()}
        return for_all_draws(self.problem, shared, values, jax.random.fold_in(self.key, 0), count, what)

    @cached_property
    def function_draws(self) -> dict[str, np.ndarray]:
        """f at the training inputs under every draw, and the readout of networks; drawn exactly where integrated out.

        On the model's scale, (chains, draws, ...).
        """
        draws = self.of_every_draw(_draw_function)
        return {name: value.reshape(*self.shape, *value.shape[1:]) for name, value in draws.items()}

    def function_draws_at(self, X_new: Float[Array, "T *shape"]) -> Float[np.ndarray, "chains draws T C"]:
        """f at new inputs under every draw, every input drawn on its own; inputs and f on the model's scale."""
        draws = self.of_every_draw(_draw_function_at, X_new)
        return draws.reshape(*self.shape, *draws.shape[1:])

    def predictions_at(self, X_new: Float[Array, "T *shape"]) -> Any:
        """What the problem predicts of y at new inputs under every draw, on the model's scale.

        Raises:
            ValueError: for more inputs than the memory holds predictions of by all draws.
        """
        draws = self.log_likelihood.size if self.values else 1
        refuse_beyond_memory(
            NUMBERS * 8.0 * draws * len(X_new) * self.problem.Y.shape[1],
            f"predicting {len(X_new):,} inputs by {draws:,} draws",
            "predict fewer inputs at a time",
        )
        return self.of_every_draw(_predict, X_new, once=True)


def _predict(problem: Problem, X_new: Array, values: dict[str, Array], key: Array) -> Any:
    return problem.predict(X_new, values, key)


def _draw_function(problem: Problem, _: None, values: dict[str, Array], key: Array) -> dict[str, Array]:
    return problem.draw_function(values, key)


def _draw_function_at(problem: Problem, X_new: Array, values: dict[str, Array], key: Array) -> Array:
    return problem.draw_function_at(X_new, values, key)


@one_blas_thread_per_device()
def for_all_draws(problem: Problem, shared: Any, draws: Any, key: Array, count: int, what: Callable[..., Any]) -> Any:
    """``what(problem, shared, draw, key)`` for every draw and a key of its own, in pieces of one size.

    Code is compiled for a piece, so that another number of draws compiles nothing.

    Args:
        problem: the posterior.
        shared: what every draw needs besides.
        draws: a pytree of arrays with a leading axis of ``count`` draws.
        key: every draw gets one of the keys that it is split into.
        count: number of draws.
        what: traceable.

    Returns:
        What was computed, as NumPy arrays with a leading axis of all draws.
    """
    require_double_precision()
    size, found = min(count, PIECE), []
    for start in range(0, count, size):
        first = min(start, count - size)  # the last piece overlaps with the one before
        own = jax.tree.map(lambda array: array[first : first + size], draws)  # noqa: B023
        piece = _piece(problem, shared, own, key, np.arange(first, first + size), what)
        found.append(jax.tree.map(lambda array: np.asarray(array)[start - first :], piece))  # noqa: B023
    return jax.tree.map(lambda *parts: np.concatenate(parts), *found)


@partial(jax.jit, static_argnames="what")
def _piece(
    problem: Problem, shared: Any, draws: Any, key: Array, numbers: Int[Array, " P"], what: Callable[..., Any]
) -> Any:
    def each(everyones: tuple[Problem, Any, Array], own: tuple[Any, Array]) -> Any:
        (problem, shared, key), (draw, number) = everyones, own
        # The same as the entry of this number of jax.random.split.
        return what(problem, shared, draw, jax.random.fold_in(key, number))

    return map_over_devices(each, len(numbers))((problem, shared, key), (draws, numbers))


def pieces(draws: Draws) -> Iterator[tuple[dict[str, jax.Array], slice]]:
    """The draws in pieces of equal size, (chains, piece, ...) each, so that what takes them compiles once."""
    count = draws.shape[1]
    size = max(size for size in range(1, PIECE_OF_CHAIN + 1) if count % size == 0)
    for start in range(0, count, size):
        cut = slice(start, start + size)
        yield {name: jnp.asarray(value[:, cut]) for name, value in draws.values.items()}, cut


def of_every_draw(
    draws: Draws, what: Callable[..., Any], shared: Any, keys: jax.Array, report: Report, text: str
) -> np.ndarray:
    """``what(shared, values, keys)`` of every piece of the draws, joined along their axis.

    Args:
        draws: gone through.
        what: compiled; takes values and keys with axes (chains, piece).
        shared: what every draw needs.
        keys: one per draw, (chains, draws, ...).
        report: told the fraction done.
        text: what is being done.
    """
    found = []
    for values, cut in pieces(draws):
        found.append(np.asarray(what(shared, values, keys[:, cut])))
        report(cut.stop / draws.shape[1], text)
    return np.concatenate(found, axis=1)


def checked_network(draws: Draws) -> BayesianNetwork:
    """The network whose posterior it is.

    Raises:
        ValueError: if it is the posterior of a prior without hidden weights.
    """
    prior = draws.problem.prior
    if not isinstance(prior, BayesianNetwork):
        raise ValueError(f"{prior.name} has no hidden weights, so there are no features to look at")
    return prior
