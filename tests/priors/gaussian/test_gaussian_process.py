"""Exact Gaussian inference against NumPyro, finite differences, GPJax and itself."""

import gpjax as gpx
import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from jax.test_util import check_grads

from bayes_nn.priors.gaussian.gaussian_process import FeatureProcess, KernelProcess
from bayes_nn.priors.gaussian.log_marginal import JITTER

SHAPES = [(30, 5, 1), (30, 5, 3), (12, 40, 1), (12, 40, 2), (20, 20, 1)]


def draw(N, m, C, seed=0):
    rng = np.random.default_rng(seed)
    return jnp.asarray(rng.normal(size=(N, m))) / m**0.5, jnp.asarray(rng.normal(size=(N, C))), jnp.asarray(0.3)


@pytest.mark.parametrize("shape", SHAPES)
def test_collapsed_likelihood_is_numpyros_low_rank_normal(shape):
    Phi, Y, v = draw(*shape)
    oracle = dist.LowRankMultivariateNormal(jnp.zeros(len(Phi)), Phi, jnp.full(len(Phi), v + JITTER))
    expected = sum(oracle.log_prob(Y[:, c]) for c in range(Y.shape[1]))
    assert float(FeatureProcess(Phi).log_marginal(Y, v)) == pytest.approx(float(expected), abs=1e-8)
    assert float(KernelProcess(Phi @ Phi.T).log_marginal(Y, v)) == pytest.approx(float(expected), abs=1e-8)


@pytest.mark.parametrize("shape", SHAPES)
def test_analytic_gradients_agree_with_finite_differences_and_autodiff(shape):
    Phi, Y, v = draw(*shape)
    check_grads(lambda Phi, v: FeatureProcess(Phi).log_marginal(Y, v), (Phi, v), 1, modes=["rev"], rtol=1e-6)

    def plain(Phi, v):
        normal = dist.LowRankMultivariateNormal(jnp.zeros(len(Phi)), Phi, jnp.full(len(Phi), v + JITTER))
        return sum(normal.log_prob(Y[:, c]) for c in range(Y.shape[1]))

    ours = jax.grad(lambda Phi, v: FeatureProcess(Phi).log_marginal(Y, v), argnums=(0, 1))(Phi, v)
    for a, b in zip(ours, jax.grad(plain, argnums=(0, 1))(Phi, v), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)
    through_kernel = jax.grad(lambda Phi: KernelProcess(Phi @ Phi.T).log_marginal(Y, v))(Phi)
    np.testing.assert_allclose(through_kernel, ours[0], rtol=1e-8, atol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("v", [0.3, 1e-4])
@pytest.mark.parametrize("shape", [(230, 201, 2), (400, 97, 1), (205, 230, 1), (1, 1, 1)])
def test_gradients_in_blocks_agree_with_autodiff(shape, v):
    """Of matrices above the size that LAPACK inverts at once; the agreement asked for leaves room for the condition."""
    Phi, Y, _ = draw(*shape)

    def plain(Phi, v):
        A = Phi @ Phi.T + (v + JITTER) * jnp.eye(len(Phi))
        return sum(dist.MultivariateNormal(jnp.zeros(len(Phi)), A).log_prob(Y[:, c]) for c in range(Y.shape[1]))

    value, expected = jax.value_and_grad(plain, argnums=(0, 1))(Phi, jnp.asarray(v))
    through_features = jax.value_and_grad(lambda Phi, v: FeatureProcess(Phi).log_marginal(Y, v), argnums=(0, 1))
    through_kernel = jax.value_and_grad(lambda Phi, v: KernelProcess(Phi @ Phi.T).log_marginal(Y, v), argnums=(0, 1))
    for ours in (through_features, through_kernel):
        found, gradients = ours(Phi, jnp.asarray(v))
        assert float(found) == pytest.approx(float(value), rel=1e-10)
        for a, b in zip(gradients, expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-8 * float(jnp.max(jnp.abs(b))))


def test_vmap_gives_the_same_numbers_and_no_batched_factorisation():
    _, Y, v = draw(*SHAPES[0])
    batch = jnp.asarray(np.random.default_rng(1).normal(size=(6, 30, 5)))
    function = jax.value_and_grad(lambda Phi: FeatureProcess(Phi).log_marginal(Y, v))
    values, gradients = jax.vmap(function)(batch)
    for i in range(6):
        value, gradient = function(batch[i])
        assert float(values[i]) == pytest.approx(float(value), abs=1e-10)
        np.testing.assert_allclose(gradients[i], gradient, atol=1e-10)
    text = jax.jit(jax.vmap(function)).lower(batch).as_text()
    assert "lapack_dpotrf" in text
    factorisations = [line for line in text.splitlines() if "lapack_dpotrf" in line or "blas_dtrsm" in line]
    assert not any("tensor<6x" in line for line in factorisations)


@pytest.mark.parametrize("shape", SHAPES)
def test_predictions_agree_between_sides_and_with_gpjax(shape):
    Phi, Y, v = draw(*shape)
    Phi_new = draw(9, shape[1], 1, seed=2)[0]
    by_features = FeatureProcess(Phi, Phi_new).predict(Y, v)
    kernels = KernelProcess(Phi @ Phi.T, Phi_new @ Phi.T, jnp.sum(Phi_new**2, axis=1))
    for a, b in zip(by_features, kernels.predict(Y, v), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-9)
    m = shape[1]
    prior = gpx.gps.Prior(mean_function=gpx.mean_functions.Zero(), kernel=gpx.kernels.Linear(variance=1.0))
    model = prior * gpx.likelihoods.Gaussian(obs_stddev=jnp.sqrt(v))
    at_new = model.condition(gpx.Dataset(Phi, Y[:, :1]))(Phi_new)
    assert m == Phi_new.shape[1]
    np.testing.assert_allclose(by_features[0][:, 0], at_new.mean.squeeze(), atol=1e-4)


@pytest.mark.statistical
@pytest.mark.parametrize("shape", [(8, 3, 1), (6, 10, 2)])
def test_draws_have_the_posterior_mean_and_covariance(shape):
    """20,000 draws; 5 standard errors on at most 44 numbers: a false alarm once in 40,000 runs."""
    Phi, Y, v = draw(*shape)
    exact_mean = FeatureProcess(Phi, Phi).predict(Y, v)[0]
    A = Phi @ Phi.T + (v + JITTER) * jnp.eye(len(Phi))
    exact_variance = jnp.diagonal(Phi @ Phi.T - Phi @ Phi.T @ jnp.linalg.solve(A, Phi @ Phi.T))
    keys = jax.random.split(jax.random.key(0), 20_000)
    for process in (FeatureProcess(Phi), KernelProcess(Phi @ Phi.T)):
        f = np.asarray(jax.jit(lambda keys, p=process: jax.lax.map(lambda k: p.draw(k, Y, v)["f"], keys))(keys))
        error = f.std(axis=0) / len(f) ** 0.5
        assert (np.abs(f.mean(axis=0) - exact_mean) < 5 * error + 1e-12).all()
        assert (np.abs(f.var(axis=0) / exact_variance[:, None] - 1) < 5 * (2 / len(f)) ** 0.5 + 1e-6).all()


def test_one_step_predictions_add_up_to_the_evidence():
    """THEORY T8: sum_i log p(y_i | y_<i) = log p(y), to 1e-10."""
    for shape in SHAPES:
        Phi, Y, v = draw(*shape)
        terms = FeatureProcess(Phi).prequential(Y, v)
        assert terms.shape == (shape[0],)
        assert float(terms.sum()) == pytest.approx(float(FeatureProcess(Phi).log_marginal(Y, v)), abs=1e-10)
        first = dist.Normal(0.0, jnp.sqrt(Phi[0] @ Phi[0] + v + JITTER)).log_prob(Y[0]).sum()
        assert float(terms[0]) == pytest.approx(float(first), abs=1e-10)


@pytest.mark.parametrize("shape", SHAPES)
def test_leave_one_out_is_the_prediction_from_all_other_rows_seen(shape):
    """Refitted with the row deleted, as are the rows not seen."""
    Phi, Y, v = draw(*shape)
    count = min(len(Phi), 20)
    seen = jnp.arange(len(Phi)) < count
    found = FeatureProcess(Phi).leave_one_out(Y, v, 1.0 * seen)
    np.testing.assert_allclose(KernelProcess(Phi @ Phi.T).leave_one_out(Y, v, 1.0 * seen), found, rtol=1e-9)
    for i in (0, count // 2, count - 1):
        others = np.delete(np.arange(count), i)
        mean, variance = FeatureProcess(Phi[others], Phi[i : i + 1]).predict(Y[others], v)
        expected = dist.Normal(mean[0], jnp.sqrt(variance[0] + v)).log_prob(Y[i]).sum()
        assert float(found[i]) == pytest.approx(float(expected), abs=1e-5)
    assert np.all(np.asarray(found[count:]) == 0.0)
