"""What every likelihood answers for itself: targets, predictions, scores, and equality by value."""

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import bayes_nn as bnn
from bayes_nn.data.scale import Scale

Y = np.array([[1.0, -2.0], [0.5, 0.0], [3.0, 1.0]])


def test_gaussian_is_scipys_normal_and_predicts_on_the_users_scale():
    f = Y[::-1]
    likelihood, values = bnn.Gaussian(0.3), {"noise_std": jnp.asarray(0.3)}
    for one, given in ((likelihood, {}), (likelihood, values), (likelihood.without_numbers(), values)):
        found = one.pointwise_log_prob(given, jnp.asarray(Y), jnp.asarray(f))
        np.testing.assert_allclose(found, stats.norm.logpdf(Y, f, 0.3))
    mean, variance = likelihood.predict(None, {}, jnp.asarray(f), jnp.array([0.0, 1.0, 2.0]))
    np.testing.assert_allclose(variance[:, 0], 0.09 + np.arange(3))
    scale = Scale(np.zeros(1), np.ones(1), np.array([10.0, 0.0]), np.array([2.0, 4.0]), (1,))
    p = likelihood.predictive((np.asarray(mean)[None], np.asarray(variance)[None]), scale)
    np.testing.assert_allclose(p.mean, f * [2.0, 4.0] + [10.0, 0.0])
    np.testing.assert_allclose(p.std, np.sqrt(variance) * [[2.0, 4.0]])


def test_gaussians_compare_by_value():
    assert bnn.Gaussian(dist.LogNormal(0.0, 0.5)) == bnn.Gaussian(dist.LogNormal(0.0, 0.5))
    assert bnn.Gaussian(dist.LogNormal(0.0, 0.5)) != bnn.Gaussian(dist.LogNormal(0.0, 0.6))
    assert bnn.Gaussian() == bnn.Gaussian()
    assert bnn.Gaussian(0.1) != bnn.Gaussian(0.2)
    assert bnn.Gaussian(0.1).without_numbers() == bnn.Gaussian(0.2).without_numbers() != bnn.Gaussian()
    assert len({bnn.Gaussian(0.1), bnn.Gaussian(0.1), bnn.Bernoulli(), bnn.Categorical(), bnn.Categorical((1, 2))}) == 4
    with pytest.raises(ValueError, match="needs a value of noise_std"):
        bnn.Gaussian(0.1).without_numbers().noise_variance({})


def test_labels_know_their_classes_columns_and_scores():
    binary, three = bnn.Bernoulli().of_targets([0, 1, 1]), bnn.Categorical().of_targets(["b", "a"], ["c", "b"])
    assert three.classes == three.output_names == ("a", "b", "c")
    assert binary.output_names == ("0", "1")
    np.testing.assert_array_equal(binary.test_columns([1, 0], "y_test"), [[0.0, 1.0], [1.0, 0.0]])
    np.testing.assert_array_equal(three.test_columns(["c"], "y_test"), [[0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(three.decode(three.encode(["c", "a"], "y")), ["c", "a"])
    np.testing.assert_array_equal(binary.decode(binary.encode([1, 0], "y")), [1, 0])
    assert three.accuracy(np.array([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]]), np.eye(3)[[0, 1]]) == 0.5
    assert binary.baseline_log_prob(np.ones((3, 1)), np.ones((3, 1))) == pytest.approx(-3 * np.log(2))
    with pytest.raises(ValueError, match="y_test has 1 missing labels"):
        bnn.Categorical().of_targets(["b", "a"], [None, "b"])
    with pytest.raises(ValueError, match="classes of Categorical are not known"):
        bnn.Categorical().encode(["a"], "y")


def test_numbers_are_scored_without_a_model_by_a_normal_with_their_moments():
    expected = stats.norm.logpdf(Y[:2], Y.mean(axis=0), Y.std(axis=0)).sum()
    for likelihood in (bnn.Gaussian(), bnn.StudentTNoise()):
        assert likelihood.baseline_log_prob(Y[:2], Y) == pytest.approx(expected)
        assert likelihood.accuracy(Y, Y) is None
        assert likelihood.output_names == ()
        np.testing.assert_array_equal(likelihood.test_columns(Y, "y_test"), Y)
