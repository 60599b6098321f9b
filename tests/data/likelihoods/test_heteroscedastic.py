"""Noise that changes with the inputs, against importance sampling from the prior with f integrated out."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn.data.likelihoods.heteroscedastic import NUGGET, SITE
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.partly_observed import PartlyObserved

NET = bnn.mlp(depth=1, weight_std=1.2, bias_std=0.4)
FIXED = {"noise_std": 0.3, "variation": 1.0, "lengthscale": 0.7}
NOISE = bnn.HeteroscedasticNoise(**FIXED)
RNG = np.random.default_rng(0)
X, X_NEW = np.linspace(-1.5, 1.5, 10)[:, None], np.array([[-1.2], [0.1], [1.3], [3.0]])
Y = 0.5 * X[:, 0] + np.interp(X[:, 0], [-1.5, 1.5], [0.05, 0.8]) * RNG.normal(size=10)


def kernel(inputs):
    """Of the log noise over its variation, from the docstring."""
    squares = (inputs - inputs.T) ** 2
    return (1.0 - NUGGET) * np.exp(-0.5 * squares / FIXED["lengthscale"] ** 2) + NUGGET * np.eye(len(inputs))


def by_importance_sampling(draws=100_000):
    """log evidence with its error; mean and standard deviation of y at new inputs."""
    both = np.concatenate([X, X_NEW])
    g = np.random.default_rng(1).normal(size=(draws, len(both))) @ np.linalg.cholesky(kernel(both)).T
    variance = (FIXED["noise_std"] * np.exp(FIXED["variation"] * g)) ** 2
    K = np.asarray(bnn.priors.NNGP(NET).kernel.gram(jnp.asarray(both)).as_matrix())
    A = K[:10, :10] + variance[:, :10, None] * np.eye(10)
    a = np.linalg.solve(A, np.broadcast_to(Y[:, None], (draws, 10, 1)))[..., 0]
    of_draw = -0.5 * (a @ Y + np.linalg.slogdet(A)[1] + 10 * np.log(2.0 * np.pi))
    total = logsumexp(of_draw)
    weights = np.exp(of_draw - total)
    cross = np.broadcast_to(K[:10, 10:], (draws, 10, 4))
    means = a @ K[:10, 10:]
    of_f = np.diag(K)[10:] - np.einsum("mnt,mnt->mt", cross, np.linalg.solve(A, cross))
    mean = weights @ means
    std = np.sqrt(weights @ (of_f + variance[:, 10:] + means**2) - mean**2)
    return total - np.log(draws), np.sqrt(np.sum((weights - 1 / draws) ** 2)), mean, std


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_fits_agree_with_importance_sampling():
    """Evidence, and means at new inputs, within 4 errors, a false alarm in 2,000; stds within 30 %."""
    value, error, mean, std = by_importance_sampling()
    sampler = bnn.inference.SMC(particles=256, islands=2)
    posterior = bnn.fit(bnn.priors.NNGP(NET), X, Y, NOISE, sampler, standardize=False, progress=False)
    evidence = posterior.log_evidence
    assert abs(evidence.value - value) < 4 * np.hypot(max(evidence.mcse, 0.05), error)
    predicted = posterior.predict(X_NEW)
    assert np.all(np.abs(predicted.mean - mean) < 4 * std / posterior.convergence.ess_bulk**0.5)
    np.testing.assert_allclose(predicted.std, std, rtol=0.3)
    constant = bnn.fit(bnn.priors.NNGP(NET), X, Y, bnn.Gaussian(0.3), standardize=False).predict(X_NEW).std
    assert np.all(np.abs(predicted.std - std)[:3] < np.abs(constant - std)[:3].max())


def test_noise_at_rows_and_between_them_is_one_gaussian_process():
    """Moments of 20,000 draws of the log noise at new inputs, given whitened values."""
    w = RNG.normal(size=10)
    values = {name: jnp.asarray(value) for name, value in FIXED.items()} | {SITE: jnp.asarray(w)}
    L = np.linalg.cholesky(kernel(X))
    found = NOISE.at_rows(values, jnp.asarray(X))["noise_std_of_rows"]
    np.testing.assert_allclose(found, 0.3 * np.exp(L @ w), rtol=1e-10)
    keys = jax.random.split(jax.random.key(0), 20_000)
    at = jax.jit(jax.vmap(lambda key: NOISE.at_new_rows(key, values, jnp.asarray(X), jnp.asarray(X_NEW))))
    drawn = np.log(np.asarray(at(keys)["noise_std_of_rows"]) / 0.3)
    half = np.linalg.solve(L, kernel(np.concatenate([X, X_NEW]))[:10, 10:])
    std = np.sqrt(1.0 - np.sum(half**2, axis=0))
    np.testing.assert_allclose(drawn.mean(axis=0), half.T @ w, atol=5.0 * std.max() / 20_000**0.5)
    np.testing.assert_allclose(drawn.std(axis=0), std, rtol=0.03)


def test_given_f_it_is_scipys_normal_and_predictions_are_mixtures():
    f, y, std = RNG.normal(size=(5, 2)), RNG.normal(size=(5, 2)), np.linspace(0.1, 1.0, 5)
    values = {"noise_std_of_rows": jnp.asarray(std)}
    found = NOISE.pointwise_log_prob(values, jnp.asarray(y), jnp.asarray(f))
    np.testing.assert_allclose(found, stats.norm.logpdf(y, f, std[:, None]))
    mean, variance = NOISE.predict(None, values, jnp.asarray(f), jnp.full(5, 0.2))
    np.testing.assert_allclose(variance, (0.2 + std**2)[:, None])
    np.testing.assert_array_equal(mean, f)


@pytest.mark.parametrize("prior", [bnn.priors.NNGP(NET), bnn.BayesianNetwork(NET, 4)], ids=repr)
def test_every_prior_takes_it(prior):
    """The density is scipy's given f; rows that are not seen count for nothing; replicates spread as the noise does."""
    problem = CollapsedProblem.of(prior, jnp.asarray(X), jnp.asarray(Y[:, None]), NOISE)
    u = problem.sample_prior(jax.random.key(0))
    values = problem.values(u)
    f = np.asarray(problem.draw_function(values, jax.random.key(1))["f"])
    std = np.asarray(problem.at_rows(values)["noise_std_of_rows"])
    each = stats.norm.logpdf(Y, f[:, 0], std)
    assert float(problem.log_likelihood(u)) == pytest.approx(each.sum())
    seen = np.arange(10) < 6
    some = PartlyObserved.of_rows(problem, jnp.asarray(seen, float))
    assert float(some.log_likelihood(u)) == pytest.approx(each[seen].sum())
    replicates = jax.vmap(lambda key: problem.replicate(key, values, f))(jax.random.split(jax.random.key(2), 4000))
    np.testing.assert_allclose(np.asarray(replicates).std(axis=0)[:, 0], std, rtol=0.06)


def test_parameters_and_latents():
    assert list(bnn.HeteroscedasticNoise().hyperparameter_priors()) == ["noise_std", "variation", "lengthscale"]
    assert NOISE.numbers() == FIXED
    assert {name: one.event_shape for name, one in NOISE.latents_of_rows(7).items()} == {SITE: (7,)}
    assert bnn.Gaussian().latents_of_rows(7) == {}
    with pytest.raises(ValueError, match="variation must be a positive number"):
        bnn.HeteroscedasticNoise(variation=0.0)
