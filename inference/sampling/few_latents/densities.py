"""Draws from the prior and log densities at many points, in compiled pieces of one size."""

import time
from collections.abc import Callable
from typing import Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.environment import one_blas_thread_per_device

#: Points in one compiled call.
PIECE = 128


class Density(Protocol):
    """Prior times likelihood, in the coordinates of a posterior or others: a pytree whose arrays are traced."""

    @property
    def dimension(self) -> int:
        """Number of coordinates."""

    def sample_prior(self, key: Array, shape: tuple[int, ...] = ()) -> Float[Array, "... D"]:
        """Draws from the prior, with leading axes ``shape``."""

    def log_densities(self, u: Float[Array, " D"]) -> tuple[Float[Array, ""], Float[Array, ""]]:
        """Log prior density and log likelihood, nats."""


def densities_at(
    problem: Density,
    u: Float[np.ndarray, "M D"],
    tell: Callable[[int], None] = lambda points: None,
    max_seconds: float = float("inf"),
) -> tuple[Float[np.ndarray, " M"], Float[np.ndarray, " M"]]:
    """Log prior density and log likelihood at points, nats; the last piece is filled up with its first point.

    Args:
        problem: the posterior.
        u: the points.
        tell: told after every piece how many points are done.
        max_seconds: that all may take, at the pace of the second piece; the first one compiles.

    Raises:
        TimeoutError: if they would take longer.

    Example:
        >>> import bayes_nn as bnn
        >>> from bayes_nn.inference.problem.collapsed import CollapsedProblem
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> problem = CollapsedProblem.of(nngp, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian())
        >>> [part.shape for part in densities_at(problem, np.zeros((5, 1)))]
        [(5,), (5,)]
    """
    found: list[tuple[np.ndarray, np.ndarray]] = []
    began = time.perf_counter()
    with one_blas_thread_per_device():
        for start in range(0, len(u), PIECE):
            if len(found) == 1:
                began = time.perf_counter()
            piece = u[start : start + PIECE]
            filled = np.concatenate([piece, np.repeat(piece[:1], PIECE - len(piece), axis=0)])
            log_prior, log_likelihood = _of_piece(problem, jnp.asarray(filled))
            found.append((np.asarray(log_prior)[: len(piece)], np.asarray(log_likelihood)[: len(piece)]))
            if len(found) == 2 and (time.perf_counter() - began) * len(u) / PIECE > max_seconds:
                raise TimeoutError(f"{len(u)} points would take longer than {max_seconds:.0f} seconds")
            tell(start + len(piece))
    log_prior, log_likelihood = (np.concatenate(part) for part in zip(*found, strict=True))
    return log_prior, log_likelihood


def draws_from_prior(problem: Density, key: Array, count: int) -> Float[np.ndarray, "M D"]:
    """Draws from the prior.

    Args:
        problem: the posterior.
        key: random key.
        count: how many.

    Example:
        >>> import bayes_nn as bnn
        >>> from bayes_nn.inference.problem.collapsed import CollapsedProblem
        >>> nngp = bnn.priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
        >>> problem = CollapsedProblem.of(nngp, jnp.ones((3, 2)), jnp.zeros((3, 1)), bnn.Gaussian())
        >>> draws_from_prior(problem, jax.random.key(0), 200).shape
        (200, 1)
    """
    pieces = -(-count // PIECE)
    return np.concatenate([_piece_of_prior(problem, jax.random.fold_in(key, number)) for number in range(pieces)])[
        :count
    ]


@jax.jit
def _piece_of_prior(problem: Density, key: Array) -> Float[Array, "P D"]:
    return problem.sample_prior(key, (PIECE,))


@jax.jit
def _of_piece(problem: Density, u: Float[Array, "P D"]) -> tuple[Float[Array, " P"], Float[Array, " P"]]:
    return map_over_devices(lambda problem, one: problem.log_densities(one), len(u))(problem, u)
