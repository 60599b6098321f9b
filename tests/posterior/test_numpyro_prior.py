"""NumPyro models as priors: evidence and predictions against closed forms, quadrature and the collapsed network."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors

NOISE = 0.4
SMALL_CHAINS = inference.InfiniteHMC(chains=2, warmup=50, draws=50)


def line(X, y=None):
    slope = numpyro.sample("slope", dist.Normal(0.0, 1.0).expand([X.shape[1]]).to_event(1))
    mean = numpyro.deterministic("line", X @ slope)
    with numpyro.plate("rows", len(X)):
        numpyro.sample("y", dist.Normal(mean, NOISE), obs=y)


def hierarchy(X, y=None):
    spread = numpyro.sample("spread", dist.HalfNormal(1.0))
    slope = numpyro.sample("slope", dist.Normal(0.0, spread).expand([X.shape[1]]).to_event(1))
    numpyro.sample("y", dist.Normal(X @ slope, NOISE), obs=y)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    return X, X @ [1.0, -0.5, 0.2] + NOISE * rng.normal(size=20)


@pytest.mark.statistical
@pytest.mark.parametrize("method", ["importance", "bridge"])
def test_evidence_of_a_line(method, data):
    """Closed form, 4 standard errors: a false alarm once in 16,000; the seed is fixed."""
    X, y = data
    evidence = inference.log_evidence(priors.NumPyroPrior(line), X, y, method, standardize=False, key=1, tolerance=0.2)
    exact = stats.multivariate_normal(None, X @ X.T + NOISE**2 * np.eye(20)).logpdf(y)
    assert evidence.reliable, evidence.reasons
    assert abs(evidence.value - exact) < 4 * evidence.mcse


@pytest.mark.statistical
def test_evidence_of_a_hierarchy(data):
    """Quadrature over the scale, 4 standard errors; the prior of the slopes depends on another latent."""
    X, y = data
    grid = np.linspace(1e-3, 6.0, 3000)
    values, vectors = np.linalg.eigh(X @ X.T)
    variances = np.outer(grid**2, np.maximum(values, 0.0)) + NOISE**2
    terms = -0.5 * (np.log(2 * np.pi * variances) + (vectors.T @ y) ** 2 / variances).sum(axis=1)
    exact = logsumexp(terms + stats.halfnorm.logpdf(grid)) + np.log(grid[1] - grid[0])
    evidence = inference.log_evidence(
        priors.NumPyroPrior(hierarchy), X, y, "smc", standardize=False, key=1, tolerance=0.2
    )
    assert evidence.reliable, evidence.reasons
    assert abs(evidence.value - exact) < 4 * evidence.mcse


@pytest.mark.statistical
def test_predictions_of_a_line_and_its_datatree(data):
    """5 standard errors of 500 effective draws for every number; noise on the user's scale."""
    X, y = data
    posterior = bnn.fit(priors.NumPyroPrior(line), X, 3.0 * y + 7.0, key=2)
    assert posterior.convergence.converged
    inputs, targets = (np.asarray(part) for part in (posterior.problem.X, posterior.problem.Y[:, 0]))
    covariance = np.linalg.inv(inputs.T @ inputs / NOISE**2 + np.eye(3))
    new = X[:5] + 1.0
    scaled = (new - X.mean(axis=0)) / X.std(axis=0)
    mean = scaled @ covariance @ inputs.T @ targets / NOISE**2
    variance = np.einsum("ij,jk,ik->i", scaled, covariance, scaled)
    predictive = posterior.predict(new)
    to_user = 3.0 * y.std()
    error = 5.0 * np.sqrt(variance / 500)
    assert (np.abs((predictive.mean - 7.0 - 3.0 * y.mean()) / to_user - mean) < error).all()
    np.testing.assert_allclose(predictive.std / to_user, np.sqrt(variance + NOISE**2), rtol=0.05)
    tree = posterior.to_datatree()
    assert {"slope", "line", "f"} == set(tree.posterior.data_vars)
    np.testing.assert_allclose(tree.posterior["f"], tree.posterior["line"])
    np.testing.assert_allclose(tree.observed_data["y"], 3.0 * y + 7.0)
    f = tree.posterior["f"].values * to_user + 7.0 + 3.0 * y.mean()
    expected = stats.norm(f, NOISE * to_user).logpdf(3.0 * y + 7.0)
    np.testing.assert_allclose(tree.log_likelihood["y"], expected, atol=1e-9)
    assert abs(float(tree.prior["slope"].std()) - 1.0) < 5 / (2 * 1500) ** 0.5
    replicated = tree.posterior_predictive["y"].values - f
    assert replicated.std() == pytest.approx(NOISE * to_user, rel=0.02)


def network(X, y=None):
    """Depth 1, width 3, weight_std 1.4, bias_std 0.3: every weight is sampled."""
    w, b, n = 1.4, 0.3, 3

    def normal(name, *shape):
        return numpyro.sample(name, dist.Normal(0.0, 1.0).expand(shape).to_event(len(shape)))

    hidden = w / X.shape[1] ** 0.5 * X @ normal("W", X.shape[1], n) + b * normal("b", n)
    mean = w / n**0.5 * jnp.maximum(hidden, 0.0) @ normal("v", n) + b * normal("c")
    numpyro.sample("y", dist.Normal(mean, NOISE), obs=y)


@pytest.mark.statistical
def test_network_with_all_weights_agrees_with_the_collapsed_one():
    """Evidences within 4 standard errors of their difference; 19 latents, so that most rotate about N(0, I)."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(15, 4))
    y = np.maximum(X[:, 0], 0.0) - 0.5 * X[:, 1] + NOISE * rng.normal(size=15)
    prior = priors.NumPyroPrior(network, learns_features=True)
    collapsed = bnn.BayesianNetwork(bnn.mlp(1, weight_std=1.4, bias_std=0.3), 3)
    posterior = bnn.fit(prior, X, y, standardize=False, sampler=inference.SMC(), key=1)
    exact = inference.log_evidence(collapsed, X, y, "importance", bnn.Gaussian(NOISE), standardize=False)
    assert posterior.problem.has_many_latents
    assert posterior.problem.n_hyperparameters == 1
    assert posterior.log_evidence.reliable
    assert exact.reliable
    error = np.hypot(posterior.log_evidence.mcse, exact.mcse)
    assert abs(posterior.log_evidence.value - exact.value) < 4 * error
    assert np.isnan(posterior.feature_information.value)


def test_equal_shapes_compile_once(data):
    X, y = data
    runs = []

    def counted(X, y=None):
        runs.append(isinstance(X, jax.core.Tracer))
        line(X, y)

    prior = priors.NumPyroPrior(counted)
    counts = []
    for targets in (y, y[::-1]):
        runs.clear()
        posterior = bnn.fit(prior, X, targets, sampler=SMALL_CHAINS, progress=False)
        posterior.predict(X)
        counts.append(sum(runs))
    checks = 4  # of the latents, on shapes alone
    assert counts[0] > 2 * checks
    assert counts[1] <= checks


@pytest.mark.slow
@pytest.mark.statistical
def test_comparison_with_a_line(data):
    """Evidence by SMC against the closed form, 4 standard errors; the noise of the model is its own."""
    X, y = data
    candidates = [priors.NNGP(bnn.mlp(1, weight_std=1.4, bias_std=0.3)), priors.NumPyroPrior(line, name="line")]
    parts = X[:14], y[:14], X[14:], y[14:]
    result = bnn.compare(candidates, *parts, likelihood=bnn.Gaussian(NOISE), standardize=False)
    row = result.table.loc["line"]
    exact = stats.multivariate_normal(None, X[:14] @ X[:14].T + NOISE**2 * np.eye(14)).logpdf(y[:14])
    assert row["reliable"]
    assert abs(row["log_evidence"] - exact) < 4 * row["mcse"]
    assert np.isfinite(row[["lpd_test", "rmse"]].astype(float)).all()
    assert row["feature_information"] == 0.0
    assert set(result.posteriors["line"].values) == {"slope"}
