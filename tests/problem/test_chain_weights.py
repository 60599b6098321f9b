"""Stacking weights against every point of a grid, and densities left out against ArviZ."""

import arviz as az
import numpy as np
import pytest
from scipy.special import logsumexp

from bayes_nn.inference.problem.chain_weights import ChainWeights, left_out_by_chain, stacked
from bayes_nn.inference.problem.monte_carlo_errors import error_of_mean_density


@pytest.mark.parametrize("seed", range(4))
def test_stacking_finds_the_best_point_of_the_simplex(seed):
    log_density = 2.0 * np.random.default_rng(seed).normal(size=(3, 25))
    found = ChainWeights.by_stacking(log_density)
    steps = np.arange(201) / 200
    w = np.array([(a, b, 1.0 - a - b) for a in steps for b in steps if a + b <= 1.0 + 1e-12])
    score = np.sum(np.log(np.maximum(w, 0.0) @ np.exp(log_density)), axis=1)
    np.testing.assert_allclose(found.values, w[score.argmax()], atol=0.01)
    assert np.sum(logsumexp(np.array(found.logs)[:, None] + log_density, axis=0)) > score.max() - 2e-3
    assert found.values.sum() == pytest.approx(1.0, abs=1e-12)


def test_stacking_shares_alike_between_equal_chains_and_forgets_a_bad_one():
    good = np.random.default_rng(0).normal(size=30)
    weights = ChainWeights.by_stacking(np.stack([good, good, good - 5.0]))
    np.testing.assert_allclose(weights.values, [0.5, 0.5, 0.0], atol=1e-3)
    assert min(weights.logs) > -20.0  # so that errors that leave out the others stay finite


def test_evidence_weights_of_islands_that_are_far_apart_stay_finite():
    weights = ChainWeights.by_evidence([-10.0, -2000.0])
    assert weights.values.tolist() == [1.0, 0.0]
    of_islands = np.array([[-1.0, -1.0], [-3.0, -5.0]])
    assert error_of_mean_density(of_islands, weights.logs) == pytest.approx(1.5)  # half of the difference


@pytest.mark.filterwarnings("ignore:Estimated shape parameter")
def test_densities_left_out_are_those_of_arviz():
    pointwise = -np.random.default_rng(0).gamma(2.0, 0.3, size=(2, 200, 5))
    found, k = left_out_by_chain(pointwise)
    for chain in range(2):
        groups = {"posterior": {"z": np.zeros((1, 200))}, "log_likelihood": {"y": pointwise[[chain]]}}
        loo = az.loo(az.from_dict(groups), var_name="y", reff=1.0, pointwise=True)
        np.testing.assert_allclose(found[chain], loo.elpd_i.values, rtol=1e-6)
        np.testing.assert_allclose(k[chain], loo.pareto_k.values, rtol=1e-6)


def test_rows_that_cannot_be_left_out_do_not_stack_chains():
    """Some with weights of infinite variance leave the weights to the others; many of them leave chains alike."""
    rng = np.random.default_rng(0)
    light = rng.normal(-1.0, 0.1, size=(2, 200, 40)) - np.array([0.0, 1.0]).reshape(2, 1, 1)
    heavy = -2.0 * rng.exponential(size=(2, 200, 40))
    some, many = stacked(np.concatenate([light, heavy[..., :5]], axis=2)), stacked(np.concatenate([light, heavy], 2))
    assert some == stacked(light)
    assert some.values[0] > 0.99
    assert many.values.tolist() == [0.5, 0.5]
    assert "predictions weigh them alike: 50% of the rows" in many.details["predictions"]
