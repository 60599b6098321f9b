"""Predictive mixtures against SciPy and against what they are a mixture of."""

import warnings

import jax
import numpy as np
import pytest
from scipy import stats

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.data.mixture_predictive import MixturePredictive

MEANS, STDS = np.array([[[0.0], [1.0]], [[2.0], [-1.0]]]), np.array([[[1.0], [0.5]], [[0.5], [2.0]]])


def test_moments_quantiles_and_density_of_a_mixture():
    p = bnn.Predictive(MEANS, STDS)
    np.testing.assert_allclose(p.mean, [1.0, 0.0])
    np.testing.assert_allclose(p.std, np.sqrt([(1 + 0.25) / 2 + 1.0, (0.25 + 4) / 2 + 1.0]))
    q = p.quantile([0.05, 0.5, 0.95])
    assert q.shape == (3, 2)
    for level, row in zip([0.05, 0.5, 0.95], q, strict=True):
        mass = stats.norm.cdf((row[None] - MEANS[..., 0]) / STDS[..., 0]).mean(axis=0)
        np.testing.assert_allclose(mass, level, atol=1e-10)
    density = np.log(stats.norm.pdf([0.3, 0.3], MEANS[..., 0], STDS[..., 0]).mean(axis=0))
    np.testing.assert_allclose(p.log_prob([0.3, 0.3]), density)
    assert p.quantile(0.5).shape == (2,)
    with pytest.raises(ValueError, match="strictly between 0 and 1"):
        p.quantile(1.0)


@pytest.mark.statistical
def test_samples_have_the_moments_of_the_mixture():
    """100,000 draws, 5 standard errors."""
    p = bnn.Predictive(MEANS, STDS)
    draws = p.sample(0, 100_000)
    assert draws.shape == (100_000, 2)
    assert (np.abs(draws.mean(axis=0) - p.mean) < 5 * p.std / 100_000**0.5).all()
    assert (np.abs(draws.std(axis=0) / p.std - 1) < 0.02).all()


def weighted_and_repeated():
    """Predictive distributions whose draws weigh 1 : 3, and the same with the second draw three times."""
    rng, weights, rows = np.random.default_rng(0), np.array([0.25, 0.75]), [0, 1, 1, 1]
    f, of_f = rng.normal(size=(2, 5, 3, 1)), rng.dirichlet(np.ones(5), size=2)
    probabilities = rng.dirichlet(np.ones(3), size=(2, 2))
    kinds = (
        lambda rows: (MEANS[rows], STDS[rows]),
        lambda rows: (probabilities[rows], ("a", "b", "c")),
        lambda rows: (stats.norm, {"loc": f[rows], "scale": np.array(0.5)}, of_f[rows]),
        lambda rows: (stats.poisson, {"mu": np.exp(f[rows])}, of_f[rows]),
    )
    classes = (bnn.Predictive, bnn.ClassPredictive, MixturePredictive, MixturePredictive)
    return [
        (cls(*kind([0, 1]), draw_weights=weights), cls(*kind(rows))) for cls, kind in zip(classes, kinds, strict=True)
    ]


@pytest.mark.parametrize("kind", range(4))
def test_a_weighted_draw_counts_as_one_that_is_repeated(kind):
    weighted, repeated = weighted_and_repeated()[kind]
    y = ["a", "c"] if kind == 1 else np.ones(len(repeated.mean))
    np.testing.assert_allclose(weighted.mean, repeated.mean)
    np.testing.assert_allclose(weighted.std, repeated.std)
    np.testing.assert_allclose(weighted.log_prob(y), repeated.log_prob(y))
    if kind == 1:
        expected = np.quantile(repeated.component_probabilities, [0.2, 0.9], axis=0, method="inverted_cdf")
        np.testing.assert_allclose(weighted.quantile([0.2, 0.9]), expected)
    else:
        np.testing.assert_allclose(weighted.quantile([0.2, 0.9]), repeated.quantile([0.2, 0.9]))


@pytest.mark.statistical
def test_draws_are_sampled_by_their_weights():
    """Of 4,000, 5 standard errors: a false alarm once in two million."""
    p = bnn.Predictive(np.array([[[-1.0]], [[1.0]]]), np.full((2, 1, 1), 1e-3), draw_weights=np.array([0.2, 0.8]))
    assert abs((p.sample(0, 4000) > 0.0).mean() - 0.8) < 5 * (0.16 / 4000) ** 0.5


def test_standardising_changes_the_scale_and_nothing_else(small_data):
    X, y = small_data
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
    scaled = bnn.fit(priors.NNGP(net), X, 100 + 7 * y, bnn.Gaussian(0.3)).predict(X)
    plain = bnn.fit(priors.NNGP(net), X, y, bnn.Gaussian(0.3)).predict(X)
    np.testing.assert_allclose(scaled.mean, 100 + 7 * plain.mean)
    np.testing.assert_allclose(scaled.std, 7 * plain.std)
    by_hand = bnn.fit(
        priors.NNGP(net), (X - X.mean(0)) / X.std(0), (y - y.mean()) / y.std(), bnn.Gaussian(0.3), standardize=False
    )
    again = by_hand.predict((X - X.mean(0)) / X.std(0))
    np.testing.assert_allclose(again.mean * y.std() + y.mean(), plain.mean)


@pytest.mark.slow
def test_several_outputs_share_z_and_have_independent_readouts(small_data):
    X, y = small_data
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
    both = bnn.fit(priors.NNGP(net), X, np.column_stack([y, -2 * y]), bnn.Gaussian(0.3))
    one = bnn.fit(priors.NNGP(net), X, y, bnn.Gaussian(0.3))
    assert both.log_evidence.value == pytest.approx(2 * one.log_evidence.value)
    predictive = both.predict(X[:4])
    assert predictive.mean.shape == (4, 2)
    np.testing.assert_allclose(predictive.mean[:, 1], -2 * predictive.mean[:, 0])
    network = bnn.fit(
        bnn.BayesianNetwork(net, 4), X, np.column_stack([y, y**2]), bnn.Gaussian(0.3), bnn.inference.SMC(32, 2)
    )
    assert network.predict(X[:4]).mean.shape == (4, 2)
    assert network.to_datatree().posterior["f"].dims == ("chain", "draw", "row", "output")


@pytest.mark.slow
def test_images_go_through_fit_predict_and_datatree():
    rng = np.random.default_rng(0)
    X = 5.0 + 3.0 * rng.normal(size=(14, 4, 4, 2))
    y = X[:, 1:3, 1:3, 0].mean(axis=(1, 2)) + 0.1 * rng.normal(size=14)
    net = bnn.Serial(bnn.Conv((3, 3)), bnn.Relu(), bnn.GlobalAvgPool(), bnn.Dense())
    sampler = bnn.inference.SMC(islands=2, particles=16)
    for prior in (bnn.priors.NNGP(net), bnn.BayesianNetwork(net, 5)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bnn.ConvergenceWarning)
            posterior = bnn.fit(prior, X, y, sampler=sampler, progress=False)
        assert np.isfinite(posterior.log_evidence.value)
        assert posterior.predict(X[:3]).mean.shape == (3,)
        np.testing.assert_allclose(posterior.to_datatree()["constant_data"]["X"], X)
        with pytest.raises(ValueError, match="inputs of shape"):
            posterior.predict(X[:, :2])
    np.testing.assert_allclose(np.asarray(posterior.dataset.X).std(axis=(0, 1, 2)), 1.0)
    with pytest.raises(ValueError, match="spatial axes"):
        bnn.fit(prior, X.reshape(14, -1), y)


def test_quantiles_are_those_of_bisection():
    """500 draws that differ in mean and width by orders of magnitude, to 1e-8."""
    rng = np.random.default_rng(0)
    means, stds = 3.0 * rng.normal(size=(500, 7, 2)), np.exp(rng.normal(size=(500, 7, 2)) - 2.0)
    p = bnn.Predictive(means, stds)
    for level in (1e-6, 0.025, 0.5, 0.975):
        low, high = (means - 40.0 * stds).min(axis=0), (means + 40.0 * stds).max(axis=0)
        for _ in range(80):
            middle = 0.5 * (low + high)
            below = stats.norm.cdf(middle, means, stds).mean(axis=0) < level
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        np.testing.assert_allclose(p.quantile(level), middle, atol=1e-8)


def test_seeds_of_every_kind_give_the_same_draws():
    p, classes = bnn.Predictive(MEANS, STDS), bnn.ClassPredictive(np.full((2, 3, 2), 0.5), ("a", "b"))
    for one in (p, classes):
        first = one.sample(3, 4)
        for key in (np.int64(3), np.uint8(3), jax.random.key(3)):
            np.testing.assert_array_equal(one.sample(key, 4), first)
        with pytest.raises(ValueError, match="key must be an integer seed"):
            one.sample(True)
