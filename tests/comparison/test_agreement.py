"""Distances between predictive distributions against closed forms and brute force."""

import numpy as np
import pytest
from scipy import stats

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.comparison.closeness_to_training import total_variation


def mixture(means, stds):
    """A predictive distribution at T points with one output from (M, T) arrays."""
    means = np.asarray(means, float)
    return bnn.Predictive(means[..., None], np.broadcast_to(np.asarray(stds, float), means.shape)[..., None])


def test_total_variation_of_gaussians_of_equal_width():
    """``2 Phi(|m1 - m2| / (2 s)) - 1``, for shifts from none to disjoint."""
    shifts = np.array([0.0, 1e-3, 0.3, 1.0, 5.0, 100.0])
    found = total_variation(mixture(np.zeros((1, 6)), 0.7), mixture([0.7 * shifts], 0.7))[:, 0]
    np.testing.assert_allclose(found, 2.0 * stats.norm.cdf(shifts / 2.0) - 1.0, atol=2e-5)


@pytest.mark.parametrize("ratio", [1.1, 3.0, 200.0])
def test_total_variation_of_gaussians_of_equal_mean(ratio):
    """The densities cross at ``+-ratio sqrt(2 log(ratio) / (ratio^2 - 1))`` narrow standard deviations."""
    crossing = ratio * np.sqrt(2.0 * np.log(ratio) / (ratio**2 - 1.0))
    expected = 2.0 * (stats.norm.cdf(crossing) - stats.norm.cdf(crossing / ratio))
    found = total_variation(mixture([[0.0]], 1.0), mixture([[0.0]], ratio))
    assert found.item() == pytest.approx(expected, abs=2e-3)


def test_total_variation_of_mixtures_by_brute_force():
    """Densities on a fine grid, integrated by the trapezoidal rule; components of unequal width, two outputs."""
    rng = np.random.default_rng(0)
    first, second = (bnn.Predictive(rng.normal(size=(M, 3, 2)), rng.uniform(0.2, 1.0, size=(M, 3, 2))) for M in (4, 7))
    y = np.linspace(-10.0, 10.0, 200_001)[:, None, None, None]
    p, q = (stats.norm.pdf(y, one.component_means, one.component_stds).mean(axis=1) for one in (first, second))
    expected = 0.5 * np.trapezoid(np.abs(p - q), y[:, 0, 0, 0], axis=0)
    np.testing.assert_allclose(total_variation(first, second), expected, atol=1e-4)
    np.testing.assert_allclose(total_variation(second, first), expected, atol=1e-4)
    counted = bnn.Predictive(second.component_means, second.component_stds, draw_weights=np.eye(7)[2])
    one = bnn.Predictive(second.component_means[[2]], second.component_stds[[2]])
    np.testing.assert_allclose(total_variation(first, counted), total_variation(first, one), atol=1e-4)


def test_table_from_numbers_worked_out_apart():
    rng = np.random.default_rng(1)
    T, M = 40, 8
    y = rng.normal(size=T)
    members = y + rng.normal(size=(M, T))
    trained = mixture(members, 1.0)
    near, far = mixture([members.mean(axis=0) + 0.1], 1.2), mixture([np.full(T, 3.0)], 1.0)
    table = inference.agreement({"far": far, "near": near}, trained, None, y)
    assert list(table.index) == ["trained ensemble", "near", "far"]
    np.testing.assert_allclose(table.loc["trained ensemble", ["total_variation", "mean_difference"]].astype(float), 0.0)
    assert table.residual_correlation["trained ensemble"] == pytest.approx(1.0)

    mean = members.mean(axis=0)
    for name, chance in (("mean_difference", 0.0), ("beyond_chance", members.var(axis=0, ddof=1) / M)):
        squares = ((3.0 - mean) ** 2 - chance) / y.var()
        assert table[name]["far"] == pytest.approx(squares.mean())
        assert table[f"{name}_se"]["far"] == pytest.approx(squares.std(ddof=1) / T**0.5)
    assert table.residual_correlation["far"] == pytest.approx(np.corrcoef(y - 3.0, y - mean)[0, 1])
    assert table.rmse["far"] == pytest.approx(np.sqrt(np.mean((y - 3.0) ** 2)))
    assert table.lpd_test["far"] == pytest.approx(stats.norm.logpdf(y, 3.0, 1.0).mean())
    assert table.lpd_test["trained ensemble"] == pytest.approx(
        np.log(stats.norm.pdf(y, members, 1.0).mean(axis=0)).mean()
    )
    variations = [total_variation(one, trained)[:, 0] for one in (near, far)]
    assert table.total_variation["far"] == pytest.approx(variations[1].mean())
    assert table.excess["near"] == 0.0
    assert table.excess_se["far"] == pytest.approx((variations[1] - variations[0]).std(ddof=1) / T**0.5)


@pytest.mark.statistical
@pytest.mark.parametrize("components", [1, 3])
def test_accounts_of_one_law_differ_by_nothing_beyond_chance(components):
    """Members about the same mean function: 2,000 points, within 4 errors of 0 (fails for one seed in 15,000)."""
    rng = np.random.default_rng(2)
    f = rng.normal(size=2000)
    account = mixture([f], 1.0) if components == 1 else mixture(f + rng.normal(size=(components, 2000)), 1.0)
    trained = mixture(f + rng.normal(size=(5, 2000)), 1.0)
    row = inference.agreement({"law": account}, trained, None, f + rng.normal(size=2000)).loc["law"]
    assert abs(row.beyond_chance) < 4.0 * row.beyond_chance_se
    assert row.mean_difference > 8.0 * row.mean_difference_se


@pytest.mark.statistical
def test_standard_error_of_the_correlation_is_its_spread_over_data():
    """200 data sets of 100 points with correlation 0.6: the mean stated error within 15 % of the spread of the values.

    The spread over 200 data sets has an error of 5 %.
    """
    rng = np.random.default_rng(3)
    values, errors = [], []
    for _ in range(200):
        a = rng.normal(size=100)
        b = 0.6 * a + 0.8 * rng.normal(size=100)
        row = inference.agreement({"b": mixture([-b], 1.0)}, mixture([-a], 1.0), None, np.zeros(100) + 1e-9 * a).loc[
            "b"
        ]
        values.append(row.residual_correlation)
        errors.append(row.residual_correlation_se)
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.15)


def test_takes_posteriors_and_ensembles(small_data):
    X, y = small_data
    net = bnn.mlp(depth=1, activation="tanh", weight_std=1.4, bias_std=0.3)
    posterior = bnn.fit(priors.NNGP(net), X[:20], y[:20], bnn.Gaussian(0.3))
    ensemble = bnn.train(net, X[:20], y[:20], 8, members=2, steps=50, stop="steps", noise_std=0.3)
    table = inference.agreement({"NNGP": posterior, "again": ensemble}, ensemble, X[20:], y[20:])
    assert table.total_variation["again"] == 0.0
    assert 0.0 < table.total_variation["NNGP"] < 1.0
    given = inference.agreement({"NNGP": posterior.predict(X[20:])}, ensemble.predict(X[20:]), None, y[20:])
    np.testing.assert_allclose(
        given.loc["NNGP"].drop(["excess", "excess_se"]), table.loc["NNGP"].drop(["excess", "excess_se"])
    )


def test_bad_input_is_refused(small_data):
    one = mixture(np.zeros((2, 5)), 1.0)
    with pytest.raises(ValueError, match="accounts is empty"):
        inference.agreement({}, one, None, np.arange(5.0))
    with pytest.raises(ValueError, match=r"short predicts shape \(4, 1\)"):
        inference.agreement({"short": mixture(np.zeros((2, 4)), 1.0)}, one, None, np.arange(5.0))
    classes = bnn.ClassPredictive(np.full((1, 5, 2), 0.5), ("a", "b"))
    with pytest.raises(ValueError, match="predictive densities of numbers"):
        inference.agreement({"labels": classes}, one, None, np.arange(5.0))
    with pytest.raises(ValueError, match="at least 3 test points"):
        inference.agreement({"one": one}, one, None, [1.0, 2.0])
