"""Random keys as users give them."""

from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def is_seed(key: Any) -> TypeGuard[int | np.integer]:
    """Whether a key is given as an integer, of Python, NumPy or JAX; True and False are none.

    Example:
        >>> is_seed(np.int64(3)), is_seed(np.array(3)), is_seed(True)
        (True, True, False)
    """
    if isinstance(key, (np.ndarray, Array)):
        return key.ndim == 0 and jnp.issubdtype(key.dtype, jnp.integer)
    return isinstance(key, (int, np.integer)) and not isinstance(key, bool)


def checked_seed(seed: int | np.integer) -> int:
    """An integer seed as a Python integer.

    Raises:
        ValueError: if it is negative.

    Example:
        >>> checked_seed(np.uint8(3))
        3
    """
    if int(seed) < 0:
        raise ValueError(f"a seed must not be negative; got {seed}")
    return int(seed)


def checked_key(key: int | np.integer | Array) -> Array:
    """A JAX key of the default kind, from a seed or a key of any kind.

    Args:
        key: an integer from 0 on, of Python, NumPy or JAX, or a JAX key. Below 2^64 it gives JAX's key of that seed;
            of a larger one the higher bits are folded in, 32 at a time.

    Raises:
        ValueError: if it is neither.

    Example:
        >>> bool(checked_key(np.int64(3)) == jax.random.key(3))
        True
    """
    if is_seed(key):
        seed = checked_seed(key)
        made, higher = jax.random.key(np.uint64(seed % 2**64)), seed >> 64
        while higher:
            made, higher = jax.random.fold_in(made, higher % 2**32), higher >> 32
        return made
    if not isinstance(key, Array):
        raise ValueError(f"key must be an integer seed or a JAX key; got {key!r}")
    try:
        same = jax.random.key_impl(key) == jax.random.key_impl(jax.random.key(0))
        return key if same and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else jax.random.key(jax.random.bits(key))
    except (TypeError, ValueError) as error:
        raise ValueError(f"key must be an integer seed or a JAX key ({error})") from None
