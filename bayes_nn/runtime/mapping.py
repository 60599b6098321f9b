"""Particles, chains, replicas and draws: one after another on a CPU, in batches on an accelerator.

On a CPU a loop is faster than a batch, and batched factorisations can hang the process
(``docs/decisions/0001-no-batched-lapack.md``); an accelerator would be idle in a loop. Everything that goes through
many of them does so by :func:`map_each`, and what must not be batched on a CPU is wrapped in :func:`unbatched`.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap, sequential_vmap
from jaxtyping import Array, Bool, Float

#: Most that are computed at once on an accelerator, in each of the mappings that lie within each other.
ON_ACCELERATORS = 256

# Part of what JAX keys traced and compiled code by, so that no program is used under another setting.
_batch_size = jax.make_user_context(default_value=None)


@contextmanager
def mapping_in_batches(size: int) -> Iterator[None]:
    """Have particles, chains, replicas and draws computed in batches of this size, in place of the backend's choice.

    The choice is 1 on a CPU, where it should stay: batched factorisations can hang a process of few cores for ever, if
    not started with ``PJRT_NPROC=8`` in its environment. On any other backend it is ``ON_ACCELERATORS``; smaller
    batches need less memory. Results agree up to rounding. The setting holds in the thread that makes it, and code is
    compiled for every setting.

    Args:
        size: most that are computed at once, in each of the mappings that lie within each other; 1 for a loop.

    Raises:
        ValueError: if it is not a positive integer.

    Example:
        >>> with mapping_in_batches(1):
        ...     batch_size()
        1
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"the size of a batch must be a positive integer, 1 for a loop; got {size!r}")
    with _batch_size(size):
        yield


def batch_size() -> int:
    """How many are computed at once by what is traced now.

    Example:
        >>> with mapping_in_batches(64):
        ...     batch_size()
        64
    """
    chosen = _batch_size.value
    if chosen is not None:
        return chosen
    return 1 if jax.default_backend() == "cpu" else ON_ACCELERATORS


def map_each(function: Callable[[Any], Any], stacked: Any) -> Any:
    """``function`` of every entry of the leading axis, in a loop or in batches.

    Args:
        function: takes the pytree of one entry; traceable.
        stacked: a pytree of arrays with the same leading axis.

    Example:
        >>> map_each(jnp.square, jnp.arange(4.0)).tolist()
        [0.0, 1.0, 4.0, 9.0]
    """
    size = batch_size()
    return jax.lax.map(function, stacked, batch_size=None if size == 1 else size)


def in_pieces(function: Callable[[Array], Any], rows: Float[Array, "N *shape"], size: int) -> Any:
    """``function`` of rows that do not depend on each other, so many at once that its temporaries stay small.

    The last piece overlaps the one before it.

    Args:
        function: gives arrays with a leading axis of as many rows; traceable.
        rows: of the leading axis.
        size: most rows of a piece.

    Example:
        >>> in_pieces(jnp.square, jnp.arange(5.0), 2).tolist()
        [0.0, 1.0, 4.0, 9.0, 16.0]
    """
    count = -(-len(rows) // size)
    if count <= 1:
        return function(rows)
    length = -(-len(rows) // count)
    starts = jnp.minimum(jnp.arange(count) * length, len(rows) - length)
    found = jax.lax.map(lambda start: function(jax.lax.dynamic_slice_in_dim(rows, start, length)), starts)
    places = (starts[:, None] + jnp.arange(length)).ravel()

    def joined(parts: Array) -> Array:
        flat = parts.reshape(-1, *parts.shape[2:])
        return jnp.zeros((len(rows), *flat.shape[1:]), flat.dtype).at[places].set(flat)

    return jax.tree.map(joined, found)


def unbatched(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, which stays unbatched under a ``vmap`` from any library where mappings are loops.

    Example:
        >>> factor = unbatched(jnp.linalg.cholesky)
        >>> jax.vmap(factor)(4.0 * jnp.eye(1)[None]).tolist()
        [[[2.0]]]
    """
    looped = sequential_vmap(function)

    @wraps(function)
    def chosen(*arguments: Any) -> Any:
        return (looped if batch_size() == 1 else function)(*arguments)

    return chosen


def one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """A scalar ``function(shared, u)`` whose value and gradient in u stay unbatched, as in :func:`unbatched`.

    Reverse mode only, and no derivative in ``shared``.

    Args:
        function: of a pytree of floating-point arrays and an array u.

    Example:
        >>> quadratic = one_at_a_time(lambda scale, u: scale * jnp.vdot(u, u))
        >>> jax.vmap(jax.grad(quadratic, argnums=1), (None, 0))(2.0, jnp.ones((1, 2))).tolist()
        [[4.0, 4.0]]
    """
    value = unbatched(function)
    value_and_gradient = unbatched(jax.value_and_grad(function, argnums=1))
    result_of = jax.custom_vjp(lambda shared, u: value(shared, u))

    def forward(shared: Any, u: Any) -> tuple[Any, tuple]:
        result, gradient = value_and_gradient(shared, u)
        return result, (shared, gradient)

    def backward(residuals: tuple, cotangent: Any) -> tuple:
        shared, gradient = residuals
        return jax.tree.map(jnp.zeros_like, shared), cotangent * gradient

    result_of.defvjp(forward, backward)
    return result_of


def mend(
    function: Callable[..., Any], sound: Bool[Array, ""], value: Float[Array, " D"], shared: Any, own: tuple
) -> Float[Array, " D"]:
    """The value where it is sound, and else ``function(shared, *own)``, which is computed where it is needed only.

    In a batch it is computed for all if any is not sound; a ``lax.cond`` would compute it always.

    Args:
        function: what to do instead.
        sound: whether to keep the value.
        value: computed already.
        shared: what a batch has in common.
        own: arrays that each of a batch has of its own.

    Example:
        >>> mend(lambda scale, x: scale * x, jnp.array(False), jnp.zeros(1), 2.0, (jnp.ones(1),)).tolist()
        [2.0]
    """
    if batch_size() == 1:
        return jax.lax.cond(sound, lambda own: value, lambda own: function(shared, *own), own)

    def of_batch(shared: Any, sound: Array, value: Array, own: tuple) -> Array:
        def mended() -> Array:
            others = jax.vmap(lambda each: function(shared, *each))(own)
            return jnp.where(sound[:, None], value, others)

        return jax.lax.cond(jnp.all(sound), lambda: value, mended)

    joinable = custom_vmap(of_batch)

    @joinable.def_vmap
    def of_batches(size: int, batched: list, shared: Any, *arguments: Any) -> tuple[Array, bool]:
        """Batches that lie within a batch become one."""
        if any(jax.tree.leaves(batched[0])):
            axes = jax.tree.map(lambda has_axis: 0 if has_axis else None, tuple(batched))
            return jax.vmap(of_batch, axes)(shared, *arguments), True

        def joined(leaf: Array, has_axis: bool) -> Array:
            stacked = leaf if has_axis else jnp.broadcast_to(leaf, (size, *leaf.shape))
            return stacked.reshape(-1, *stacked.shape[2:])

        flat = jax.tree.map(joined, arguments, tuple(batched[1:]))
        return joinable(shared, *flat).reshape(size, -1, *value.shape), True

    return joinable(shared, *jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], (sound, value, own)))[0]
