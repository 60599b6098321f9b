"""Random keys as users give them."""

from typing import Any, TypeGuard

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def is_seed(key: Any) -> TypeGuard[int | np.integer]:
    """Whether a key is given as an integer, of Python or of NumPy; True and False are none.

    Example:
        >>> is_seed(np.int64(3)), is_seed(True)
        (True, False)
    """
    return isinstance(key, (int, np.integer)) and not isinstance(key, bool)


def checked_seed(seed: int | np.integer) -> int:
    """An integer seed as a Python integer.

    Raises:
        ValueError: if it is negative or does not fit into 64 bits.

    Example:
        >>> checked_seed(np.uint8(3))
        3
    """
    if not 0 <= int(seed) < 2**64:
        raise ValueError(f"a seed must lie between 0 and 2^64 - 1; got {seed}")
    return int(seed)


def checked_key(key: int | np.integer | Array) -> Array:
    """A JAX key of the default kind, from a seed or a key of any kind.

    Args:
        key: an integer from 0 to 2^64 - 1, of Python or NumPy, or a JAX key.

    Raises:
        ValueError: if it is neither.

    Example:
        >>> bool(checked_key(np.int64(3)) == jax.random.key(3))
        True
    """
    if is_seed(key):
        return jax.random.key(np.uint64(checked_seed(key)))
    if not isinstance(key, Array):
        raise ValueError(f"key must be an integer seed or a JAX key; got {key!r}")
    try:
        same = jax.random.key_impl(key) == jax.random.key_impl(jax.random.key(0))
        return key if same and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else jax.random.key(jax.random.bits(key))
    except (TypeError, ValueError) as error:
        raise ValueError(f"key must be an integer seed or a JAX key ({error})") from None
