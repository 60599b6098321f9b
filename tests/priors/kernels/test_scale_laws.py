"""The laws of the scales of finite layers, against closed forms and sampled networks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate, stats

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.priors.kernels.scale_laws import reads, scale_of


def law(activation, width):
    return scale_of(reads(bnn.mlp(1, activation, weight_std=2**0.5, bias_std=0.0))[1], width)


def test_kurtosis_of_a_relu_network_at_one_input():
    """THEORY T3: 3 prod(1 + 5/n), dead layers counted."""
    alive = 1.0 - 0.5**10
    found = law("relu", 10).law
    mean, square = alive * found.mean, alive * (found.variance + found.mean**2)
    assert mean == pytest.approx(1.0, rel=1e-12)
    assert 3.0 * (square / mean**2) ** 3 == pytest.approx(10.125, rel=1e-12)


@pytest.mark.parametrize(("activation", "excess"), [("identity", 2.0), ("abs", 2.0), (bnn.LeakyRelu(1.0), 2.0)])
def test_slopes_of_one_size_give_chi2(activation, excess):
    found = law(activation, 7)
    assert found.caveat == ""
    assert float(found.law.variance) == pytest.approx(excess / 7)
    s = np.linspace(0.1, 4.0, 9)
    np.testing.assert_allclose(np.exp(found.law.log_prob(s)), stats.chi2(7, scale=1 / 7).pdf(s), rtol=1e-10)


@pytest.mark.parametrize("slope", [0.0, 0.01, 0.5, -0.5])
def test_variance_of_a_leaky_rectifier(slope):
    """6 (1 + a^4)/(1 + a^2)^2 - 1, over n: from 5 for ReLU to 2 where the slopes are alike."""
    found, alive = law(bnn.LeakyRelu(slope), 9).law, 1.0 if slope else 1.0 - 0.5**9
    square = alive * (found.variance + found.mean**2)
    assert 9.0 * (square - 1.0) == pytest.approx(6.0 * (1.0 + slope**4) / (1.0 + slope**2) ** 2 - 1.0, rel=1e-10)


@pytest.mark.parametrize(
    ("activation", "excess"),
    [
        (bnn.Activation(jax.nn.relu, "relu"), 5.0),
        (bnn.Activation(lambda x: x, "line"), 2.0),
        (bnn.Sin(), (3.0 - 4.0 * np.exp(-4.0) + np.exp(-16.0)) / 2.0 / (1.0 - np.exp(-4.0)) ** 2 - 1.0),
    ],
)
def test_matched_variance(activation, excess):
    """By quadrature, at the variance 2 that a weight_std of sqrt(2) gives a standardised input."""
    found = law(activation, 11)
    assert float(found.law.mean) == pytest.approx(1.0)
    assert 11.0 * float(found.law.variance) == pytest.approx(excess, rel=1e-6)
    assert "standardised input" in found.caveat


def test_a_scale_that_is_not_random_is_left_out():
    assert law(bnn.Activation(jnp.sign), 5) is None
    assert law(bnn.Activation(jnp.zeros_like), 5) is None


@pytest.mark.parametrize("width", [1, 3, 64, 1024])
def test_density_of_the_relu_law(width):
    found = law("relu", width).law
    k = np.arange(1, width + 1)
    weights = stats.binom.pmf(k, width, 0.5) / (1.0 - 0.5**width)
    for s in found.mean + np.array([-0.3, 0.0, 0.5]) * found.variance**0.5:
        expected = weights @ stats.chi2.pdf(0.5 * width * s, k) * 0.5 * width
        assert float(jnp.exp(found.log_prob(s))) == pytest.approx(expected, rel=1e-8)
        assert float(found.cdf(s)) == pytest.approx(weights @ stats.chi2.cdf(0.5 * width * s, k), rel=1e-8)
    reach = (-60.0, 8.0) if width < 64 else (-2.5, 2.5)
    whole = integrate.quad(lambda u: float(jnp.exp(found.log_prob(jnp.exp(u)) + u)), *reach, limit=200)[0]
    assert whole == pytest.approx(1.0, abs=1e-6)
    slopes = jax.vmap(jax.grad(lambda u: found.log_prob(jnp.exp(u)) + u))(jnp.linspace(-200.0, 6.0, 50))
    assert np.isfinite(slopes).all()


def networks(rng, count, widths, w, b):
    """The kernel at the input 1 of sampled ReLU networks, those with a dead layer left out."""
    fan_in, phi, alive = 1, np.ones((count, 1)), np.ones(count, bool)
    for n in widths:
        weighed = np.einsum("ci,cij->cj", phi, rng.normal(size=(count, fan_in, n)))
        phi = np.maximum(w / fan_in**0.5 * weighed + b * rng.normal(size=(count, n)), 0.0)
        alive &= phi.any(axis=1)
        fan_in = n
    return (w**2 * np.mean(phi**2, axis=1) + b**2)[alive]


@pytest.mark.statistical
@pytest.mark.parametrize("bias_std", [0.0, 0.5])
def test_the_relu_prior_at_one_input_is_that_of_finite_networks(bias_std):
    """100,000 networks against 100,000 draws of the scales, by Kolmogorov and Smirnov's test.

    False alarm 1 in 10,000 for each.
    """
    widths = (4, 10, 6)
    prior = priors.ScaleMixture(bnn.mlp(3, "relu", weight_std=1.3, bias_std=bias_std), widths)
    keys = jax.random.split(jax.random.key(1), 3)
    scales = {name: one.sample(key, (100_000,)) for key, (name, one) in zip(keys, prior.laws.items(), strict=True)}
    ours = jax.jit(jax.vmap(lambda values: prior.process(prior.numbers() | values, jnp.ones((1, 1))).K[0, 0]))(scales)
    theirs = networks(np.random.default_rng(2), 100_000, widths, 1.3, bias_std)
    assert len(theirs) < 100_000
    assert stats.ks_2samp(np.asarray(ours), theirs).pvalue > 1e-4


@pytest.mark.parametrize(
    ("layers", "sites"),
    [
        ([bnn.Conv(), bnn.Residual(bnn.Relu(), bnn.Conv()), bnn.Relu(), bnn.GlobalAvgPool()], [None, 0, 1]),
        ([bnn.Dense(), bnn.LayerNorm(), bnn.Relu(), bnn.Dense(), bnn.LayerNorm()], [None, 0, None]),
        ([bnn.Dense(), bnn.Relu(), bnn.Residual(bnn.Dense(), shortcut=[bnn.Dense()]), bnn.Relu()], [None, 0, 0, 1]),
        ([bnn.Residual(bnn.Dense(), shortcut=[bnn.Dense()]), bnn.Relu()], [None, None, 0]),
    ],
    ids=["convolutional", "normalised", "residual", "residual of the data"],
)
def test_which_scale_a_layer_reads(layers, sites):
    prior = priors.ScaleMixture(bnn.Serial(*layers, bnn.Dense()), 4)
    assert prior.sites == tuple(None if one is None else f"scale_{one}" for one in sites)
    assert set(prior.laws) == set(prior.sites) - {None}
