"""Random keys as users give them."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array


def checked_key(key: int | Array) -> Array:
    """A JAX key of the default kind, from a seed or a key of any kind.

    Raises:
        ValueError: if it is neither.
    """
    if isinstance(key, (int, np.integer)):
        return jax.random.key(int(key))
    if not isinstance(key, Array):
        raise ValueError(f"key must be an integer seed or a JAX key; got {key!r}")
    try:
        same = jax.random.key_impl(key) == jax.random.key_impl(jax.random.key(0))
        return key if same and jnp.issubdtype(key.dtype, jax.dtypes.prng_key) else jax.random.key(jax.random.bits(key))
    except (TypeError, ValueError) as error:
        raise ValueError(f"key must be an integer seed or a JAX key ({error})") from None
