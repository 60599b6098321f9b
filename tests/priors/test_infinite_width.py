"""Infinite-width kernels against outside figures, GPJax, the limit of finite networks, and themselves."""

import gpjax as gpx
import jax
import jax.numpy as jnp
import lineax as lx
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.architecture.network import readout_features
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.priors.kernels import tiles
from bayes_nn.priors.kernels.gpjax_kernel import InfiniteWidthKernel
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrices, kernel_matrix

ACTIVATIONS = ["relu", "leakyrelu", "abs", "erf", "gelu", "sin", "cos", "rbf", "identity", "tanh"]
#: So much noise that differences of log densities are not lost in rounding.
NOISE = bnn.Gaussian(dist.LogNormal(-1.2, 0.75))
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
    values = learned.prior.kernel.values()
    assert sorted(values) == ["weight_std_0", "weight_std_1"]
    assert all(float(w) != pytest.approx(1.0, abs=1e-3) for w in values.values())


def test_numbers_stay_fixed_and_distributions_start_at_their_median():
    kernel = priors.NTK(bnn.mlp(depth=1, weight_std=dist.Gamma(4.0, 2.0), bias_std=0.2)).kernel
    assert {name: float(value) for name, value in kernel.values().items()} == pytest.approx(
        {"weight_std_0": 1.836, "weight_std_1": 1.836}, abs=0.01
    )
    assert len(jax.tree.leaves(kernel)) == 2


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_kernel_is_consistent_with_itself(diabetes, activation):
    X = jnp.asarray(diabetes[0][:20])
    kernel = priors.NTK(bnn.mlp(depth=3, activation=activation, weight_std=1.3, bias_std=0.2)).kernel
    gram = kernel.gram(X).as_matrix()
    # The cross-covariance does not know which inputs are equal: at correlation one it is good to the
    # square root of rounding for the derivative of ReLU.
    np.testing.assert_allclose(gram, kernel.cross_covariance(X, X), rtol=1e-6)
    np.testing.assert_allclose(jnp.diagonal(gram), lx.diagonal(kernel.diagonal(X)), rtol=1e-14)
    np.testing.assert_allclose(kernel(X[0], X[1]), gram[0, 1], rtol=1e-12)
    assert np.linalg.eigvalsh(gram).min() > -1e-10


@pytest.mark.parametrize("activation", ["relu", "erf", "tanh"])
@pytest.mark.parametrize("make", [priors.NNGP, priors.NTK])
def test_evidence_is_the_same_eager_jitted_and_differentiated(diabetes, make, activation):
    """The trap of branches at correlation one: the value under value_and_grad was once off by nats."""
    X, y = jnp.asarray(diabetes[0][:60]), jnp.asarray(diabetes[1][:60, None])
    X = jnp.concatenate([X, X[:5]])
    y = jnp.concatenate([y, y[:5] + 0.1])
    problem = CollapsedProblem.of(make(bnn.mlp(depth=2, activation=activation)), X, y, NOISE)
    u = problem.sample_prior(jax.random.key(3))
    eager = float(problem.log_likelihood(u))
    assert float(jax.jit(problem.log_likelihood)(u)) == pytest.approx(eager, abs=1e-6)
    value, _ = jax.jit(jax.value_and_grad(problem.log_likelihood))(u)
    assert float(value) == pytest.approx(eager, abs=1e-6)


def check_gradient(problem, u, step=1e-5):
    """Value equal with and without differentiation; gradient equal to central differences in every coordinate."""
    steps = u + step * jnp.concatenate([jnp.zeros((1, len(u))), jnp.eye(len(u)), -jnp.eye(len(u))])
    values = jax.lax.map(jax.jit(problem.log_likelihood), steps)
    value, gradient = jax.jit(jax.value_and_grad(problem.log_likelihood))(u)
    assert float(value) == pytest.approx(float(values[0]), abs=1e-6)
    central = (values[1 : 1 + len(u)] - values[1 + len(u) :]) / (2 * step)
    np.testing.assert_allclose(gradient, central, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_gradient_of_the_evidence_agrees_with_finite_differences(diabetes, activation):
    """In every weight_std, bias_std and the noise_std; the NTK, whose recursion holds the NNGP's."""
    X, y = jnp.asarray(diabetes[0][:60]), jnp.asarray(diabetes[1][:60, None])
    prior = priors.NTK(bnn.mlp(depth=2, activation=activation), output_scale=1.0)
    problem = CollapsedProblem.of(prior, X, y, NOISE)
    check_gradient(problem, problem.sample_prior(jax.random.key(3)))


@pytest.mark.statistical
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_wide_networks_approach_the_nngp(diabetes, activation):
    """Features of 200 networks of width 256: the mean of Phi Phi' is the kernel (depth 1: unbiased).

    Each of 21 entries is compared at 5 standard errors: a false alarm once in 80,000 runs.
    """
    X = jnp.asarray(diabetes[0][:6])
    net = bnn.mlp(depth=1, activation=activation, weight_std=1.3, bias_std=0.2)
    network = bnn.BayesianNetwork(net, 256)
    draws = {n: p.sample(jax.random.key(i), (200,)) for i, (n, p) in enumerate(network.hidden_weights((10,)).items())}
    features = jax.vmap(lambda values: readout_features(net, values, X))(draws)
    kernels = np.asarray(features @ features.transpose(0, 2, 1))
    error = kernels.std(axis=0, ddof=1) / np.sqrt(200)
    expected = kernel_matrix(net, {}, X)
    assert (np.abs(kernels.mean(axis=0) - expected) < 5 * error).all()


def test_ntk_of_a_linear_network_by_hand():
    """Without biases every one of the L + 1 layers contributes the same product: T = (L + 1) K."""
    X = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    net = bnn.mlp(depth=2, activation="identity", weight_std=1.0, bias_std=0.0)
    np.testing.assert_allclose(kernel_matrix(net, {}, X, kind="ntk"), 3 * kernel_matrix(net, {}, X), rtol=1e-13)


def test_the_median_scale_brings_the_ntk_to_the_variance_of_the_nngp():
    """Exactly in a linear network without biases, within a quarter with ReLU and biases."""
    X = jnp.asarray(np.random.default_rng(0).normal(size=(5, 3)))
    for net, tolerance in (
        (bnn.mlp(3, "identity", weight_std=1.0, bias_std=0.0), 1e-12),
        (bnn.mlp(3, "relu", weight_std=2**0.5, bias_std=0.3), 0.25),
    ):
        ratio = np.diag(priors.NTK(net).process({}, X).K) / np.diag(priors.NNGP(net).process({}, X).K)
        np.testing.assert_allclose(ratio, 1.0, rtol=tolerance)


def test_the_scale_of_the_ntk_multiplies_its_kernel(small_data):
    X, y = map(jnp.asarray, small_data)
    net = bnn.mlp(2, weight_std=1.4, bias_std=0.2)
    K = np.asarray(priors.NTK(net).kernel.gram(X).as_matrix())
    np.testing.assert_array_equal(priors.NTK(net, output_scale=3.0).kernel.gram(X).as_matrix(), K)
    for prior, values in (
        (priors.NTK(net, output_scale=0.5), {}),
        (priors.NTK(net, output_scale=dist.Gamma(2.0, 2.0)), {"output_scale": 0.5}),
    ):
        problem = CollapsedProblem.of(prior, X, y[:, None], bnn.Gaussian(0.3))
        expected = stats.multivariate_normal(np.zeros(30), 0.5 * K + 0.09 * np.eye(30)).logpdf(y)
        assert float(problem.log_likelihood_of(values)) == pytest.approx(expected, abs=1e-3)
        found = prior.process(prior.numbers() | values, X[:20], X[20:])
        np.testing.assert_allclose(found.K_new, 0.5 * K[20:, :20], rtol=1e-6)
        np.testing.assert_allclose(found.k_new, 0.5 * np.diag(K)[20:], rtol=1e-12)
    one, other = priors.NTK(net, output_scale=1.0), priors.NTK(net, output_scale=2)
    assert one != other
    assert one.without_numbers() == other.without_numbers()
    assert one.hyperparameters() == {}
    for bad in (0.0, -1.0, dist.Normal(0.0, 1.0)):
        with pytest.raises(ValueError, match="output_scale must be"):
            priors.NTK(net, output_scale=bad)


def conv_net(*head, padding="SAME", weight_std=None, bias_std=None):
    conv = lambda: bnn.Conv((3, 3), None, padding, weight_std, bias_std)  # noqa: E731
    return bnn.Serial(conv(), bnn.Relu(), conv(), bnn.Relu(), *head, bnn.Dense(weight_std, bias_std))


@pytest.fixture(scope="module")
def images():
    return jnp.asarray(np.random.default_rng(0).normal(size=(12, 4, 4, 2)))


def test_gradient_of_a_convolutional_evidence_agrees_with_finite_differences(images):
    y = jnp.asarray(np.random.default_rng(1).normal(size=(12, 1)))
    problem = CollapsedProblem.of(priors.NTK(conv_net(bnn.GlobalAvgPool())), images, y, NOISE)
    check_gradient(problem, problem.sample_prior(jax.random.key(3)))


@pytest.mark.slow
def test_tiles_give_the_same_matrices_and_gradients_as_one_block(diabetes, images, monkeypatch):
    X = jnp.asarray(diabetes[0][:53])
    for net, inputs in ((bnn.mlp(2), X), (conv_net(bnn.Flatten()), images), (conv_net(bnn.GlobalAvgPool()), images)):

        def total(values, inputs=inputs, net=net):
            kernels = kernel_matrices(net, values, inputs)
            cross = kernel_matrix(net, values, inputs[:9], inputs, "ntk")
            return jnp.sum(jnp.sin(kernels.nngp + kernels.ntk)) + jnp.sum(cross**2), (kernels, cross)

        evaluate = jax.jit(jax.value_and_grad(total, has_aux=True))
        (whole, matrices), gradient = evaluate({"weight_std_0": 1.3, "bias_std_1": 0.4})
        monkeypatch.setattr(tiles, "TILE_ENTRIES", 144 if inputs is X else 16 * 16)
        jax.clear_caches()
        (tiled, by_tiles), tiled_gradient = evaluate({"weight_std_0": 1.3, "bias_std_1": 0.4})
        monkeypatch.undo()
        assert float(tiled) == pytest.approx(float(whole), rel=1e-12)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-12), matrices, by_tiles)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-9), gradient, tiled_gradient)


def test_memory_of_a_dense_kernel_stays_below_four_matrices():
    X = jax.ShapeDtypeStruct((1500, 20), jnp.float64)
    compiled = jax.jit(lambda X: kernel_matrices(bnn.mlp(3), {}, X)).lower(X).compile().memory_analysis()
    assert compiled.temp_size_in_bytes + compiled.output_size_in_bytes < 4 * 1500**2 * 8


@pytest.mark.parametrize("kind", ["nngp", "ntk"])
def test_single_precision_stays_single_and_close(diabetes, kind):
    X = jnp.asarray(diabetes[0][:30])
    net = bnn.mlp(2, weight_std=1.4, bias_std=0.1)
    single, double = kernel_matrix(net, {}, X.astype(jnp.float32), kind=kind), kernel_matrix(net, {}, X, kind=kind)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, double, rtol=1e-4)


def test_convolution_over_one_position_is_a_dense_layer(images):
    x = images.reshape(len(images), -1)
    conv = bnn.Serial(bnn.Conv((1, 1), None, "VALID", 1.3, 0.2), bnn.Relu(), bnn.GlobalAvgPool(), bnn.Dense(1.1, 0.3))
    dense = bnn.Serial(bnn.Dense(1.3, 0.2), bnn.Relu(), bnn.Dense(1.1, 0.3))
    for ours, theirs in zip(kernel_matrices(conv, {}, x[:, None, None]), kernel_matrices(dense, {}, x), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-13)


def test_images_may_come_flattened_into_gpjax(images):
    net = conv_net(bnn.Flatten(), weight_std=1.2, bias_std=0.1)
    flat = InfiniteWidthKernel(net, "nngp", input_shape=(4, 4, 2))
    rows = images.reshape(12, -1)
    np.testing.assert_array_equal(flat.gram(rows).as_matrix(), priors.NNGP(net).kernel.gram(images).as_matrix())
    with pytest.raises(ValueError, match="do not hold"):
        flat.gram(rows[:, :-1])


@pytest.mark.parametrize(
    ("net", "shape", "message"),
    [
        (conv_net(), (5, 4, 4, 2), "put Flatten"),
        (conv_net(bnn.Flatten()), (5, 10), "spatial axes"),
        (bnn.mlp(), (5, 4, 4, 2), "put Flatten"),
        (conv_net(bnn.Flatten(), padding="VALID"), (5, 3, 3, 2), "too small"),
    ],
)
def test_inputs_that_do_not_fit_are_named(net, shape, message):
    for prior in (priors.NNGP(net), bnn.BayesianNetwork(net, 3)):
        with pytest.raises(ValueError, match=message):
            prior.check_inputs(shape[1:])
