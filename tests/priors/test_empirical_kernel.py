"""The empirical NTK as a prior: its kernel, its Gaussian process, and its place in a comparison."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro import distributions as dist
from scipy import stats

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.architecture.network import apply, init
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess


def fixed(depth=1):
    return bnn.mlp(depth=depth, activation="tanh", weight_std=1.4, bias_std=0.3)


def ensemble(net, members, width=6, outputs=1, seed=0):
    keys = jax.random.split(jax.random.key(seed), members)
    return jax.vmap(lambda key: init(net, key, (3,), width, outputs))(keys)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    X = jnp.asarray(rng.normal(size=(12, 3)))
    return X, np.sin(2.0 * X[:, 0]), jnp.asarray(rng.normal(size=(5, 3)))


@pytest.mark.slow
@pytest.mark.parametrize("outputs", [1, 2])
def test_kernel_is_the_gram_matrix_of_the_gradients_averaged_over_networks_and_outputs(data, outputs):
    net = fixed(2)
    parameters = ensemble(net, 3, outputs=outputs)
    X, _, X_new = data

    def gradients(member, x, output):
        jacobian = jax.jacobian(lambda p: apply(net, p, x)[:, output])(member)
        return jnp.concatenate([value.reshape(len(x), -1) for value in jax.tree.leaves(jacobian)], axis=1)

    expected, crossed = [], []
    for number in range(3):
        member = jax.tree.map(lambda value, number=number: value[number], parameters)
        for output in range(outputs):
            rows, new = gradients(member, X, output), gradients(member, X_new, output)
            expected.append(rows @ rows.T)
            crossed.append((new @ rows.T, jnp.sum(new**2, axis=1)))
    process = priors.EmpiricalNTK(net, parameters, output_std=1.5).process({}, X, X_new)
    assert isinstance(process, KernelProcess)
    np.testing.assert_allclose(process.K, 1.5**2 * np.mean(expected, axis=0))
    np.testing.assert_allclose(process.K_new, 1.5**2 * np.mean([cross for cross, _ in crossed], axis=0))
    np.testing.assert_allclose(process.k_new, 1.5**2 * np.mean([own for _, own in crossed], axis=0))


def test_wide_networks_give_the_infinite_width_kernel(data):
    """64 networks of width 1024: entries within 2 % of the largest; at width 16, 8 networks miss that."""
    X, *_ = data
    net = fixed()
    limit = np.asarray(priors.NTK(net, output_scale=1.0).process({}, X).K)
    wide, narrow = (
        priors.EmpiricalNTK(net, ensemble(net, members, width)).process({"output_std": 1.0}, X).K
        for members, width in ((64, 1024), (8, 16))
    )
    np.testing.assert_allclose(wide, limit, atol=0.02 * limit.max())
    assert np.abs(narrow - limit).max() > 0.02 * limit.max()


def test_exact_posterior_of_one_network(data):
    """Evidence and predictions by scipy's multivariate normal and a dense solve."""
    X, y, X_new = data
    net, noise = fixed(), 0.2
    parameters = init(net, jax.random.key(0), (3,), 6)
    prior = priors.EmpiricalNTK(net, parameters, peeks=False, output_std=1.0)
    posterior = bnn.fit(prior, X, y, bnn.Gaussian(noise), standardize=False)
    K = np.asarray(priors.empirical_ntk(net, parameters, X)[..., 0, 0]) + noise**2 * np.eye(12)
    cross = np.asarray(priors.empirical_ntk(net, parameters, X_new, X)[..., 0, 0])
    assert posterior.sampler == "exact"
    assert posterior.log_evidence.value == pytest.approx(stats.multivariate_normal(cov=K).logpdf(y), abs=1e-5)
    np.testing.assert_allclose(posterior.predict(X_new).mean, cross @ np.linalg.solve(K, y), atol=1e-6)


def test_output_std_is_inferred_unless_given():
    net = fixed()
    assert list(priors.EmpiricalNTK(net, ensemble(net, 2)).hyperparameters()) == ["output_std"]
    assert priors.EmpiricalNTK(net, ensemble(net, 2), output_std=0.7).hyperparameters() == {}
    given = dist.Gamma(2.0, 2.0)
    assert priors.EmpiricalNTK(net, ensemble(net, 2), output_std=given).hyperparameters() == {"output_std": given}


def test_says_whether_it_has_seen_the_targets():
    net = fixed()
    after, before = priors.EmpiricalNTK(net, ensemble(net, 2)), priors.EmpiricalNTK(net, ensemble(net, 2), peeks=False)
    assert after.peeks
    assert "after training" in after.name
    assert not before.peeks
    assert "before training" in before.name


def test_equals_itself_alone():
    net = fixed()
    parameters = ensemble(net, 2)
    first, second = (priors.EmpiricalNTK(net, parameters) for _ in range(2))
    assert first == first
    assert first != second
    assert len({first, second, first}) == 2


def test_priors_of_equal_shape_do_not_share_compiled_code(data):
    X, y, X_new = data
    net = fixed()
    means = []
    for seed in (0, 1):
        prior = priors.EmpiricalNTK(net, ensemble(net, 2, seed=seed), output_std=1.0)
        posterior = bnn.fit(prior, X, y, bnn.Gaussian(0.2), standardize=False)
        means.append(posterior.predict(X_new).mean)
    assert np.abs(means[0] - means[1]).max() > 1e-3


@pytest.mark.slow
def test_before_and_after_training_are_rows_of_a_comparison(small_data):
    """On the inputs that the ensemble saw, with the evidence that scipy gives each averaged kernel."""
    X, y = small_data
    net = fixed()
    trained = bnn.train(net, X, y, 16, members=2, steps=100, stop="steps", noise_std=0.2, learning_rate=0.02)
    both = {"before": (trained.initial, False), "after": (trained.parameters, True)}
    candidates = {k: priors.EmpiricalNTK(net, one, peeks=p, output_std=1.0) for k, (one, p) in both.items()}
    rows = [*candidates.values(), priors.NNGP(net)]
    table = bnn.compare(rows, X, y, X[:5], y[:5], likelihood=bnn.Gaussian(0.3)).table
    inputs, targets = ((values - values.mean(axis=0)) / values.std(axis=0) for values in (X, y))
    for name, (parameters, _) in both.items():
        members = [jax.tree.map(lambda value, m=m: value[m], parameters) for m in range(2)]
        K = np.mean([priors.empirical_ntk(net, one, inputs)[..., 0, 0] for one in members], axis=0)
        expected = stats.multivariate_normal(cov=K + 0.3**2 * np.eye(30)).logpdf(targets)
        assert table.log_evidence[candidates[name].name] == pytest.approx(expected, abs=1e-5)
    assert len(table) == 3
    assert (table.feature_information == 0.0).all()


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "lack hidden_weight_0, readout"),
        ({"hidden_weight_0": jnp.zeros((2, 3, 6)), "readout": jnp.zeros((3, 7, 1))}, "same leading axis"),
    ],
)
def test_parameters_of_another_network_are_refused(parameters, message):
    with pytest.raises(ValueError, match=message):
        priors.EmpiricalNTK(fixed(), parameters)


def test_inputs_of_another_shape_are_refused():
    prior = priors.EmpiricalNTK(fixed(), ensemble(fixed(), 2))
    with pytest.raises(ValueError, match="the networks have"):
        bnn.fit(prior, np.random.default_rng(0).normal(size=(9, 4)), np.arange(9.0))
