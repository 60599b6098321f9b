"""Labels: against integrals over f done by other means, and against what users expect."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import pandas as pd
import pytest
import xarray as xr
from scipy.special import expit, log_softmax, logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors

SETTINGS = inference.SMC(particles=256)
NET = bnn.mlp(depth=1, weight_std=1.5, bias_std=0.5)
X = np.random.default_rng(0).normal(size=(12, 2))
BINARY = (X[:, 0] > 0.2).astype(int)
THREE = np.digitize(X[:, 0] + X[:, 1], [-0.5, 0.5])


def by_importance_sampling(likelihood_of_f, outputs, X_new, draws=400_000):
    """log evidence with its error, and E[f] at new inputs, from prior draws of f under the NNGP."""
    both = np.concatenate([(X - X.mean(0)) / X.std(0), (X_new - X.mean(0)) / X.std(0)])
    K = np.asarray(priors.NNGP(NET).kernel.gram(jnp.asarray(both)).as_matrix())
    L = np.linalg.cholesky(K + 1e-9 * np.eye(len(K)))
    f = np.einsum("ij,mjc->mic", L, np.random.default_rng(1).normal(size=(draws, len(K), outputs)))
    log_likelihood = likelihood_of_f(f[:, : len(X)])
    value = logsumexp(log_likelihood) - np.log(draws)
    weights = np.exp(log_likelihood - logsumexp(log_likelihood))
    return value, np.sqrt(np.sum((weights - 1 / draws) ** 2)), weights, f[:, len(X) :]


@pytest.mark.statistical
def test_bernoulli_agrees_with_importance_sampling():
    """Evidence within 4 errors; probabilities at new inputs within 0.03 (4 to 5 of their errors)."""
    X_new = np.random.default_rng(2).normal(size=(5, 2))
    signs = 2 * BINARY - 1
    value, error, weights, f_new = by_importance_sampling(
        lambda f: -np.logaddexp(0, -signs * f[..., 0]).sum(axis=1), 1, X_new
    )
    posterior = bnn.fit(priors.NNGP(NET), X, BINARY, bnn.Bernoulli(), SETTINGS)
    evidence = posterior.log_evidence
    assert evidence.reliable, evidence.reasons
    assert abs(evidence.value - value) < 4 * np.hypot(evidence.mcse, error)
    expected = weights @ expit(f_new[..., 0])
    np.testing.assert_allclose(posterior.predict(X_new).mean[:, 1], expected, atol=0.03)


@pytest.mark.slow
@pytest.mark.statistical
def test_categorical_agrees_with_importance_sampling():
    """Evidence within 4 errors; probabilities within 0.03, by SMC and by Markov chains."""
    X_new = np.random.default_rng(2).normal(size=(5, 2))
    value, error, weights, f_new = by_importance_sampling(
        lambda f: np.take_along_axis(log_softmax(f, axis=2), THREE[None, :, None], axis=2).sum(axis=(1, 2)), 3, X_new
    )
    expected = np.einsum("m,mtk->tk", weights, np.exp(log_softmax(f_new, axis=2)))
    smc = bnn.fit(priors.NNGP(NET), X, THREE, bnn.Categorical(), SETTINGS)
    assert abs(smc.log_evidence.value - value) < 4 * np.hypot(smc.log_evidence.mcse, error)
    np.testing.assert_allclose(smc.predict(X_new).mean, expected, atol=0.03)
    chains = bnn.fit(priors.NNGP(NET), X, THREE, bnn.Categorical())
    assert chains.sampler == "infinite_hmc"
    assert chains.convergence.converged, chains.convergence
    np.testing.assert_allclose(chains.predict(X_new).mean, expected, atol=0.03)


def test_the_density_is_that_of_the_numpyro_model():
    """Prior, whitened f and readout included: log joint of the model against the problem's, to rounding."""
    from bayes_nn.inference.problem.collapsed import CollapsedProblem

    for prior in (priors.NNGP(bnn.mlp(depth=1)), bnn.BayesianNetwork(bnn.mlp(depth=1), 3)):
        for likelihood, Y in ((bnn.Bernoulli((0, 1)), BINARY[:, None]), (bnn.Categorical((0, 1, 2)), np.eye(3)[THREE])):
            problem = CollapsedProblem.of(prior, jnp.asarray(X), jnp.asarray(Y, float), likelihood)
            u = problem.sample_prior(jax.random.key(0))
            values = problem.values(u)
            joint, _ = numpyro.infer.util.log_density(prior.model(likelihood), (problem.X, problem.Y), {}, values)
            jacobian = sum(problem.unflatten(u)[name] for name in problem.hyperparameters)
            assert float(joint + jacobian) == pytest.approx(float(problem.log_prior(u) + problem.log_likelihood(u)))


def test_text_labels_come_back():
    labels = np.array(["low", "mid", "high"])[THREE]
    settings = inference.InfiniteHMC(chains=2, warmup=100, draws=100)
    with pytest.warns(bnn.ConvergenceWarning):
        posterior = bnn.fit(bnn.BayesianNetwork(NET, 4), X, pd.Series(labels), bnn.Categorical(), settings)
    p = posterior.predict(X)
    assert p.classes == ("high", "low", "mid")
    np.testing.assert_allclose(p.mean.sum(axis=1), 1.0)
    np.testing.assert_allclose(p.log_prob(labels), np.log(p.mean[np.arange(12), np.searchsorted(p.classes, labels)]))
    assert set(p.sample(0, 50).ravel()) <= set(labels)
    assert p.quantile([0.1, 0.9]).shape == (2, 12, 3)
    assert (p.label == labels).mean() > 0.5
    tree = posterior.to_datatree()
    assert tree.posterior["readout"].dims == ("chain", "draw", "feature", "readout_output")
    assert tree.log_likelihood["y"].dims == ("chain", "draw", "row")
    assert tree.posterior["readout_output"].to_numpy().tolist() == ["high", "low", "mid"] == tree.attrs["classes"]
    assert tree.prior_predictive["y"].shape == (1, 500, 12)
    assert np.isnan(float(posterior.feature_information))
    assert np.isnan(posterior.feature_information.upper)  # no evidence comes with chains


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
@pytest.mark.parametrize(
    "settings", [inference.InfiniteHMC(2, 300, 300), inference.NUTS(2, 150, 100), inference.SMC(32, 2)]
)
def test_a_convolutional_network_of_labels(settings):
    """Bars that stand or lie, of which the network sees 16: what it says of the others must beat a guess, log 2."""
    rng = np.random.default_rng(0)
    standing = rng.integers(2, size=40)
    images = 0.2 * rng.normal(size=(40, 4, 4))
    for image, stands, place in zip(images, standing, rng.integers(4, size=40), strict=True):
        image[:, place] += 2.0 * stands
        image[place] += 2.0 * (1 - stands)
    net = bnn.Serial(
        bnn.Conv((3, 3), weight_std=1.4, bias_std=0.1), bnn.Relu(), bnn.GlobalAvgPool(), bnn.Dense(3.0, 0.1)
    )
    X = images[..., None]
    posterior = bnn.fit(bnn.BayesianNetwork(net, 6), X[:16], standing[:16], bnn.Bernoulli(), settings)
    assert posterior.predict(X[16:]).log_prob(standing[16:]).mean() > -0.6
    tree = posterior.to_datatree()
    assert tree.constant_data["X"].dims == ("row", "height", "width", "channel")
    assert tree.attrs["classes"] == ["0", "1"]


@pytest.mark.slow
def test_whitened_functions_of_a_kernel_have_named_dimensions(tmp_path):
    chains = inference.InfiniteHMC(chains=2, warmup=25, draws=25)
    with pytest.warns(bnn.ConvergenceWarning):
        tree = bnn.fit(priors.NNGP(NET), X, THREE, bnn.Categorical(), chains).to_datatree()
    assert tree.posterior["whitened_f"].dims == ("chain", "draw", "row", "output")
    tree.to_netcdf(tmp_path / "labels.nc")
    assert list(xr.open_datatree(tmp_path / "labels.nc").attrs["classes"]) == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("y", "likelihood", "message"),
    [
        (X[:, 0], bnn.Categorical(), "labels are whole numbers"),
        (np.zeros(12), bnn.Bernoulli(), "single class 0"),
        (THREE, bnn.Bernoulli(), "two classes, y has 3"),
        (THREE, bnn.Categorical((0, 1)), "not among the classes"),
        (np.where(THREE == 1, np.nan, THREE), bnn.Categorical(), "missing labels"),
        (np.eye(3)[THREE], bnn.Categorical(), "one label per row"),
        (THREE, "categorical", "expected a likelihood"),
        (["a"] * 11 + [float("nan")], bnn.Categorical(), "missing labels"),
        (["a"] * 11 + [3], bnn.Categorical(), "mixes text and numbers"),
        (np.where(THREE == 1, np.inf, THREE), bnn.Categorical(), "labels are whole numbers"),
        (None, bnn.Bernoulli(), "one label per row"),
        ([], bnn.Bernoulli(), "one label per row"),
    ],
)
def test_bad_labels_are_refused(y, likelihood, message):
    with pytest.raises(ValueError, match=message):
        bnn.fit(priors.NNGP(NET), X, y, likelihood)


def test_classes_are_checked():
    for wrong in (lambda: bnn.Categorical(10), lambda: bnn.Bernoulli((1, 2, 3)), lambda: bnn.Categorical(("a", "a"))):
        with pytest.raises(ValueError, match="classes"):
            wrong()
    assert bnn.Categorical(range(3)) == bnn.Categorical((0, 1, 2))


def test_numbers_of_object_dtype_stay_numbers():
    from bayes_nn.data.class_labels import as_labels

    assert as_labels(np.array([0, 1, 10], dtype=object), "y").dtype.kind == "i"
    assert as_labels(pd.Series(["b", "a"], dtype="category"), "y").tolist() == ["b", "a"]
    assert as_labels(np.array([True, False]), "y").tolist() == [True, False]


def test_probabilities_of_saturated_functions_stay_positive():
    p = np.asarray(bnn.Bernoulli((0, 1)).probabilities(None, jnp.array([[50.0], [-50.0]]), jnp.zeros(2)))
    np.testing.assert_allclose(np.log(p[[0, 1], [0, 1]]), -50.0)


@pytest.mark.slow
def test_test_sets_of_one_class_are_scored():
    splits = [(np.arange(9), np.flatnonzero(BINARY == 1)[-2:])]
    settings = inference.SMC(particles=16, islands=2)
    with pytest.warns(bnn.ConvergenceWarning):
        result = bnn.compare([priors.NNGP(NET)], X, BINARY, likelihood=bnn.Bernoulli(), splits=splits, sampler=settings)
    assert np.isfinite(result.table["lpd_test"]).all()


def test_frozen_features_need_gaussian_noise():
    for call in (
        lambda prior: bnn.fit(prior, X, BINARY, bnn.Bernoulli()),
        lambda prior: bnn.compare([prior], X, BINARY, likelihood=bnn.Bernoulli()),
    ):
        with pytest.raises(ValueError, match="Gaussian noise only"):
            call(priors.FrozenFeatures(NET, 4))


@pytest.mark.slow
def test_comparison_of_classifiers(tmp_path):
    """The table has accuracies, and the file brings them back; NNGP and network see the same labels."""
    rng = np.random.default_rng(3)
    X_new = rng.normal(size=(30, 2))
    y_new = (X_new[:, 0] > 0.2).astype(int)
    candidates = [priors.NNGP(NET), bnn.BayesianNetwork(NET, 8)]
    settings = inference.SMC(particles=64)
    result = bnn.compare(candidates, X, BINARY, X_new, y_new, likelihood=bnn.Bernoulli(), sampler=settings)
    for name, posterior in result.posteriors.items():
        p = posterior.predict(X_new)
        assert result.table.loc[name, "accuracy"] == pytest.approx((p.label == y_new).mean())
        assert result.table.loc[name, "lpd_test"] == pytest.approx(p.log_prob(y_new).mean())
    again = bnn.load(result.save(tmp_path / "result.nc"))
    pd.testing.assert_frame_equal(again.table, result.table)
    result.report(tmp_path / "report.html")
