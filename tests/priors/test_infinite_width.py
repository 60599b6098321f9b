"""Infinite-width kernels against outside figures, GPJax, the limit of finite networks, and themselves."""

import gpjax as gpx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import numpyro.distributions as dist
import pytest

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.inference.target import Target
from bayes_nn.network import readout_features
from bayes_nn.priors.infinite_width import kernel_matrix, prior_kernel_matrix

OUTSIDE_EVIDENCE = {1: -239.731669, 2: -240.712583, 3: -240.350834}


@pytest.mark.parametrize("depth", OUTSIDE_EVIDENCE)
def test_nngp_evidence_on_diabetes(diabetes, depth):
    """Figures computed independently, noise variance 0.5, weight_std sqrt(2), bias_std sqrt(0.1)."""
    net = bnn.mlp(depth=depth, activation="relu", weight_std=2**0.5, bias_std=0.1**0.5)
    posterior = bnn.fit(priors.NNGP(net), *diabetes, bnn.Gaussian(0.5**0.5), standardize=False)
    assert posterior.log_evidence.method == "exact"
    assert posterior.log_evidence.value == pytest.approx(OUTSIDE_EVIDENCE[depth], abs=2e-6)


def test_depth_one_relu_is_gpjax_arccosine(diabetes):
    X = jnp.asarray(diabetes[0])
    w, b = 1.3, 0.4
    ours = priors.NNGP(bnn.mlp(depth=1, weight_std=w, bias_std=b)).kernel
    theirs = gpx.kernels.ArcCosine(order=1, variance=w**2 / 2, weight_variance=w**2 / X.shape[1], bias_variance=b**2)
    # GPJax squeezes correlations by 1e-15, which moves its diagonal by some 1e-8.
    np.testing.assert_allclose(ours.cross_covariance(X, X[:7]), b**2 + theirs.cross_covariance(X, X[:7]), atol=1e-7)


def test_kernel_works_in_a_gpjax_model_and_learns_what_is_not_fixed(small_data):
    X, y = map(jnp.asarray, small_data)
    data = gpx.Dataset(X, y[:, None])
    net = bnn.mlp(depth=1, weight_std=dist.LogNormal(0.0, 1.0), bias_std=0.3)
    prior = gpx.gps.Prior(mean_function=gpx.mean_functions.Zero(), kernel=priors.NNGP(net).kernel)
    posterior = prior * gpx.likelihoods.Gaussian()
    objective = lambda model, batch: -gpx.objectives.conjugate_mll(model, batch)  # noqa: E731
    before = float(objective(posterior, data))
    learned, _ = gpx.fit_scipy(model=posterior, objective=objective, train_data=data, verbose=False)
    assert float(objective(learned, data)) < before - 1.0
    weight, bias = learned.prior.kernel.stds()
    assert [float(b) for b in bias] == pytest.approx([0.3, 0.3])
    assert all(float(w) != pytest.approx(1.0, abs=1e-3) for w in weight)


def test_numbers_stay_fixed_and_distributions_start_at_their_median():
    kernel = priors.NTK(bnn.mlp(depth=1, weight_std=dist.Gamma(4.0, 2.0), bias_std=0.2)).kernel
    weight, bias = kernel.stds()
    assert float(weight[0]) == pytest.approx(1.836, abs=0.01)
    assert float(bias[0]) == pytest.approx(0.2)
    assert len(jax.tree.leaves(kernel)) == 2


@pytest.mark.parametrize("make", [priors.NNGP, priors.NTK])
@pytest.mark.parametrize("activation", ["relu", "erf", "identity"])
def test_kernel_is_consistent_with_itself(diabetes, make, activation):
    X = jnp.asarray(diabetes[0][:20])
    kernel = make(bnn.mlp(depth=3, activation=activation, weight_std=1.3, bias_std=0.2)).kernel
    gram = kernel.gram(X).as_matrix()
    # The cross-covariance does not know which inputs are equal: at correlation one it is good to the
    # square root of rounding for the derivative of ReLU.
    np.testing.assert_allclose(gram, kernel.cross_covariance(X, X), rtol=1e-6)
    np.testing.assert_allclose(jnp.diagonal(gram), lx.diagonal(kernel.diagonal(X)), rtol=1e-14)
    np.testing.assert_allclose(kernel(X[0], X[1]), gram[0, 1], rtol=1e-12)
    assert np.linalg.eigvalsh(gram).min() > -1e-10


@pytest.mark.parametrize("make", [priors.NNGP, priors.NTK])
@pytest.mark.parametrize("activation", ["relu", "erf", "identity"])
def test_evidence_is_the_same_eager_jitted_and_differentiated(diabetes, make, activation):
    """The trap of branches at correlation one: the value under value_and_grad was once off by nats."""
    X, y = jnp.asarray(diabetes[0][:60]), jnp.asarray(diabetes[1][:60, None])
    X = jnp.concatenate([X, X[:5]])
    y = jnp.concatenate([y, y[:5] + 0.1])
    target = Target(X, y, make(bnn.mlp(depth=2, activation=activation)), bnn.Gaussian())
    u = target.sample_prior(jax.random.key(3))
    eager = float(target.log_likelihood(u))
    assert float(jax.jit(target.log_likelihood)(u)) == pytest.approx(eager, abs=1e-6)
    value, _ = jax.jit(jax.value_and_grad(target.log_likelihood))(u)
    assert float(value) == pytest.approx(eager, abs=1e-6)


@pytest.mark.parametrize("make", [priors.NNGP, priors.NTK])
@pytest.mark.parametrize("activation", ["relu", "erf", "identity"])
def test_gradient_of_the_evidence_agrees_with_finite_differences(diabetes, make, activation):
    X, y = jnp.asarray(diabetes[0][:60]), jnp.asarray(diabetes[1][:60, None])
    target = Target(X, y, make(bnn.mlp(depth=2, activation=activation)), bnn.Gaussian())
    u = target.sample_prior(jax.random.key(3))
    gradient = jax.grad(target.log_likelihood)(u)
    step = 1e-5
    central = [
        (target.log_likelihood(u.at[i].add(step)) - target.log_likelihood(u.at[i].add(-step))) / (2 * step)
        for i in range(len(u))
    ]
    np.testing.assert_allclose(gradient, np.array(central), rtol=1e-6, atol=1e-6)


@pytest.mark.statistical
@pytest.mark.parametrize("activation", ["relu", "erf", "identity"])
def test_wide_networks_approach_the_nngp(diabetes, activation):
    """Features of 200 networks of width 256: the mean of Phi Phi' is the kernel (depth 1: unbiased).

    Each of 21 entries is compared at 5 standard errors: a false alarm once in 80,000 runs.
    """
    X = jnp.asarray(diabetes[0][:6])
    net = bnn.mlp(depth=1, activation=activation, weight_std=1.3, bias_std=0.2)
    network = bnn.BayesianNetwork(net, 256)
    draws = {n: p.sample(jax.random.key(i), (200,)) for i, (n, p) in enumerate(network.hidden_weights(10).items())}
    features = jax.vmap(lambda values: readout_features(net, values, X))(draws)
    kernels = np.asarray(features @ features.transpose(0, 2, 1))
    error = kernels.std(axis=0, ddof=1) / np.sqrt(200)
    expected = prior_kernel_matrix(net, {}, X)
    assert (np.abs(kernels.mean(axis=0) - expected) < 5 * error).all()


def test_ntk_of_a_linear_network_by_hand():
    """Without biases every one of the L + 1 layers contributes the same product: T = (L + 1) K."""
    X = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    net = bnn.mlp(depth=2, activation="identity", weight_std=1.0, bias_std=0.0)
    stds = [jnp.ones(())] * 3, [jnp.zeros(())] * 3
    np.testing.assert_allclose(
        kernel_matrix(net, *stds, X, kind="ntk"), 3 * kernel_matrix(net, *stds, X, kind="nngp"), rtol=1e-13
    )
