"""Reweighting of frozen draws against quadrature and against Markov chains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.features import reweighting as module
from bayes_nn.inference.problem.prior_draws import GROUPS

LINEAR = bnn.mlp(1, "identity", weight_std=1.0, bias_std=0.0)
RELU = bnn.mlp(1, weight_std=2**0.5, bias_std=0.1)

SMALL = inference.SMC(particles=32, islands=2)
pytestmark = pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")


@pytest.fixture(scope="module")
def task():
    """20 rows, 3 inputs, and 10 rows to test on."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(30, 3))
    return X, np.sin(2.0 * X @ rng.normal(size=3) / 3**0.5) + 0.1 * rng.normal(size=30)


@pytest.fixture(scope="module")
def one_scale(task):
    X, y = task
    return bnn.fit(priors.ScaleMixture(LINEAR, 4), X[:20], y[:20], bnn.Gaussian(0.5), standardize=False)


@pytest.fixture(scope="module")
def far(task):
    """A posterior far from its prior, on a scale of its own."""
    X, y = task
    return bnn.fit(bnn.BayesianNetwork(RELU, 3), X[:20], 5.0 * y[:20] + 1.0, bnn.Gaussian(0.1), SMALL)


@pytest.mark.statistical
def test_everything_against_quadrature(task, one_scale):
    """One random scale s ~ chi2(4)/4: log Z, I, D_2 and the posterior mean are one-dimensional integrals.

    4 to 4.5 standard errors, of 13 figures: a false alarm once in 1,000.
    """
    X, y = task
    result = inference.reweighting(one_scale, X[20:], draws=50_000)

    s = np.linspace(1e-4, stats.gamma.ppf(1 - 1e-14, 2.0, scale=0.5), 4000)
    log_prior = stats.gamma.logpdf(s, 2.0, scale=0.5) + np.log(s[1] - s[0])
    K, K_new = X[:20] @ X[:20].T / 3, X[20:] @ X[:20].T / 3
    log_likelihood = np.empty_like(s)
    means = np.empty((len(s), 10))
    for i, scale in enumerate(s):
        A = scale * K + 0.25 * np.eye(20)
        solved = np.linalg.solve(A, y[:20])
        log_likelihood[i] = -0.5 * (y[:20] @ solved + np.linalg.slogdet(A)[1] + 20 * np.log(2 * np.pi))
        means[i] = scale * K_new @ solved
    log_z = logsumexp(log_prior + log_likelihood)
    weight = np.exp(log_prior + log_likelihood - log_z)
    divergence = np.sum(weight * (log_likelihood - log_z))
    renyi = logsumexp(log_prior + 2.0 * log_likelihood) - 2.0 * log_z

    assert result.log_evidence.reliable
    assert abs(result.log_evidence.value - log_z) < 4 * result.log_evidence.mcse
    assert abs(result.divergence.value - divergence) < 4 * result.divergence.mcse
    assert abs(result.renyi.value - renyi) < 4 * result.renyi.mcse
    assert result.ess == pytest.approx(result.draws * np.exp(-renyi), rel=0.03)
    np.testing.assert_array_less(np.abs(result.mean[:, 0] - weight @ means), 4.5 * result.mean_error[:, 0])
    assert (result.mean_error > 0.0).all()
    assert result.hypotheses == pytest.approx(np.exp(result.divergence.value))


@pytest.mark.statistical
def test_frozen_draws_reproduce_the_markov_chains_of_a_network(task):
    """10 test points under two noises at 4.5 errors: a false alarm once in 7,000; and the ESS falls as predicted."""
    X, y = task
    results = []
    for noise in (0.7, 0.45):
        settings = inference.InfiniteHMC(warmup=200, draws=300)
        posterior = bnn.fit(bnn.BayesianNetwork(RELU, 8), X[:20], y[:20], bnn.Gaussian(noise), settings)
        result = inference.reweighting(posterior, X[20:], draws=50_000)
        assert np.abs(result.gap).max() < 4.5
        assert result.mean_error.max() < 0.02
        assert result.ess == pytest.approx(result.predicted_ess, rel=0.35)
        assert result.ess < result.largest_ess
        assert f"{result.draws} frozen draws" in str(result)
        results.append(result)
    fell = np.log(results[0].ess / results[1].ess)
    assert 0.8 < fell / (results[1].divergence.value - results[0].divergence.value) < 2.5


def test_chunks_add_up_to_the_direct_formulas(task, far, monkeypatch):
    """Four calls of small groups against sums over the very same draws, on the user's scale."""
    monkeypatch.setattr(module, "GROUP_DRAWS_PER_CALL", 20)
    X, posterior = task[0], far
    result = inference.reweighting(posterior, X[20:], draws=300, key=4)
    assert result.draws == 304
    problem, scale = posterior.problem, posterior.dataset.scale
    new = posterior.dataset.new_inputs(X[20:])

    @jax.jit
    def direct(key):
        values = problem.values(problem.sample_prior(key))
        process = problem.process(values, new)
        return process.log_marginal(problem.Y, 0.01), process.predict(problem.Y, 0.01)[0]

    groups = [key for call in range(4) for key in jax.random.split(jax.random.fold_in(jax.random.key(4), call), GROUPS)]
    log_w, f = map(np.array, zip(*(direct(one) for key in groups for one in jax.random.split(key, 19)), strict=True))
    w = np.exp(log_w - log_w.max())
    w, f = w / w.sum(), scale.y_mean + scale.y_std * f
    mean = np.tensordot(w, f, axes=1)
    assert result.ess == pytest.approx(1.0 / np.sum(w**2), rel=1e-9)
    assert result.log_evidence.value == pytest.approx(logsumexp(log_w) - np.log(304), abs=1e-9)
    np.testing.assert_allclose(result.mean, mean, atol=1e-9)
    mean_error = np.sqrt(np.tensordot(w**2, (f - mean) ** 2, axes=1))
    np.testing.assert_allclose(result.mean_error, mean_error, rtol=1e-6, atol=1e-10)
    assert result.divergence.value == pytest.approx(posterior.log_likelihood.mean() - posterior.log_evidence.value)


def test_too_few_draws_say_so(far):
    result = inference.reweighting(far, draws=1_000)
    assert not result.log_evidence.reliable
    assert "carry the weight" in result.log_evidence.reasons[0]
    assert result.divergence.value > np.log(result.draws)
    assert result.mean.shape == (0, 1)


def test_bad_requests_are_refused(task, one_scale):
    X, y = task
    with pytest.raises(ValueError, match="no latents"):
        inference.reweighting(bnn.fit(priors.NNGP(RELU), X, y, bnn.Gaussian(0.3)))
    with pytest.raises(ValueError, match="at least 1 draw"):
        inference.reweighting(one_scale, draws=0)


def test_a_group_whose_likelihoods_are_all_0_has_no_weight():
    """Not NaN; and with all of them 0 there is nothing to weigh."""
    f = jnp.ones((2, 3, 1, 1))
    log_likelihood = jnp.array([[-jnp.inf] * 3, [-2.0, -1.0, -jnp.inf]])
    groups = [module._sum((log_likelihood[i], f[i])) for i in range(2)]
    assert [float(groups[0].w), float(groups[0].w2), float(groups[0].wf[0, 0])] == [0.0, 0.0, 0.0]
    assert float(groups[1].w) == pytest.approx(1.0 + np.exp(-1.0))


def test_groups_without_weight_leave_the_average_as_it_is(task, far, monkeypatch):
    """A likelihood that is 0 for most draws: the evidence is that of the finite ones, over all draws."""
    draws = module.prior_draws

    def some(problem, shared, keys, size, what, summary):
        found = draws(problem, shared, keys, size, what, summary)
        first = jnp.arange(len(keys)) == 0
        silent = module._Sums(-jnp.inf, *(jnp.zeros(()) for _ in range(5)))
        return jax.tree.map(
            lambda value, nothing: jnp.where(first.reshape(-1, *[1] * (value.ndim - 1)), nothing, value), found, silent
        )

    whole = inference.reweighting(far, task[0][20:], draws=400, key=1)
    monkeypatch.setattr(module, "prior_draws", some)
    part = inference.reweighting(far, task[0][20:], draws=400, key=1)
    assert np.isfinite(part.log_evidence.value)
    assert part.log_evidence.value <= whole.log_evidence.value
    assert np.isfinite(part.mean).all()
