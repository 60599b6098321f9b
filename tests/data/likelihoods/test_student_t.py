"""Student-t noise against SciPy's distribution and integrals over f by adaptive quadrature."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import integrate, stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn.data.scale import Scale

RNG = np.random.default_rng(0)
NOISE = bnn.StudentTNoise()
#: Mean and variance of f, noise_std and df: 3 posterior draws, 4 points, 2 outputs.
MEAN, VARIANCE = RNG.normal(size=(3, 4, 2)), 0.05 + 0.15 * RNG.uniform(size=(3, 4))
STD, DF = np.array([0.7, 0.8, 0.9]), np.array([3.0, 5.0, 12.0])
SCALE = Scale(np.zeros(1), np.ones(1), np.array([10.0, -3.0]), np.array([2.0, 0.5]), (1,))
TARGETS = RNG.normal(size=(4, 2)) * SCALE.y_std + SCALE.y_mean


def predictive(mean=MEAN, variance=VARIANCE, std=STD, df=DF, scale=SCALE):
    """As a posterior makes it: components of every draw, stacked."""
    values = [{"noise_std": jnp.asarray(s), "df": jnp.asarray(d)} for s, d in zip(std, df, strict=True)]
    draws = zip(values, mean, variance, strict=True)
    one = [NOISE.predict(None, of_draw, jnp.asarray(m), jnp.asarray(v)) for of_draw, m, v in draws]
    return NOISE.predictive(tuple(np.stack(parts) for parts in zip(*one, strict=True)), scale)


def density(y, m, t, c):
    """Of one output under one draw, f integrated out, on the user's scale."""
    f = SCALE.y_mean[c] + SCALE.y_std[c] * MEAN[m, t, c]
    std = SCALE.y_std[c] * np.sqrt(VARIANCE[m, t])

    def joint(at):
        return stats.t.pdf(y, DF[m], at, STD[m] * SCALE.y_std[c]) * stats.norm.pdf(at, f, std)

    return integrate.quad(joint, f - 9 * std, f + 9 * std, points=[f], epsabs=1e-12)[0]


def test_given_f_it_is_scipys_distribution():
    f, Y = RNG.normal(size=(4, 2)), RNG.normal(size=(4, 2))
    expected = stats.t.logpdf(Y, 4.0, f, 0.7)
    given = {"noise_std": jnp.asarray(0.7), "df": jnp.asarray(4.0)}
    for likelihood, values in (
        (NOISE, given),
        (bnn.StudentTNoise(4.0, 0.7), {}),
        (bnn.StudentTNoise(4.0, 0.7).without_numbers(), given),
    ):
        found = likelihood.pointwise_log_prob(values, jnp.asarray(Y), jnp.asarray(f))
        np.testing.assert_allclose(found, expected)
        np.testing.assert_allclose(likelihood.log_prob(values, jnp.asarray(Y), jnp.asarray(f)), expected.sum(axis=1))
    draws = jax.jit(NOISE.draw)(jax.random.key(0), given, jnp.tile(f, (500, 1))).reshape(500, 4, 2)
    assert stats.kstest(((np.asarray(draws) - f) / 0.7).ravel(), stats.t(4.0).cdf).pvalue > 1e-4


def test_predictions_are_mixtures_over_draws_and_f():
    """Density, mean and variance on the user's scale."""
    p = predictive()
    of_draw = np.ones((3, 4))
    for m, t, c in np.ndindex(3, 4, 2):
        of_draw[m, t] *= density(TARGETS[t, c], m, t, c)
    np.testing.assert_allclose(p.log_prob(TARGETS), np.log(of_draw.mean(axis=0)), rtol=1e-6)
    means = SCALE.y_mean + SCALE.y_std * MEAN
    np.testing.assert_allclose(p.component_means, means, rtol=1e-9)
    np.testing.assert_allclose(p.mean, means.mean(axis=0), rtol=1e-9)
    within = VARIANCE[..., None] + (STD**2 * DF / (DF - 2))[:, None, None]
    expected = SCALE.y_std**2 * within.mean(axis=0) + means.var(axis=0)
    np.testing.assert_allclose(p.std**2, expected, rtol=1e-6)


def test_density_integrates_to_one_up_to_every_quantile():
    scale = Scale(np.zeros(1), np.ones(1), SCALE.y_mean[:1], SCALE.y_std[:1], (1,))
    p = predictive(MEAN[:, :1, :1], VARIANCE[:, :1], scale=scale)
    levels = np.array([0.001, 0.25, 0.5, 0.9, 0.99])
    quantiles = p.quantile(levels)
    assert quantiles.shape == (5, 1)

    def of(y):
        return np.exp(p.log_prob([y]))[0]

    for level, quantile in zip(levels, quantiles[:, 0], strict=True):
        below = integrate.quad(of, -np.inf, quantile, epsabs=1e-10)[0]
        assert below == pytest.approx(level, abs=1e-7)
    assert integrate.quad(of, -np.inf, np.inf, points=None, epsabs=1e-10)[0] == pytest.approx(1.0, abs=1e-7)
    np.testing.assert_array_equal(p.quantile(0.5), quantiles[2])


def test_known_f_of_one_draw_is_the_distribution_itself():
    p = predictive(MEAN[:1], np.zeros((1, 4)), STD[:1], DF[:1])
    exact = stats.t(DF[0], SCALE.y_mean + SCALE.y_std * MEAN[0], STD[0] * SCALE.y_std)
    assert p.shape == (1, 1, 4, 2)
    np.testing.assert_allclose(p.quantile([0.025, 0.8]), [exact.ppf(0.025), exact.ppf(0.8)], rtol=1e-9)
    np.testing.assert_allclose(p.log_prob(TARGETS), exact.logpdf(TARGETS).sum(axis=1))
    np.testing.assert_allclose(p.std, exact.std())


def test_noise_that_is_narrow_is_resolved_by_all_draws_together():
    """Noise of 0.02 about an f of standard deviation 1: 300 equal draws of 20 nodes."""
    one = Scale(np.zeros(1), np.ones(1), np.zeros(1), np.ones(1), (1,))
    p = predictive(np.zeros((300, 1, 1)), np.ones((300, 1)), np.full(300, 0.02), np.full(300, 4.0), one)
    for y in (0.0, 0.33, 1.7):
        assert p.log_prob([y])[0] == pytest.approx(stats.norm.logpdf(y), abs=0.03)


def test_moments_that_do_not_exist_are_said_not_to():
    p = predictive(df=np.array([3.0, 5.0, 1.5]))
    assert np.isfinite(p.mean).all()
    assert np.isposinf(p.std).all()
    p = predictive(df=np.array([3.0, 5.0, 1.0]))
    assert np.isnan(p.mean).all()
    assert np.isnan(p.std).all()
    assert np.isfinite(p.quantile(0.5)).all()


@pytest.mark.statistical
def test_samples_have_the_quantiles_of_the_mixture():
    """20,000 draws: the fraction below each quantile within 4.5 standard errors."""
    p = predictive()
    draws = p.sample(2, 20_000)
    assert draws.shape == (20_000, 4, 2)
    for level in (0.05, 0.5, 0.9):
        error = np.sqrt(level * (1 - level) / 20_000)
        assert np.all(np.abs((draws < p.quantile(level)).mean(axis=0) - level) < 4.5 * error)


def test_parameters_are_fixed_or_inferred():
    both = NOISE.hyperparameter_priors()
    assert list(both) == ["noise_std", "df"]
    assert isinstance(both["df"], dist.Gamma)
    assert float(both["df"].mean) == pytest.approx(20.0)
    assert list(bnn.StudentTNoise(df=4).hyperparameter_priors()) == ["noise_std"]
    assert bnn.StudentTNoise(df=4, noise_std=0.2).numbers() == {"noise_std": 0.2, "df": 4.0}
    assert bnn.StudentTNoise(4.0, 0.2).without_numbers() == bnn.StudentTNoise(5.0, 0.3).without_numbers()
    assert bnn.StudentTNoise(4.0, 0.2) != bnn.StudentTNoise(5.0, 0.2)
    assert bnn.StudentTNoise(df=dist.LogNormal(1.0, 0.5)) == bnn.StudentTNoise(df=dist.LogNormal(1.0, 0.5))
    assert hash(bnn.StudentTNoise(4.0)) == hash(bnn.StudentTNoise(4.0))
    assert NOISE.scales_targets
    with pytest.raises(ValueError, match="df must be a positive number"):
        bnn.StudentTNoise(df=0.0)
    with pytest.raises(ValueError, match="noise_std must be a scalar distribution on the positive"):
        bnn.StudentTNoise(noise_std=dist.Normal())
    with pytest.raises(ValueError, match="no additive Gaussian noise"):
        NOISE.noise_variance({})
    with pytest.raises(ValueError, match="needs a value of df"):
        NOISE.distribution({"noise_std": jnp.ones(())}, jnp.ones((2, 1)))
    assert str(bnn.StudentTNoise(4.0)) == "StudentTNoise, noise_std ~ LogNormal, df 4.0"


def by_importance_sampling(log_likelihood, X, X_new, net, draws=200_000):
    """log evidence with its error, draws of f at new inputs and their weights, from the NNGP's prior."""
    both = np.concatenate([X, X_new])
    K = np.asarray(bnn.priors.NNGP(net).kernel.gram(jnp.asarray(both)).as_matrix())
    f = np.random.default_rng(1).normal(size=(draws, len(K))) @ np.linalg.cholesky(K + 1e-9 * np.eye(len(K))).T
    of_draw = log_likelihood(f[:, : len(X)]).sum(axis=1)
    total = logsumexp(of_draw)
    weights = np.exp(of_draw - total)
    return total - np.log(draws), np.sqrt(np.sum((weights - 1 / draws) ** 2)), f[:, len(X) :], weights


@pytest.mark.slow
@pytest.mark.statistical
def test_fits_agree_with_importance_sampling():
    """Evidence within 4 errors and means at new inputs within 0.1, with an outlier among the data."""
    X, X_new = RNG.normal(size=(8, 2)), RNG.normal(size=(4, 2))
    y = 0.5 * X[:, 0] + 0.2 * RNG.normal(size=8)
    y[3] += 4.0
    net = bnn.mlp(depth=1, weight_std=1.2, bias_std=0.4)
    value, error, f, weights = by_importance_sampling(lambda f: stats.t.logpdf(y, 3.0, f, 0.3), X, X_new, net)
    sampler = bnn.inference.SMC(particles=128)
    posterior = bnn.fit(bnn.priors.NNGP(net), X, y, bnn.StudentTNoise(3.0, 0.3), sampler, standardize=False)
    evidence = posterior.log_evidence
    assert abs(evidence.value - value) < 4 * np.hypot(evidence.mcse, error)
    np.testing.assert_allclose(posterior.predict(X_new).mean, weights @ f, atol=0.1)
