"""Priors that scale the NNGP kernel, against quadrature over the scale."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import integrate, stats

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.architecture.network import layer_stds
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.prior_draws import prior_log_likelihoods
from bayes_nn.inference.sampling.few_latents.quadrature import quadrature

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3)


def at_nothing(prior, X, y, noise_std):
    return float(
        CollapsedProblem.of(prior, jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian(noise_std)).log_likelihood(
            jnp.zeros(0)
        )
    )


def linear_data(rows, inputs, scale=2.0):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(rows, inputs))
    return X, scale * X @ rng.normal(size=inputs) / inputs**0.5 + 0.5 * rng.normal(size=rows)


@pytest.mark.parametrize(
    ("rows", "inputs", "widths", "scale", "tolerance"),
    [
        (200, 200, (200,), 1.4, 0.003),
        (50, 5, (10,), 2.0, 0.03),
        (50, 5, (40, 40), 2.0, 0.01),
        (50, 5, (10, 60), 2.0, 0.03),
    ],
)
def test_renormalised_kernel_is_near_the_exact_linear_network(
    deep_linear_evidence, rows, inputs, widths, scale, tolerance
):
    """Laplace's method errs by O(1/n)."""
    X, y = linear_data(rows, inputs, scale)
    net = bnn.mlp(len(widths), "identity", weight_std=1.0, bias_std=0.0)
    prior = priors.RenormalisedKernel(net, widths)
    assert at_nothing(prior, X, y, 0.5) == pytest.approx(deep_linear_evidence(X, y, 0.25, widths), abs=tolerance)


def test_renormalised_kernel_reaches_the_nngp():
    X, y = linear_data(30, 3)
    nngp = at_nothing(priors.NNGP(NET), X, y, 0.5)
    gaps = [at_nothing(priors.RenormalisedKernel(NET, n), X, y, 0.5) - nngp for n in (10**4, 10**5)]
    assert gaps[0] == pytest.approx(10.0 * gaps[1], rel=0.01)
    assert abs(gaps[1]) < 1e-3


def test_renormalised_kernel_predicts_with_the_scale_it_settles_on():
    X, y = linear_data(40, 2)
    prior = priors.RenormalisedKernel(NET, 5)
    posterior = bnn.fit(prior, X, y, bnn.Gaussian(0.3), standardize=False)
    process = prior.process(prior.numbers(), jnp.asarray(X), jnp.asarray(X))

    def misfit(log_scale):
        A = np.exp(log_scale) * np.asarray(process.K) + 0.09 * np.eye(40)
        fit = 0.5 * (np.linalg.slogdet(A)[1] + y @ np.linalg.solve(A, y))
        return fit + 2.5 * (np.exp(log_scale) - log_scale)

    grid = np.linspace(-3.0, 3.0, 6001)
    scale = np.exp(grid[np.argmin([misfit(one) for one in grid])])
    A = scale * np.asarray(process.K) + 0.09 * np.eye(40)
    expected = scale * np.asarray(process.K) @ np.linalg.solve(A, y)
    np.testing.assert_allclose(posterior.predict(X).mean, expected, atol=2e-3)
    assert "saddle point" in posterior.log_evidence.method


def test_renormalised_kernel_refuses_what_it_is_not_for():
    X, _ = linear_data(10, 2)
    prior = priors.RenormalisedKernel(NET, 5)
    with pytest.raises(ValueError, match="one output"):
        bnn.fit(prior, X, X, bnn.Gaussian(0.3))
    with pytest.raises(ValueError, match="one output"):
        bnn.compare([prior], X, ["a", "b"] * 5, likelihood=bnn.Bernoulli())


def relu_density(width):
    """Of 2 chi2(k)/n, k ~ Binomial(n, 1/2) given k > 0."""
    k = np.arange(1, width + 1)
    weights = stats.binom.pmf(k, width, 0.5) / (1.0 - 0.5**width)
    return lambda scale: weights @ stats.chi2.pdf(0.5 * width * scale, k) * 0.5 * width


@pytest.mark.statistical
@pytest.mark.parametrize("which", ["student", "mixture"])
def test_random_scales_against_quadrature(which):
    """Within 4 standard errors; false alarm about 1 in 10,000."""
    X, y = linear_data(25, 2)
    if which == "student":
        prior, density, bias = priors.StudentT(NET, df=3), stats.invgamma(1.5, scale=1.5).pdf, 0.0
    else:
        prior, density, bias = priors.ScaleMixture(NET, 6), relu_density(6), 0.3**2
    K = np.asarray(priors.NNGP(NET).process(priors.NNGP(NET).numbers(), jnp.asarray(X)).K)

    def integrand(log_scale):
        scale = np.exp(log_scale)
        normal = stats.multivariate_normal(np.zeros(25), scale * (K - bias) + bias + 0.16 * np.eye(25))
        return np.exp(normal.logpdf(y) + log_scale + 30.0) * density(scale)

    exact = np.log(integrate.quad(integrand, -12.0, 12.0, limit=500)[0]) - 30.0
    found = bnn.inference.log_evidence(
        prior, X, y, "smc", bnn.Gaussian(0.4), standardize=False, tolerance=0.05, progress=False
    )
    assert found.reliable, found
    assert abs(found.value - exact) < 4.0 * found.mcse
    assert found.mcse < 0.06


SHARED = bnn.Shared(dist.LogNormal(0.3, 0.5))


@pytest.mark.parametrize(
    "net",
    [
        bnn.mlp(2, "relu", weight_std=1.4, bias_std=0.3),
        bnn.mlp(2, "erf", weight_std=SHARED, bias_std=SHARED),
        bnn.mlp(2, "abs"),
    ],
    ids=["numbers", "shared", "inferred"],
)
def test_scales_multiply_the_weight_std_of_the_layer_that_reads(net):
    """And nothing else: no bias, no layer that reads the data."""
    X = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)))
    prior, values = priors.ScaleMixture(net, 5), {"weight_std_0": 1.2}
    assert list(prior.laws) == ["scale_0", "scale_1"]
    stds = layer_stds(net, values)
    given = [(w * factor, b) for factor, (w, b) in zip((1.0, 0.7**0.5, 1.6**0.5), stds, strict=True)]
    layers = [bnn.Dense(float(w), float(b)) for w, b in given]
    scaled = bnn.Serial(layers[0], net.layers[1], layers[1], net.layers[1], layers[2])
    found = prior.process(values | {"scale_0": jnp.array(0.7), "scale_1": jnp.array(1.6)}, X, X[:2])
    for ours, theirs in zip(
        vars(found).values(), vars(priors.NNGP(scaled).process({}, X, X[:2])).values(), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12)


def test_the_readout_bias_is_left_where_the_scale_vanishes():
    X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 3)))
    K = priors.ScaleMixture(NET, 5).process({"scale_0": jnp.array(1e-14)}, X).K
    np.testing.assert_allclose(K, 0.3**2, rtol=1e-10)


@pytest.mark.statistical
def test_the_linear_scale_mixture_is_the_network_with_biases_too():
    """Evidence of four rows by quadrature against the mean likelihood of 40,000 networks; false alarm 1 in 16,000."""
    rng = np.random.default_rng(0)
    X, y = jnp.asarray(rng.normal(size=(4, 2))), jnp.asarray(rng.normal(size=(4, 1)) * 1.5)
    net = bnn.mlp(2, "identity", weight_std=1.2, bias_std=0.8)
    network = CollapsedProblem.of(bnn.BayesianNetwork(net, (3, 2)), X, y, bnn.Gaussian(0.5))
    mixture = CollapsedProblem.of(priors.ScaleMixture(net, (3, 2)), X, y, bnn.Gaussian(0.5))
    likelihood = np.exp(prior_log_likelihoods(network, jax.random.key(1), 10_000).ravel())
    exact = np.exp(quadrature(mixture, jax.random.key(0), lambda *_: None).value)
    assert abs(likelihood.mean() - exact) < 4.0 * likelihood.std() / 200.0
    assert likelihood.std() / 200.0 < 0.02 * exact


@pytest.mark.parametrize("df", [0, -1.0, float("nan"), "four", True])
def test_student_t_refuses_bad_degrees_of_freedom(df):
    with pytest.raises(ValueError, match="df must be"):
        priors.StudentT(NET, df=df)
