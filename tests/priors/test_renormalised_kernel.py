"""The renormalised kernel scores rows under the scale that other rows settle, not under the unscaled kernel."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

import bayes_nn as bnn
from bayes_nn import priors

NET = bnn.mlp(depth=2, weight_std=1.4, bias_std=0.3)
NOISE = 0.1
ROWS = 12


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = jnp.asarray(rng.normal(size=(ROWS, 2)))
    return X, jnp.asarray(3.0 * jnp.sin(2.0 * X[:, :1]) + 0.3 * rng.normal(size=(ROWS, 1)))


def by_brute_force(X, Y, row, others):
    """log p(y_row | y_others): the saddle point refitted to the other rows alone, the row deleted."""
    process = priors.RenormalisedKernel(NET, 8).process({}, X[others], X[row : row + 1])
    mean, variance = process.predict(Y[others], jnp.asarray(NOISE))
    return float(stats.norm(mean[0, 0], np.sqrt(variance[0] + NOISE)).logpdf(Y[row, 0]))


@pytest.mark.parametrize("count", [ROWS, 9])
def test_leave_one_out_is_the_prediction_of_a_refit_without_the_row(data, count):
    X, Y = data
    seen = 1.0 * (jnp.arange(ROWS) < count)
    process = priors.RenormalisedKernel(NET, 8).process({}, X)
    found = jax.jit(lambda seen: process.leave_one_out(Y, jnp.asarray(NOISE), seen))(seen)
    expected = [by_brute_force(X, Y, i, np.delete(np.arange(count), i)) for i in range(count)]
    np.testing.assert_allclose(found[:count], expected, atol=1e-7)
    assert np.all(np.asarray(found[count:]) == 0.0)


def test_the_unscaled_kernel_scores_otherwise(data):
    X, Y = data
    seen = jnp.ones(ROWS)
    scaled, unscaled = (
        float(jnp.mean(prior.process({}, X).leave_one_out(Y, jnp.asarray(NOISE), seen)))
        for prior in (priors.RenormalisedKernel(NET, 8), priors.NNGP(NET))
    )
    assert scaled > unscaled + 0.05


def test_one_step_densities_add_up_to_the_evidence(data):
    X, Y = data
    process, v = priors.RenormalisedKernel(NET, 8).process({}, X), jnp.asarray(NOISE)
    terms = process.prequential(Y, v)
    assert float(jnp.sum(terms)) == pytest.approx(float(process.log_marginal(Y, v)), abs=1e-9)
    few = priors.RenormalisedKernel(NET, 8).process({}, X[:5])
    assert float(jnp.sum(terms[:5])) == pytest.approx(float(few.log_marginal(Y[:5], v)), abs=1e-7)
