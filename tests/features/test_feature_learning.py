"""After kernel, alignment and neuron use against direct formulas, limits, and the theory of kernel learning."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import erf

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.features.after_kernel import kernels_of
from bayes_nn.inference.features.alignment import with_prior_weights
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.monte_carlo_errors import average_over_draws

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
SHORT = inference.InfiniteHMC(chains=2, warmup=100, draws=40)
pytestmark = pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")


@pytest.fixture(scope="module")
def narrow(small_data):
    X, y = small_data
    chains = inference.InfiniteHMC(chains=2, warmup=100, draws=160)
    return bnn.fit(bnn.BayesianNetwork(NET, 6), X[:20], y[:20], sampler=chains)


@pytest.fixture(scope="module")
def frozen(small_data):
    X, y = small_data
    return bnn.fit(priors.FrozenFeatures(NET, 6), X[:20], y[:20], bnn.Gaussian(0.3))


def explicit_alignment(K1, K2):
    H = np.eye(len(K1)) - 1.0 / len(K1)
    K1, K2 = H @ K1 @ H, H @ K2 @ H
    return np.trace(K1 @ K2) / np.sqrt(np.trace(K1 @ K1) * np.trace(K2 @ K2))


def features(posterior, chain, draw):
    """ReLU features of one draw in NumPy, from the equations of the network."""
    v = {name: value[chain, draw] for name, value in posterior.values.items()}
    X = np.asarray(posterior.problem.X)
    hidden = np.maximum(1.4 / X.shape[1] ** 0.5 * X @ v["hidden_weight_0"] + 0.2 * v["hidden_bias_0"], 0.0)
    return np.hstack([1.4 / hidden.shape[1] ** 0.5 * hidden, np.full((len(X), 1), 0.2)])


def test_alignment_is_the_formula_and_has_its_invariances():
    rng = np.random.default_rng(0)
    A, B = rng.normal(size=(7, 3)), rng.normal(size=(7, 7))
    K1, K2 = A @ A.T, B @ B.T
    value = float(inference.alignment(K1, K2))
    assert value == pytest.approx(explicit_alignment(K1, K2), abs=1e-12)
    assert 0.0 <= value < 1.0
    assert float(inference.alignment(K2, 3.0 * K1 + 2.0)) == pytest.approx(value, abs=1e-12)
    turned = A @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    assert float(inference.alignment(turned @ turned.T, K2)) == pytest.approx(value, abs=1e-12)
    assert float(inference.alignment(K1, K1)) == pytest.approx(1.0, abs=1e-12)
    with pytest.raises(ValueError, match="cannot be aligned"):
        inference.alignment(K1, np.eye(6))


def test_kernel_alignment_is_the_average_of_the_formula(narrow):
    Y = np.asarray(narrow.problem.Y)
    nngp = np.asarray(priors.NNGP(NET).kernel.gram(narrow.problem.X).as_matrix())
    found = inference.kernel_alignment(narrow)
    by_hand = np.empty((2, *narrow.shape))
    for chain, draw in np.ndindex(narrow.shape):
        Phi = features(narrow, chain, draw)
        by_hand[:, chain, draw] = [explicit_alignment(Phi @ Phi.T, K) for K in (Y @ Y.T, nngp)]
    assert found.after.value == pytest.approx(by_hand[0].mean(), abs=1e-10)
    assert found.after.std == pytest.approx(by_hand[0].std(ddof=1), abs=1e-10)
    assert found.prior_to_posterior.value == pytest.approx(by_hand[1].mean(), abs=1e-10)
    assert found.infinite_width.value == pytest.approx(explicit_alignment(nngp, Y @ Y.T), abs=1e-6)
    assert found.change.value == pytest.approx(found.after.value - found.before.value)
    assert found.change.value > 4 * found.change.mcse


@pytest.mark.statistical
def test_frozen_features_neither_turn_nor_are_used(frozen, small_data):
    """Before and after have one distribution, and a redrawn neuron is worth as much: 4 errors each, 1 in 16,000."""
    X, y = small_data
    found = inference.kernel_alignment(frozen)
    assert abs(found.change.value) < 4 * found.change.mcse
    moved = found.prior_to_posterior.value - found.prior_to_prior.value
    assert abs(moved) < 4 * np.hypot(found.prior_to_posterior.mcse, found.prior_to_prior.mcse)
    use = inference.neuron_use(frozen, X[20:], y[20:], draws=64, redraws=2)
    assert abs(use.per_neuron.value) < 4 * use.per_neuron.mcse


def test_mean_kernel_and_noise_of_few_draws_by_hand(narrow, small_data):
    """K, the noise, the evidence and the test score from their definitions in NumPy."""
    X, y = small_data
    after = inference.after_kernel(narrow, X[20:], y[20:])
    Phis = [features(narrow, *index) for index in np.ndindex(narrow.shape)]
    K = np.mean([Phi @ Phi.T for Phi in Phis], axis=0)
    v, Y = float(np.mean(narrow.values["noise_std"] ** 2)), np.asarray(narrow.problem.Y)[:, 0]
    np.testing.assert_allclose(after.K, K, atol=1e-10)
    assert after.noise_variance == pytest.approx(v)
    A = K + v * np.eye(len(K))
    direct = -0.5 * (Y @ np.linalg.solve(A, Y) + np.linalg.slogdet(A)[1] + len(Y) * np.log(2 * np.pi))
    assert after.log_evidence.value == pytest.approx(direct, abs=1e-6)
    assert after.predict(X[20:]).log_prob(y[20:]) == pytest.approx(after.lpd_test)
    fitted = K @ np.linalg.solve(A, Y)
    np.testing.assert_allclose(
        after.predict(X[:20]).mean, narrow.dataset.scale.original(fitted[:, None])[:, 0], atol=1e-6
    )
    assert after.rmse == pytest.approx(np.sqrt(np.mean((after.predict(X[20:]).mean - y[20:]) ** 2)))
    before = priors.NNGP(NET).kernel.gram(narrow.problem.X).as_matrix()
    np.testing.assert_allclose(after.before.K, before, atol=1e-6)
    assert after.log_evidence.mcse > 0.0
    assert "after kernel" in str(after)


@pytest.mark.statistical
def test_error_of_the_mean_kernels_evidence_is_honest(narrow):
    """The delta method against the spread over halves of the chains: within a factor of 3."""
    parts = [
        inference.after_kernel(
            replace(narrow, values={k: v[c : c + 1] for k, v in narrow.values.items()},
                    log_likelihood=narrow.log_likelihood[c : c + 1])
        ).log_evidence
        for c in range(2)
    ]  # fmt: skip
    gap, stated = abs(parts[0].value - parts[1].value), np.hypot(parts[0].mcse, parts[1].mcse)
    assert gap < 4 * stated
    assert inference.after_kernel(narrow).log_evidence.mcse < stated


@pytest.mark.slow
def test_very_wide_network_keeps_its_infinite_width_kernel(small_data):
    """Width 1,000: K_after is the NNGP kernel up to 1/sqrt(n x draws) and 1/n, and so is its evidence."""
    settings = inference.InfiniteHMC(chains=2, warmup=20, draws=20)
    posterior = bnn.fit(bnn.BayesianNetwork(NET, 1000), *small_data, bnn.Gaussian(0.3), settings)
    after = inference.after_kernel(posterior)
    exact = bnn.fit(priors.NNGP(NET), *small_data, bnn.Gaussian(0.3)).log_evidence.value
    assert after.before.log_evidence.value == pytest.approx(exact, abs=1e-6)
    assert np.linalg.norm(after.K - after.before.K) < 0.03 * np.linalg.norm(after.K)
    assert after.log_evidence.value == pytest.approx(exact, abs=0.5)
    assert after.log_evidence.value != exact
    assert inference.kernel_alignment(posterior).prior_to_posterior.value > 0.99


@pytest.mark.statistical
def test_kernel_learning_at_leading_order():
    """THEORY T6: E_post[K_z] - K = Cov( phi phi', (a'phi)^2 - phi'A^-1 phi )/(2n) for one erf neuron phi, n = 100.

    The right side from 10^6 neurons in NumPy. 5 % for the next order in 1/n (4 % by importance sampling over 50,000
    prior draws in NumPy), and 4 standard errors: a false alarm once in 16,000.
    """
    rng, n, noise, w = np.random.default_rng(3), 100, 0.5, 1.5
    X = rng.normal(size=(8, 3))
    y = 2.0 * (1.2 * np.sin(X[:, 0]) + 0.8 * X[:, 1] + 0.2 * rng.normal(size=8))
    phi = w * erf(w / 3**0.5 * rng.normal(size=(1_000_000, 3)) @ X.T)
    K = phi.T @ phi / len(phi)
    A_inverse = np.linalg.inv(K + noise**2 * np.eye(8))
    g = (phi @ A_inverse @ y) ** 2 - np.einsum("mi,mi->m", phi @ A_inverse, phi)
    predicted = ((phi * (g - g.mean())[:, None]).T @ phi) / len(phi) / (2 * n)

    net = bnn.mlp(1, "erf", weight_std=w, bias_std=0.0)
    settings = inference.InfiniteHMC(warmup=200, draws=1500)
    posterior = bnn.fit(bnn.BayesianNetwork(net, n), X, y, bnn.Gaussian(noise), settings, standardize=False)
    after = inference.after_kernel(posterior)
    np.testing.assert_allclose(after.before.K, K, atol=5e-3)
    slope = np.vdot(after.K - after.before.K, predicted) / np.vdot(predicted, predicted)
    hidden = w * erf(w / 3**0.5 * np.einsum("id,mkdn->mkin", X, posterior.values["hidden_weight_0"]))
    of_draw = (
        np.einsum("mkin,mkjn,ij->mk", hidden, hidden, predicted, optimize=True) / n / np.vdot(predicted, predicted)
    )
    error = average_over_draws(of_draw, posterior.sampler).mcse
    assert error < 0.08
    assert abs(slope - 1.0) < 0.05 + 4 * error


@pytest.mark.statistical
@pytest.mark.parametrize("widths", [(8,), (6, 10)])
def test_kernel_fluctuations_of_linear_networks(widths):
    """THEORY T7: Var(G_ii)/E[G_ii]^2 = prod(1 + 2/n_l) - 1 over 40,000 prior draws of the hidden weights, 10 %."""
    net = bnn.mlp(len(widths), "identity", weight_std=1.0, bias_std=0.0)
    X = jnp.asarray(np.random.default_rng(0).normal(size=(3, 4)))
    problem = CollapsedProblem.of(bnn.BayesianNetwork(net, widths), X, X[:, :1], bnn.Gaussian(1.0))
    keys = jax.random.split(jax.random.key(1), 40_000)
    diagonal = jax.lax.map(lambda key: jnp.diag(kernels_of(problem, with_prior_weights(problem, {}, key)).K), keys)
    ratio = np.asarray(diagonal.var(axis=0) / diagonal.mean(axis=0) ** 2)
    np.testing.assert_allclose(ratio, np.prod(1.0 + 2.0 / np.array(widths)) - 1.0, rtol=0.1)


@pytest.mark.slow
def test_a_neuron_that_nothing_reads_has_no_use(small_data):
    """Depth 2 with the outgoing weights of one first-layer neuron at 0."""
    X, y = small_data
    net = bnn.mlp(depth=2, weight_std=1.4, bias_std=0.2)
    posterior = bnn.fit(bnn.BayesianNetwork(net, 5), X[:20], y[:20], bnn.Gaussian(0.3), SHORT)
    weights = posterior.values["hidden_weight_1"].copy()
    weights[:, :, 3] = 0.0
    posterior = replace(posterior, values=posterior.values | {"hidden_weight_1": weights})
    found = inference.neuron_use(posterior, X[20:], y[20:], layer=0, draws=10)
    use = found.use
    assert use.shape == (10, 5)
    assert (np.diff(use, axis=1) <= 0).all()
    assert (np.sum(np.abs(use) < 1e-10, axis=1) == 1).all()
    assert (found.neurons[np.abs(use) < 1e-10] == 3).all()
    assert (np.sort(found.neurons, axis=1) == np.arange(5)).all()
    upper = inference.neuron_use(posterior, X[20:], y[20:], layer=1, draws=10).use
    assert (np.abs(upper) > 1e-10).all()


@pytest.mark.slow
@pytest.mark.statistical
def test_use_of_the_only_neuron_by_brute_force(small_data):
    """Width 1, no biases: redrawing the one neuron leaves a prior draw, whose lpd is averaged in NumPy.

    4 standard errors of both averages, for each of 4 draws: a false alarm once in 4,000.
    """
    X, y = small_data
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.0)
    posterior = bnn.fit(
        bnn.BayesianNetwork(net, 1), X[:20], y[:20], bnn.Gaussian(0.5), SHORT, standardize=False
    )  # fmt: skip

    def lpd(W):
        """log p(y* | x*, w, D) of a single feature, by the scalar formulas of Bayesian linear regression."""
        Phi, new = (1.4 * np.maximum(1.4 / 3**0.5 * x @ W, 0.0) for x in (X[:20], X[20:]))
        precision = 1.0 + np.sum(Phi**2, axis=0) / 0.25
        mean = new * (y[:20] @ Phi / 0.25 / precision)
        variance = new**2 / precision + 0.25
        return np.mean(-0.5 * ((y[20:, None] - mean) ** 2 / variance + np.log(2 * np.pi * variance)), axis=0)

    found = inference.neuron_use(posterior, X[20:], y[20:], draws=4, redraws=20_000)
    use = found.use[:, 0]
    ends = [posterior.values["hidden_weight_0"][tuple(place)] for place in found.places]
    redrawn = lpd(np.random.default_rng(0).normal(size=(3, 20_000)))
    direct = [float(lpd(W)[0]) - redrawn.mean() for W in ends]
    np.testing.assert_allclose(use, direct, atol=4 * 2**0.5 * redrawn.std() / 20_000**0.5)


@pytest.mark.slow
def test_a_single_index_is_learnt_by_few_neurons():
    """One ReLU ridge in 6 dimensions: hardly more than one of 12 neurons is used, and the kernel turns towards y."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 6))
    y = np.maximum(2.0 * X @ (rng.normal(size=6) / 6**0.5) - 0.3, 0.0) + 0.1 * rng.normal(size=100)
    settings = inference.InfiniteHMC(chains=2, warmup=150, draws=40)
    posterior = bnn.fit(bnn.BayesianNetwork(NET, 12), X[:60], y[:60], bnn.Gaussian(0.1), settings)
    use = inference.neuron_use(posterior, X[60:], y[60:], draws=16)
    assert use.effective_neurons.value < 3.0
    assert use.profile[0] > 10 * abs(use.profile[2])
    aligned = inference.kernel_alignment(posterior)
    assert aligned.change.value > 0.1
    assert aligned.prior_to_posterior.value < aligned.prior_to_prior.value
    figure = inference.plot_features(posterior, X[60:], y[60:])
    assert [ax.get_title().split("\n")[0] for ax in figure.axes[:4]] == [
        "kernel before", "kernel after", "centred kernel alignment", "use of single neurons",
    ]  # fmt: skip


def test_bad_requests_are_refused(narrow, small_data):
    X, y = small_data
    kernel = bnn.fit(priors.NNGP(NET), X, y, bnn.Gaussian(0.3))
    for function in (inference.after_kernel, inference.kernel_alignment, inference.plot_features):
        with pytest.raises(ValueError, match="no hidden weights"):
            function(kernel)
    for arguments, message in [
        ({"layer": 1}, "layer must be one of 0"),
        ({"layer": False}, "layer must be one of 0"),
        ({"draws": 0}, "at least 1 draw"),
        ({"redraws": 0}, "at least 1 draw"),
        ({"y_test": y}, "y_test has shape"),
    ]:
        asked = {"X_test": X[20:], "y_test": y[20:]} | arguments
        with pytest.raises(ValueError, match=message):
            inference.neuron_use(narrow, **asked)
    with pytest.raises(ValueError, match="or neither"):
        inference.after_kernel(narrow, X[20:])
    with pytest.raises(ValueError, match="y_test has shape"):
        inference.after_kernel(narrow, X[20:], y)


def test_integers_of_numpy_are_layers_seeds_and_numbers(narrow, small_data):
    X, y = small_data
    plain = inference.neuron_use(narrow, X[20:], y[20:], layer=0, draws=2, redraws=2, key=3).use
    of_numpy = {"layer": np.int64(0), "draws": np.int64(2), "redraws": np.int32(2), "key": np.int64(3)}
    np.testing.assert_array_equal(inference.neuron_use(narrow, X[20:], y[20:], **of_numpy).use, plain)
