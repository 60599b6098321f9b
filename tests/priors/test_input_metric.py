"""The input metric: its kernel, its gradient, its evidence against brute force, and what is read off it."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.runtime.mapping import map_each

NET = bnn.mlp(1, "relu", 1.4, 0.3)
NOISE = 0.3


def tiny():
    """10 rows of 2 inputs, of which the second matters."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(10, 2))
    return X, np.sin(2.0 * X[:, 1]) + 0.1 * rng.normal(size=10)


def problem_of(prior, X, y, likelihood=None):
    return CollapsedProblem.of(prior, jnp.asarray(X), jnp.asarray(y)[:, None], likelihood or bnn.Gaussian(NOISE))


@pytest.mark.parametrize("rank", [None, 1, 2, 5])
@pytest.mark.parametrize("net", [bnn.mlp(2, "relu"), bnn.Serial(bnn.Dense(), bnn.LayerNorm(), bnn.Erf(), bnn.Dense())])
def test_kernel_is_the_nngp_of_transformed_inputs(net, rank):
    """To 1e-12, at training and at new inputs."""
    rng = np.random.default_rng(0)
    X, X_new = (jnp.asarray(rng.normal(size=(rows, 3))) for rows in (7, 4))
    entries = jnp.asarray(rng.normal(size=3 if rank is None else (rank, 3)))
    A = jnp.diag(entries) if rank is None else entries / 3**0.5
    found = priors.InputMetric(net, rank).process({"metric": entries}, X, X_new)
    expected = priors.NNGP(net).process({}, X @ A.T, X_new @ A.T)
    for name in ("K", "K_new", "k_new"):
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-12, atol=1e-13)
    alone = priors.InputMetric(net, rank).process({"metric": entries}, X)
    np.testing.assert_allclose(alone.K, found.K, rtol=1e-12)


def test_identity_activation_is_a_linear_kernel_with_relevances():
    """``w1^2 (w0^2 x' diag(a^2) x' / d + b0^2) + b1^2``, in closed form."""
    w, b = 1.3, 0.2
    X, a = np.random.default_rng(0).normal(size=(6, 4)), np.array([0.1, -2.0, 1.0, 0.0])
    prior = priors.InputMetric(bnn.mlp(1, "identity", w, b))
    expected = w**2 * (w**2 * (X * a**2) @ X.T / 4 + b**2) + b**2
    np.testing.assert_allclose(prior.process({"metric": jnp.asarray(a)}, jnp.asarray(X)).K, expected, rtol=1e-12)


@pytest.mark.parametrize("rank", [None, 3])
def test_mean_of_the_metric_is_the_identity(rank):
    """4,000 draws: entries within 5 standard errors, a false alarm in 1 of 100,000."""
    prior = priors.InputMetric(NET, rank)
    draws = np.asarray(prior.metric_of(prior.shape_latents((3,))["metric"].sample(jax.random.key(0), (4000,))))
    error = draws.std(axis=0) / len(draws) ** 0.5
    assert np.all(np.abs(draws.mean(axis=0) - np.eye(3)) <= 5.0 * error)


@pytest.mark.parametrize("rank", [None, 2])
@pytest.mark.parametrize("net", [bnn.mlp(2, "relu"), bnn.mlp(1, "erf")])
def test_gradient_is_that_of_differences(small_data, net, rank):
    """Central differences; a row twice, and a constant column, which is 0 on the model's scale."""
    X, y = small_data
    X = np.column_stack([X, np.zeros(len(X))])
    X[3] = X[8]
    problem = problem_of(priors.InputMetric(net, rank), X, y, bnn.Gaussian())
    u = problem.sample_prior(jax.random.key(0))
    value, gradient = jax.jit(problem.log_likelihood_and_gradient)(u)
    log_likelihood = jax.jit(problem.log_likelihood)
    step = 1e-5
    differences = [(log_likelihood(u + step * e) - log_likelihood(u - step * e)) / (2.0 * step) for e in np.eye(len(u))]
    np.testing.assert_allclose(gradient, differences, rtol=1e-5, atol=1e-6 * np.abs(gradient).max())
    assert float(value) == pytest.approx(float(log_likelihood(u)), rel=1e-12)
    assert float(value) == pytest.approx(float(problem.log_likelihood(u)), rel=1e-12)
    entries = problem.unflatten(gradient)["metric"]
    np.testing.assert_array_equal(entries[..., -1], 0.0)  # of the constant column


def test_nothing_is_batched_that_may_hang(small_data):
    """Under vmap every factorisation of a trajectory's gradient is of one matrix, and the gradients are the same."""
    problem = problem_of(priors.InputMetric(NET, 2), *small_data)
    u = problem.sample_prior(jax.random.key(0), (3,))
    gradients = jax.vmap(lambda u: problem.gradients(u, jnp.asarray(0.1))[1])
    factored = re.findall(r"(\S+)\[([\d,]+)\] = (?:cholesky|triangular_solve)", str(jax.make_jaxpr(gradients)(u)))
    assert factored
    assert all(len(shape.split(",")) == 2 for _, shape in factored)
    one_by_one = [problem.gradients(each, jnp.asarray(0.1))[1] for each in u]
    np.testing.assert_allclose(gradients(u), one_by_one, rtol=1e-4, atol=1e-3)  # both in single precision


def test_trajectories_are_single_under_gaussian_noise_alone(small_data):
    """Near but rounded where noise conditions the matrix; double at little noise, on few rows, and for labels."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 3))
    y = np.sin(X[:, 0]) + 0.2 * rng.normal(size=80)
    labels = bnn.Bernoulli().of_targets(y > 0)
    columns = jnp.asarray(labels.encode(y > 0, "y"), float)
    prior = priors.InputMetric(NET, 2)
    cases = [problem_of(prior, X, y), problem_of(prior, X, y, bnn.Gaussian(1e-4))]
    cases += [CollapsedProblem.of(prior, jnp.asarray(X), columns, labels), problem_of(prior, *small_data)]
    errors = []
    for problem in cases:
        u = problem.sample_prior(jax.random.key(0))
        double = problem.log_likelihood_and_gradient(u)[1]
        rounded = jax.jit(problem.gradients)(u, jnp.asarray(0.1))[1]
        errors.append(float(jnp.linalg.norm(rounded - double) / jnp.linalg.norm(double)))
    assert 1e-7 < errors[0] < 1e-3
    assert max(errors[1:]) < 1e-7  # at little noise double loses digits too


def brute_force(X, y, rank, count):
    """log Z, its standard error, and E_post[log p(y|z)], from prior draws and the arc-cosine kernel in NumPy."""
    w, b = 1.4, 0.3
    rng = np.random.default_rng(0)
    d = X.shape[1]
    entries = rng.normal(size=(count, d) if rank is None else (count, rank, d))
    Z = X * entries[:, None, :] if rank is None else X @ np.swapaxes(entries, 1, 2) / d**0.5
    first = w**2 * Z @ np.swapaxes(Z, 1, 2) / Z.shape[2] + b**2
    norm = np.sqrt(np.diagonal(first, axis1=1, axis2=2))
    norm = norm[:, :, None] * norm[:, None, :]
    angle = np.arccos(np.clip(first / norm, -1.0, 1.0))
    dual = norm * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2.0 * np.pi)
    K = w**2 * dual + b**2 + NOISE**2 * np.eye(len(y))
    quadratic = np.einsum("i,ki->k", y, np.linalg.solve(K, np.broadcast_to(y[:, None], (count, len(y), 1)))[..., 0])
    log_likelihood = -0.5 * (quadratic + np.linalg.slogdet(K)[1] + len(y) * np.log(2.0 * np.pi))
    log_weights = log_likelihood - logsumexp(log_likelihood)
    log_evidence = float(logsumexp(log_likelihood) - np.log(count))
    error = float(np.std(np.exp(log_likelihood - log_evidence)) / count**0.5)
    return log_evidence, error, float(np.exp(log_weights) @ log_likelihood)


@pytest.mark.slow
@pytest.mark.statistical
@pytest.mark.parametrize("rank", [None, 2])
def test_evidence_is_that_of_brute_force(rank):
    """2 x 10^5 prior draws; within 4 combined errors, a false alarm in 1 of 15,000 by a normal error. Keys fixed."""
    X, y = tiny()
    log_evidence, error, mean = brute_force(X, y, rank, 200_000)
    settings = inference.SMC(particles=256)
    fitted = bnn.fit(priors.InputMetric(NET, rank), X, y, bnn.Gaussian(NOISE), settings, standardize=False, key=1)
    found = fitted.log_evidence
    assert error < 0.03
    assert abs(found.value - log_evidence) < 4.0 * np.hypot(found.mcse, error)
    information = fitted.feature_information
    assert abs(information.value - (mean - log_evidence)) < 4.0 * np.hypot(information.mcse, 3.0 * error)
    assert information.value > 0.3


def test_many_directions_are_the_nngp():
    """``A'A`` tends to the identity: log Z of 32 prior draws against the exact one, in error like 1/r. Key fixed."""
    X, y = tiny()
    exact = float(problem_of(priors.NNGP(NET), X, y).log_likelihood(jnp.zeros(0)))

    def gap(rank):
        problem = problem_of(priors.InputMetric(NET, rank), X, y)
        u = problem.sample_prior(jax.random.key(1), (32,))
        values = np.asarray(jax.jit(lambda problem, u: map_each(problem.log_likelihood, u))(problem, u))
        return abs(logsumexp(values) - np.log(32) - exact)

    assert gap(20_000) < 0.02 < gap(20)


@pytest.fixture(scope="module")
def recovered():
    """Fits to a function of the third of six named inputs, ARD and rank 2."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(40, 6)), columns=[f"input {letter}" for letter in "abcdef"])
    y = np.abs(X["input c"]) + 0.1 * rng.normal(size=40)
    settings = inference.SMC(particles=64, islands=2)
    return [bnn.fit(priors.InputMetric(NET, rank), X, y, bnn.Gaussian(0.1), settings) for rank in (None, 2)]


@pytest.mark.slow
@pytest.mark.parametrize("which", [0, 1])
def test_the_input_that_matters_is_found(recovered, which):
    metric = recovered[which].metric
    relevance = metric.relevance
    assert relevance["mean"].idxmax() == "input c"
    assert relevance["lower"]["input c"] > 0.5 > relevance["upper"].drop("input c").max()
    assert relevance["mean"].sum() == pytest.approx(1.0)
    assert np.all(relevance["lower"] <= relevance["upper"])
    assert metric.directions.index.tolist() == metric.matrix.columns.tolist() == relevance.index.tolist()
    count = (6, 2)[which]
    assert metric.directions.shape == metric.directions_lower.shape == metric.directions_upper.shape == (6, count)
    assert len(metric.singular_values) == count
    assert metric.directions[1].idxmax() == "input c"
    np.testing.assert_allclose(metric.directions.T @ metric.directions, np.eye(count), atol=1e-12)
    entries = recovered[which].values["metric"]
    prior = recovered[which].prior
    mean = np.asarray(prior.metric_of(jnp.asarray(entries))).mean(axis=(0, 1))
    np.testing.assert_allclose(metric.matrix, mean, atol=1e-12)
    assert np.trace(mean) == pytest.approx(float((_singular_values(entries, prior.rank) ** 2).sum(axis=-1).mean()))
    assert "input c" in str(metric)


def _singular_values(entries, rank):
    return np.abs(entries) if rank is None else np.linalg.svd(entries, compute_uv=False) / rank**0.5


@pytest.mark.slow
def test_the_metric_is_drawn_over_named_columns(recovered):
    for fitted, panels in zip(recovered, (1, 3), strict=True):  # with the bar of colours
        figure = fitted.metric.plot()
        assert len(figure.axes) == panels
        assert figure.axes[0].get_yticklabels()[0].get_text() == "input c"


@pytest.mark.slow
def test_predictions_use_the_metric(recovered):
    """Along an input that does not matter the mean hardly moves, along the one that does it follows the target."""
    X = np.zeros((2, 6))
    X[:, 2], X[1, 0] = -1.2, 1.5
    frame = pd.DataFrame(X, columns=[f"input {letter}" for letter in "abcdef"])
    for fitted in recovered:
        mean = fitted.predict(frame).mean.ravel()
        np.testing.assert_allclose(mean, 1.2, atol=0.25)


@pytest.mark.slow
def test_draws_have_names_in_a_datatree(recovered):
    ard, low_rank = (fitted.to_datatree()["posterior"]["metric"] for fitted in recovered)
    assert ard.dims == ("chain", "draw", "column")
    assert low_rank.dims == ("chain", "draw", "metric_row", "column")
    assert ard.coords["column"].values[2] == "input c"


def test_it_counts_as_free_of_features():
    X, y = tiny()
    problem = problem_of(priors.InputMetric(NET), X, y)
    assert problem.has_many_latents
    assert problem.has_shape_latents
    assert not problem.has_hidden_weights
    assert not priors.InputMetric.learns_features
    assert problem.blocks == (0, 2)


def test_equal_metrics_are_equal():
    assert priors.InputMetric(NET, 2) == priors.InputMetric(NET, 2) != priors.InputMetric(NET, 3)
    assert priors.InputMetric(NET).name == "InputMetric(relu, depth=1, ARD)"


@pytest.mark.parametrize("rank", [0, -1, 1.5, True, "2"])
def test_ranks_that_are_none_are_refused(rank):
    with pytest.raises(ValueError, match="positive integer"):
        priors.InputMetric(NET, rank)


def test_images_and_other_posteriors_are_refused():
    with pytest.raises(ValueError, match="flatten"):
        bnn.fit(priors.InputMetric(NET), np.ones((4, 3, 3, 1)), np.arange(4.0))
    fitted = bnn.fit(priors.NNGP(NET), *tiny(), bnn.Gaussian(NOISE))
    with pytest.raises(ValueError, match="no input metric"):
        _ = fitted.metric


def test_standard_normal_entries_do_not_depend_on_the_scale_of_the_prior():
    """The latents are what the moves take for white: independent, of variance 1."""
    prior = priors.InputMetric(NET, 2).shape_latents((3,))["metric"]
    value = np.random.default_rng(0).normal(size=(2, 3))
    assert float(prior.log_prob(jnp.asarray(value))) == pytest.approx(float(stats.norm.logpdf(value).sum()))
