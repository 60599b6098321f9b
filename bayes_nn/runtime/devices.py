"""Running independent chains side by side: divided among devices, and within one as its kind wants it.

On a CPU a device goes through its chains one after another, which is both safe and fast: no batched LAPACK call is ever
made, and small factorisations run on one core for every chain. The same sharding serves several accelerators, which
take theirs in batches (:mod:`bayes_nn.runtime.mapping`).
"""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, PartitionSpec

from bayes_nn.runtime.mapping import map_each


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
        >>> import jax.numpy as jnp
        >>> each = map_over_devices(lambda scale, x: scale * x, 4)
        >>> jax.jit(each)(2.0, jnp.arange(4.0)).tolist()
        [0.0, 2.0, 4.0, 6.0]
    """

    def within_device(shared: Any, stacked: Any) -> Any:
        return map_each(lambda one: function(shared, one), stacked)

    devices = devices_for(count)
    if devices == 1:
        return within_device
    mesh = Mesh(np.array(jax.local_devices()[:devices]), ("device",))
    split = PartitionSpec("device")
    return jax.shard_map(within_device, mesh=mesh, in_specs=(PartitionSpec(), split), out_specs=split, check_vma=False)
