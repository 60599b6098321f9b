"""A scale of the readout acts once on every prior of an architecture, its scale mixtures included."""

import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import priors

NET = bnn.mlp(1, "relu", 1.4, 0.3)


@pytest.mark.parametrize(
    "prior", [priors.NNGP(NET), priors.ScaleMixture(NET, 4), priors.StudentT(NET), priors.InputMetric(NET)]
)
def test_the_weighted_part_of_the_kernel_scales_once(prior):
    X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2)))
    values = (
        dict.fromkeys(prior.scales(), jnp.array(1.3))
        | {"metric": jnp.ones(2)}
        | {name: jnp.array(v) for name, v in prior.numbers().items()}
    )
    other = prior.with_readout_scale(0.5)
    scaled = {name: jnp.array(v) for name, v in other.numbers().items()}
    plain, half = prior.process(values, X).K, other.process(values | scaled, X).K
    bias = 0.09 * (1.3 if isinstance(prior, priors.StudentT) else 1.0)
    np.testing.assert_allclose(half - bias, 0.25 * (plain - bias), rtol=1e-12)
