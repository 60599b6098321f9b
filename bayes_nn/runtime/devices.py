"""Running independent chains side by side: one device each, in sequence within a device.

On a CPU this is both safe and fast: no batched LAPACK call is ever made, and small factorisations
run on one core for every chain. The same sharding serves several accelerators.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import sequential_vmap
from jax.sharding import Mesh, PartitionSpec


def devices_for(count: int) -> int:
    """The number of devices that ``count`` chains are divided among, each getting as many.

    It is the largest divisor of ``count`` that does not exceed the number of devices.

    Args:
        count: number of chains, at least 1.

    Example:
        >>> devices_for(1)
        1
    """
    return next(number for number in range(min(count, jax.local_device_count()), 0, -1) if count % number == 0)


def map_over_devices(function: Callable[..., Any], count: int) -> Callable[..., Any]:
    """``function(shared, own)`` applied to every entry of the leading axis of ``own``, over the devices.

    Args:
        function: takes a pytree that all have in common, and the pytree of one chain.
        count: length of the leading axis.

    Returns:
        A function of the common pytree and the stacked pytrees, to be jitted by the caller.

    Example:
        >>> each = map_over_devices(lambda scale, x: scale * x, 4)
        >>> jax.jit(each)(2.0, jnp.arange(4.0)).tolist()
        [0.0, 2.0, 4.0, 6.0]
    """

    def within_device(shared: Any, stacked: Any) -> Any:
        return jax.lax.map(lambda one: function(shared, one), stacked)

    devices = devices_for(count)
    if devices == 1:
        return within_device
    mesh = Mesh(np.array(jax.local_devices()[:devices]), ("device",))
    split = PartitionSpec("device")
    return jax.shard_map(within_device, mesh=mesh, in_specs=(PartitionSpec(), split), out_specs=split, check_vma=False)


def one_at_a_time(function: Callable[..., Any]) -> Callable[..., Any]:
    """A scalar ``function(shared, u)`` whose value and gradient in u stay unbatched under a ``vmap`` from any library.

    Reverse mode only, and no derivative in ``shared``.

    Args:
        function: of a pytree of floating-point arrays and an array u.

    Example:
        >>> quadratic = one_at_a_time(lambda scale, u: scale * jnp.vdot(u, u))
        >>> jax.vmap(jax.grad(quadratic, argnums=1), (None, 0))(2.0, jnp.ones((1, 2))).tolist()
        [[4.0, 4.0]]
    """
    value = sequential_vmap(function)
    value_and_gradient = sequential_vmap(jax.value_and_grad(function, argnums=1))
    unbatched = jax.custom_vjp(lambda shared, u: value(shared, u))

    def forward(shared: Any, u: Any) -> tuple[Any, tuple]:
        result, gradient = value_and_gradient(shared, u)
        return result, (shared, gradient)

    def backward(residuals: tuple, cotangent: Any) -> tuple:
        shared, gradient = residuals
        return jax.tree.map(jnp.zeros_like, shared), cotangent * gradient

    unbatched.defvjp(forward, backward)
    return unbatched
