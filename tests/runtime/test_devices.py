"""Chains are divided evenly among as many devices as that allows."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from bayes_nn.runtime.devices import devices_for, map_over_devices


@pytest.mark.parametrize(
    ("chains", "devices", "used"), [(4, 3, 2), (6, 4, 3), (4, 4, 4), (4, 8, 4), (7, 3, 1), (9, 8, 3), (1, 2, 1)]
)
def test_the_largest_divisor_that_fits(monkeypatch, chains, devices, used):
    monkeypatch.setattr(jax, "local_device_count", lambda: devices)
    assert devices_for(chains) == used


@pytest.mark.parametrize("chains", [1, 4, 5])
def test_every_entry_is_mapped(chains):
    each = map_over_devices(lambda shared, own: shared + own["x"] ** 2, chains)
    x = jnp.arange(float(chains))
    np.testing.assert_array_equal(jax.jit(each)(1.0, {"x": x}), 1.0 + x**2)
