"""The first-order effect of width against quadrature, sampled finite networks, and differences of the evidence."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf, logsumexp

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.inference.evidence.layer_slope import Readout, deeper_layer_samples, last_layer_samples
from bayes_nn.priors.kernels.kernel_derivatives import kernel_derivatives

WEIGHT_STD, BIAS_STD, NOISE_STD = 1.5, 0.3, 0.5


def linear(depth):
    return bnn.mlp(depth, "identity", 1.0, 0.0)


def slope_of(net, X, y, key=0, noise_std=NOISE_STD, **settings):
    return inference.width_slope(net, X, y, bnn.Gaussian(noise_std), standardize=False, key=key, **settings)


@pytest.mark.parametrize("depth", [1, 2])
def test_deep_linear_networks_agree_with_quadrature(deep_linear_evidence, linear_data, depth):
    """``n (log Z_n - log Z_inf)`` at widths 4,000 and 8,000, their difference extrapolated away: 5 digits."""
    X, y = linear_data
    slope = slope_of(linear(depth), X, y)
    finite = [
        n * (deep_linear_evidence(X, y, NOISE_STD**2, (n,) * depth) - slope.log_evidence.value) for n in (4e3, 8e3)
    ]
    assert slope.mcse == 0.0
    assert slope.value == pytest.approx(2.0 * finite[1] - finite[0], rel=2e-5)


def test_unequal_widths_agree_with_quadrature(deep_linear_evidence, linear_data):
    X, y = linear_data
    slope = slope_of(linear(2), X, y)
    exact = deep_linear_evidence(X, y, NOISE_STD**2, (20_000, 5_000))
    assert slope.log_evidence_at((20_000, 5_000)) == pytest.approx(
        exact, abs=0.01 * abs(exact - slope.log_evidence.value)
    )


@pytest.mark.statistical
def test_sampled_neurons_agree_with_the_closed_form(linear_data):
    """The identity as a function of the user's, which is sampled; two outputs. 4 standard errors, once in 16,000."""
    X, y = linear_data
    Y = np.stack([y, X[:, 0]], axis=1)
    exact = slope_of(bnn.mlp(2, "identity", 1.2, 0.3), X, Y)
    sampled = slope_of(bnn.mlp(2, bnn.Activation(lambda x: 1.0 * x), 1.2, 0.3), X, Y)
    assert exact.mcse == 0.0 < sampled.mcse < 0.06 * abs(sampled.value)
    assert abs(sampled.value - exact.value) < 4.0 * sampled.mcse


def log_density(K, Y):
    """Of stacked covariances without noise; summed over outputs."""
    A = K + NOISE_STD**2 * np.eye(len(Y))
    solved = np.linalg.solve(A, np.broadcast_to(Y, (*A.shape[:-2], *Y.shape)))
    determinant = Y.shape[1] * np.linalg.slogdet(A)[1]
    return -0.5 * (np.sum(Y * solved, axis=(-2, -1)) + determinant + Y.size * np.log(2.0 * np.pi))


def dual_of(name, K):
    """E[phi phi'] of ReLU (Cho and Saul 2009) or erf (Williams 1997), written out once more."""
    p = np.einsum("...ii->...i", K)
    if name == "erf":
        return 2.0 / np.pi * np.arcsin(2.0 * K / np.sqrt((1 + 2 * p)[..., :, None] * (1 + 2 * p)[..., None, :]))
    norm = np.sqrt(p[..., :, None] * p[..., None, :])
    angle = np.arccos(np.clip(K / norm, -1.0, 1.0))
    return norm * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2.0 * np.pi)


def sampled_difference(name, X, Y, widths, draws, rng):
    """``log Z_n - log Z_inf`` and its error from finite networks drawn from the prior, layer by layer.

    What each layer's second moments differ by from their mean given the layer before has mean 0: a control variate.
    """
    phi = {"relu": lambda x: np.maximum(x, 0.0), "erf": erf}[name]
    first = limit = WEIGHT_STD**2 * X @ X.T / X.shape[1] + BIAS_STD**2
    for _ in widths:
        limit = WEIGHT_STD**2 * dual_of(name, limit) + BIAS_STD**2
    K, controls = np.broadcast_to(first, (draws, *first.shape)), [np.ones((draws, 1))]
    for n in widths:
        factor = np.linalg.cholesky(K + 1e-12 * np.eye(len(X)))
        features = phi(factor @ rng.standard_normal((draws, len(X), n)))
        G = features @ np.swapaxes(features, 1, 2) / n
        controls.append((G - dual_of(name, K))[:, *np.triu_indices(len(X))])
        K = WEIGHT_STD**2 * G + BIAS_STD**2
    excess = np.expm1(log_density(K, Y) - log_density(limit, Y))
    design = np.concatenate(controls, axis=1)
    coefficients = np.linalg.lstsq(design, excess, rcond=None)[0]
    return np.log1p(coefficients[0]), np.std(excess - design @ coefficients) / draws**0.5 / (1.0 + coefficients[0])


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize(("name", "depth", "outputs"), [("relu", 1, 1), ("erf", 1, 2), ("erf", 2, 1), ("relu", 2, 2)])
def test_slope_agrees_with_sampled_finite_networks(name, depth, outputs):
    """40,000 networks at width 60 and at 120, extrapolated; 3.5 standard errors: once in 2,000 per case, seeds fixed.

    The errors are 2 to 4% of the slopes, so a slope without one of its terms would be found out.
    """
    rng = np.random.default_rng(3)
    X = rng.normal(size=(5, 2))
    Y = np.stack([np.sin(2.0 * X[:, 0]) + 0.3 * X[:, 1], X[:, 1]], axis=1)[:, :outputs]
    slope = slope_of(bnn.mlp(depth, name, WEIGHT_STD, BIAS_STD), X, Y, tolerance=0.02)
    scaled = []
    for n in (60, 120):
        blocks = np.array([sampled_difference(name, X, Y, (n,) * depth, 10_000, rng) for _ in range(4)])
        scaled.append((n * blocks[:, 0].mean(), n * np.sqrt(np.sum(blocks[:, 1] ** 2)) / 4))
    (narrow, narrow_error), (wide, wide_error) = scaled
    error = np.sqrt(4.0 * wide_error**2 + narrow_error**2 + slope.mcse**2)
    assert abs(slope.value - (2.0 * wide - narrow)) < 3.5 * error
    assert sum(slope.by_layer) == pytest.approx(slope.value)
    assert error < 0.07 * abs(slope.value)


def small_regression(outputs):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5, 3))
    first = WEIGHT_STD**2 * X @ X.T / 3 + BIAS_STD**2
    return rng, first, rng.normal(size=(5, outputs))


@pytest.mark.parametrize("name", ["relu", "erf"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_deeper_terms_are_second_differences_of_the_evidence(name, outputs):
    """``c = Z''/(2 Z)`` along a neuron's fluctuation two layers below the readout; probes that give the exact trace."""
    rng, first, Y = small_regression(outputs)
    second = WEIGHT_STD**2 * dual_of(name, first) + BIAS_STD**2
    third = WEIGHT_STD**2 * dual_of(name, second) + BIAS_STD**2
    readout = Readout.of(jnp.asarray(third), jnp.asarray(Y), jnp.asarray(NOISE_STD**2))
    net = bnn.mlp(2, name, WEIGHT_STD, BIAS_STD)
    derivatives = kernel_derivatives(net, {}, [jnp.asarray(second), jnp.asarray(third)])[0]
    phi = rng.normal(size=5)
    G = dual_of(name, first)
    probes = 5**0.5 * np.linalg.cholesky(np.linalg.inv(third + NOISE_STD**2 * np.eye(5))).T
    term = deeper_layer_samples(
        readout, derivatives, jnp.asarray(G), jnp.asarray(np.tile(phi, (5, 1))), jnp.asarray(probes)
    )

    def log_evidence(e):
        K = WEIGHT_STD**2 * (G + e * (np.outer(phi, phi) - G)) + BIAS_STD**2
        return log_density(WEIGHT_STD**2 * dual_of(name, K) + BIAS_STD**2, Y)

    h = 1e-3
    ahead, behind = (np.exp(log_evidence(e) - log_evidence(0.0)) for e in (h, -h))
    assert float(term[:, 0].mean()) == pytest.approx((ahead - 2.0 + behind) / h**2 / 2.0, rel=1e-3)


@pytest.mark.parametrize("outputs", [1, 3])
def test_last_layer_terms_are_second_differences_of_the_evidence(outputs):
    """In the mean over a finite population of neurons, whose S is its own: no sampling error."""
    rng, _, Y = small_regression(outputs)
    psi = rng.normal(size=(20, 5)) * np.array([1.0, 0.5, 0.2, 1.5, 1.0])
    S = psi.T @ psi / 20
    readout = Readout.of(jnp.asarray(S), jnp.asarray(Y), jnp.asarray(NOISE_STD**2))
    samples = last_layer_samples(readout, jnp.asarray(S), jnp.asarray(psi))
    h = 1e-3
    changes = h * (psi[:, :, None] * psi[:, None, :] - S)
    ahead, behind = (np.exp(log_density(S + change, Y) - log_density(S, Y)) for change in (changes, -changes))
    assert float(samples[:, 0].mean()) == pytest.approx(np.mean(ahead - 2.0 + behind) / h**2 / 2.0, rel=1e-3)
    np.testing.assert_allclose(samples[:, 1:].mean(axis=0), 0.0, atol=1e-10)


@pytest.mark.slow
@pytest.mark.statistical
def test_errors_are_honest(small_data):
    """The spread over 24 keys against the error claimed: chi2 with 23 degrees, outside these bounds once in 1,000."""
    net = bnn.mlp(2, "relu", WEIGHT_STD, BIAS_STD)
    slopes = [slope_of(net, *small_data, key=key, tolerance=1.0) for key in range(24)]
    values, errors = (np.array([getattr(one, field) for one in slopes]) for field in ("value", "mcse"))
    assert 6.9 < np.sum((values - values.mean()) ** 2 / np.mean(errors**2)) < 52.0


@pytest.mark.slow
@pytest.mark.statistical
def test_inferred_noise_agrees_with_quadrature(deep_linear_evidence, linear_data):
    """log of the mean of Z_n over the noise's prior, widths 2,000 and 4,000, extrapolated; 4 standard errors."""
    X, y = linear_data
    slope = inference.width_slope(linear(1), X, y, standardize=False)
    prior = bnn.Gaussian().noise_std
    grid = np.linspace(np.log(0.02), np.log(10.0), 120)
    log_prior = np.asarray(prior.log_prob(np.exp(grid))) + grid + np.log(grid[1] - grid[0])

    def averaged(n):
        return logsumexp(
            [deep_linear_evidence(X, y, np.exp(2.0 * s), (n,)) + w for s, w in zip(grid, log_prior, strict=True)]
        )

    limit = averaged(10**7)  # c1 over that width is below 1e-6
    narrow, wide = (n * (averaged(n) - limit) / (1.0 - n / 1e7) for n in (2_000, 4_000))
    assert abs(slope.log_evidence.value - limit) < max(4.0 * slope.log_evidence.mcse, 0.02)
    assert 0.0 < slope.mcse < 0.1 * abs(slope.value)
    assert abs(slope.value - (2.0 * wide - narrow)) < 4.0 * slope.mcse


def test_words_and_first_order_evidence():
    evidence = inference.log_evidence(
        bnn.priors.NNGP(linear(1)), np.arange(4.0), np.arange(4.0), likelihood=bnn.Gaussian(1.0)
    )
    for value, mcse, effect in ((3.0, 1.0, "helps"), (-3.0, 1.0, "hurts"), (1.0, 1.0, "cannot be told")):
        slope = inference.WidthSlope(value, mcse, evidence, (value / 3.0, 2.0 * value / 3.0), 100)
        assert slope.effect == effect
        assert {"helps": "improves", "hurts": "worse"}.get(effect, "cannot be told") in str(slope)
        assert slope.log_evidence_at((10, 20)) == pytest.approx(evidence.value + value / 30.0 + value / 30.0)
        assert slope.log_evidence_at(10) == pytest.approx(evidence.value + value / 10.0)


def test_the_same_key_gives_the_same_number(small_data):
    net = bnn.mlp(1, "erf", WEIGHT_STD, BIAS_STD)
    assert slope_of(net, *small_data, key=3) == slope_of(net, *small_data, key=3)


DENSE = bnn.Dense(1.0, 0.1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"net": bnn.Serial(DENSE, bnn.LayerNorm(), bnn.Relu(), DENSE)}, "LayerNorm"),
        ({"net": bnn.Serial(DENSE, bnn.Residual(bnn.Relu(), DENSE), bnn.Relu(), DENSE)}, "Residual"),
        ({"net": bnn.Serial(bnn.Conv((2,)), bnn.Relu(), bnn.Flatten(), DENSE)}, "Conv"),
        ({"net": "mlp"}, "expected an architecture"),
        ({"likelihood": bnn.Bernoulli()}, "Gaussian noise only"),
        ({"tolerance": 0.0}, "tolerance must be positive"),
        ({"likelihood": bnn.Gaussian(1e-9)}, "noise_std"),
    ],
)
def test_what_it_is_not_for_is_refused(small_data, arguments, message):
    X, y = small_data
    defaults = {"net": linear(1), "likelihood": bnn.Gaussian(0.5)}
    # Columns far from 1 in scale, so that rounding of K is far above a noise of 1e-9.
    with pytest.raises(ValueError, match=message):
        inference.width_slope(X=1e4 * X, y=y, standardize=False, **(defaults | arguments))
