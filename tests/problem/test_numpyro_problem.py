"""NumPyro models as problems: densities against NumPyro's own, labels, several outputs, and models that do not fit."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pytest
from numpyro.infer.util import potential_energy

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.inference.problem.numpyro_latents import unflatten
from bayes_nn.inference.problem.numpyro_problem import NumPyroProblem
from bayes_nn.inference.problem.problem_of import problem_of

NOISE = 0.4


def hierarchy(X, y=None):
    spread = numpyro.sample("spread", dist.HalfNormal(1.0))
    slope = numpyro.sample("slope", dist.Normal(0.0, spread).expand([X.shape[1]]).to_event(1))
    numpyro.sample("y", dist.Normal(X @ slope, NOISE), obs=y)


def constrained(X, y=None):
    """A bound that depends on another latent, and a simplex, which has one number less in u."""
    top = numpyro.sample("top", dist.Exponential(2.0))
    scale = numpyro.sample("scale", dist.Uniform(0.1, 0.2 + top))
    weights = numpyro.sample("weights", dist.Dirichlet(jnp.array([1.0, 2.0, 3.0])))
    numpyro.sample("y", dist.StudentT(4.0, X @ weights, scale).mask(True).to_event(1), obs=y)


def correlated(X, y=None):
    scale = numpyro.sample("scale", dist.LogNormal(0.0, 1.0))
    pair = numpyro.sample("pair", dist.MultivariateNormal(jnp.zeros(2), scale * jnp.eye(2)))
    cov = scale * X @ X.T + jnp.exp(pair[0]) * jnp.eye(len(X))
    numpyro.sample("y", dist.MultivariateNormal(jnp.zeros(len(X)), cov), obs=y)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 3))
    return X, X @ [1.0, -0.5, 0.2] + NOISE * rng.normal(size=20)


def problem_for(model, X, y):
    return problem_of(priors.NumPyroPrior(model), Dataset.of(X, y, bnn.Gaussian(), standardize=False))


@pytest.mark.parametrize("model", [hierarchy, constrained, correlated])
def test_densities_are_numpyros(model, data):
    """Log prior and log likelihood add up to NumPyro's own potential energy, and to the prior's without data."""
    problem = problem_for(model, *data)
    assert isinstance(problem, NumPyroProblem)
    blocked = numpyro.handlers.block(numpyro.handlers.seed(model, 0), hide=["y"])

    @jax.jit
    def densities(u):
        ours = problem.log_prior(u), problem.log_likelihood(u), problem.log_likelihood_of(problem.values(u))
        sites = unflatten(problem.layout, u)
        prior = -potential_energy(blocked, (problem.X,), {}, sites)
        return jnp.stack(ours), prior, -potential_energy(model, (problem.X,), {"y": problem.y}, sites)

    for u in problem.sample_prior(jax.random.key(1), (3,)):
        (log_prior, log_likelihood, again), prior, whole = densities(u)
        assert float(log_prior) == pytest.approx(float(prior), abs=1e-9)
        assert float(log_prior + log_likelihood) == pytest.approx(float(whole), abs=1e-9)
        assert float(again) == pytest.approx(float(log_likelihood))


def test_gradients_and_vmap(data):
    """Gradients equal finite differences; under vmap no factorisation is batched (docs/decisions/0001)."""
    problem = problem_for(correlated, *data)
    u = problem.sample_prior(jax.random.key(0), (5,))
    whatever_angle = partial(problem.gradients, angle=jnp.zeros(()))
    gradients = jax.jit(jax.vmap(whatever_angle))(u)
    densities, step = jax.jit(problem.log_densities), 1e-5
    for direction, unit in enumerate(np.eye(problem.dimension)):
        ahead, behind = (np.array([densities(one + sign * step * unit) for one in u]) for sign in (1, -1))
        expected = (ahead - behind) / (2 * step)
        found = np.stack([gradient[:, direction] for gradient in gradients], axis=1)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
    for function in (problem.log_densities, whatever_angle, problem.values):
        text = jax.jit(jax.vmap(function)).lower(u).as_text()
        factorisations = [row for row in text.splitlines() if "lapack_dpotrf" in row or "blas_dtrsm" in row]
        assert not any("tensor<5x" in row for row in factorisations)
        assert factorisations or function == problem.values


def prior_draws(model, X, y, likelihood):
    """A posterior whose draws come from the prior: enough to see shapes and what is computed from every draw."""
    dataset = Dataset.of(X, y, likelihood, standardize=False)
    problem = problem_of(priors.NumPyroPrior(model), dataset)
    values = jax.vmap(jax.vmap(problem.values))(problem.sample_prior(jax.random.key(0), (2, 10)))
    values = {name: np.asarray(value) for name, value in values.items()}
    return Posterior(problem, dataset, values, np.zeros((2, 10)), {}, "nuts", jax.random.key(1))


def logistic(X, y=None):
    slope = numpyro.sample("slope", dist.Normal(0.0, 1.0).expand([3]).to_event(1))
    numpyro.sample("y", dist.Bernoulli(logits=X @ slope).to_event(1), obs=y)


def softmax(X, y=None):
    slope = numpyro.sample("slope", dist.Normal(0.0, 1.0).expand([3, 3]).to_event(2))
    with numpyro.plate("rows", len(X)):
        numpyro.sample("y", dist.Categorical(logits=X @ slope), obs=y)


def test_labels(data):
    """Class probabilities and log likelihoods of every draw are those of the model."""
    X, y = data
    labels = np.where(y > 0, "yes", "no")
    posterior = prior_draws(logistic, X, labels, bnn.Bernoulli())
    slope = posterior.values["slope"].reshape(-1, 3)
    probability = 1.0 / (1.0 + np.exp(-slope @ X.T))
    np.testing.assert_allclose(posterior.predict(X).component_probabilities[..., 1], probability, atol=1e-12)
    of_label = np.where(labels == "yes", probability, 1.0 - probability).reshape(2, 10, 20)
    np.testing.assert_allclose(posterior.to_datatree().log_likelihood["y"], np.log(of_label), atol=1e-9)
    posterior = prior_draws(softmax, X, np.digitize(y, [-0.5, 0.5]), bnn.Categorical())
    exponential = np.exp(X @ posterior.values["slope"].reshape(-1, 3, 3))
    probabilities = exponential / exponential.sum(axis=2, keepdims=True)
    np.testing.assert_allclose(posterior.predict(X).component_probabilities, probabilities, atol=1e-12)
    np.testing.assert_allclose(posterior.function_draws["f"], probabilities.reshape(2, 10, 20, 3), atol=1e-12)


def test_several_outputs(data):
    """Independent columns, and columns that depend on each other, whose log likelihood is that of the row."""
    X, y = data
    Y = np.column_stack([y, -2.0 * y])

    def columns(X, y=None):
        slope = numpyro.sample("slope", dist.Normal(0.0, 1.0).expand([3, 2]).to_event(2))
        numpyro.sample("y", dist.Normal(X @ slope, NOISE).to_event(2), obs=y)

    def rows(X, y=None):
        slope = numpyro.sample("slope", dist.Normal(0.0, 1.0).expand([3, 2]).to_event(2))
        numpyro.sample("y", dist.MultivariateNormal(X @ slope, NOISE**2 * jnp.eye(2)), obs=y)

    posterior, by_row = (prior_draws(model, X, Y, bnn.Gaussian()) for model in (columns, rows))
    predictive = posterior.predict(X)
    np.testing.assert_allclose(predictive.component_means, X @ posterior.values["slope"].reshape(-1, 3, 2))
    tree = posterior.to_datatree()
    assert tree.log_likelihood["y"].shape == (2, 10, 20, 2)
    whole = tree.log_likelihood["y"].sum("output").values[0, 0]
    first = {name: value[0, 0] for name, value in by_row.values.items()}
    np.testing.assert_allclose(by_row.problem.pointwise_log_likelihood(first, jnp.zeros((20, 2))), whole, atol=1e-9)


def test_rows_that_depend_on_each_other_have_no_predictions(data):
    posterior = prior_draws(correlated, *data, bnn.Gaussian())
    assert "log_likelihood" not in posterior.to_datatree().children
    with pytest.raises(ValueError, match='predictions need "y" to be Normal given the latents; it is Multivariate'):
        posterior.predict(data[0])


def _sampled(name, distribution, **options):
    def model(X, y=None):
        slope = numpyro.sample(name, distribution, **options)
        numpyro.sample("y", dist.Normal(X[:, 0] * jnp.sum(slope), 1.0), obs=y)

    return model


def _nothing_observed(X, y=None):
    numpyro.sample("y", dist.Normal(X[:, 0] * numpyro.sample("a", dist.Normal()), 1.0))


def _no_site(X, y=None):
    numpyro.sample("target", dist.Normal(X[:, 0] * numpyro.sample("a", dist.Normal()), 1.0), obs=y)


def _subsampled(X, y=None):
    a = numpyro.sample("a", dist.Normal())
    with numpyro.plate("rows", len(X), subsample_size=2) as rows:
        numpyro.sample("y", dist.Normal(a * X[rows, 0], 1.0), obs=None if y is None else y[rows])


def _one_each(X, y=None):
    with numpyro.plate("rows", len(X)):
        numpyro.sample("y", dist.Normal(numpyro.sample("a", dist.Normal()), 1.0), obs=y)


def _factor(X, y=None):
    a = numpyro.sample("a", dist.Normal())
    numpyro.factor("penalty", -(a**2))
    numpyro.sample("y", dist.Normal(X[:, 0] * a, 1.0), obs=y)


def _param(X, y=None):
    numpyro.sample("y", dist.Normal(X[:, 0] * numpyro.param("a", 1.0), 1.0), obs=y)


def _column(X, y=None):
    numpyro.sample("y", dist.Normal(X[:, :1] * numpyro.sample("a", dist.Normal()), 1.0), obs=y)


def _branches(X, y=None):
    a = numpyro.sample("a", dist.Normal())
    numpyro.sample("y", dist.Normal(X[:, 0] * (a if a > 0 else -a), 1.0), obs=y)


def _counts(X, y=None):
    numpyro.sample("y", dist.Poisson(jnp.exp(X[:, 0] * numpyro.sample("a", dist.Normal()))), obs=y)


def _needs_y(X, y=None):
    numpyro.sample("y", dist.Normal(numpyro.sample("a", dist.Normal()) * y.mean(), 1.0).expand([len(X)]), obs=y)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (_sampled("a", dist.Bernoulli(0.5)), "the latent a is discrete"),
        (_sampled("a/b", dist.Normal()), "needs another name"),
        (_sampled("f", dist.Normal()), "needs another name"),
        (_sampled("a", dist.Normal().mask(False)), "is masked"),
        (_sampled("a", dist.ImproperUniform(dist.constraints.real, (), ())), "improper priors have no evidence"),
        (_sampled("a", dist.Normal(), obs=1.0), "a is observed too"),
        (_factor, "penalty is observed too"),
        (_param, "numpyro.param"),
        (_nothing_observed, "does not observe y"),
        (_no_site, 'no site "y"'),
        (_subsampled, "the site y is scaled"),
        (_one_each, "latents a change with the number of rows"),
        (_column, r"has shape \(20, 1\) and the targets \(20,\)"),
        (_branches, "branches on values"),
        (_counts, "density 0 at the targets"),
        (_needs_y, "y=None, as predictions need it"),
        ("model", "expected a NumPyro model"),
    ],
)
def test_models_that_do_not_fit_are_refused(model, message, data):
    with pytest.raises(ValueError, match=message):
        bnn.fit(priors.NumPyroPrior(model), *data)
