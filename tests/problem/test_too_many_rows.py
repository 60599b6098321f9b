"""What does not fit the memory, or double precision, is refused in one line before anything is computed."""

import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.problem.problem_of import problem_of
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrix
from bayes_nn.runtime import memory

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
NOISE = bnn.Gaussian(0.1)
MANY = np.random.default_rng(0).normal(size=(50_000, 2))
GIBIBYTES = 16


@pytest.fixture(autouse=True)
def sixteen_gibibytes(monkeypatch):
    monkeypatch.setattr(memory, "available_memory", lambda: GIBIBYTES * 2.0**30)
    monkeypatch.setattr("bayes_nn.inference.problem.problem_of.available_memory", lambda: GIBIBYTES * 2.0**30)


@pytest.mark.parametrize("prior", [priors.NNGP(NET), priors.InputMetric(NET), priors.ARDKernel(), priors.StudentT(NET)])
def test_kernels_of_too_many_rows_are_refused_at_once(prior):
    began = time.perf_counter()
    with pytest.raises(
        ValueError, match=r"50,000 rows needs about [\d.]+ GiB of memory, and 16.0 GiB are available: take"
    ):
        bnn.fit(prior, MANY, MANY[:, 0], NOISE, progress=False)
    assert time.perf_counter() - began < 10.0  # a factorisation would take an hour


def test_the_advice_fits():
    data = Dataset.of(MANY, MANY[:, 0], NOISE)
    with pytest.raises(ValueError, match="at most 23,170 rows") as refused:
        problem_of(priors.NNGP(NET), data)
    assert "BayesianNetwork" in str(refused.value)
    assert 4 * 8 * 23_170**2 <= GIBIBYTES * 2**30 < 4 * 8 * 23_180**2
    problem_of(priors.NNGP(NET), data.rows(slice(23_170)))


def test_networks_are_refused_by_their_width_alone():
    data = Dataset.of(MANY, MANY[:, 0], NOISE)
    problem_of(bnn.BayesianNetwork(NET, 64), data)
    with pytest.raises(ValueError, match="a smaller width"):
        problem_of(bnn.BayesianNetwork(NET, 20_000), data)
    with pytest.raises(ValueError, match=r"FrozenFeatures.* needs about"):
        problem_of(priors.FrozenFeatures(NET, 64), data)


def test_compare_refuses_before_any_row_is_run(monkeypatch):
    monkeypatch.setattr("bayes_nn.inference.comparison.compare.fit_rows", lambda *_: pytest.fail("a row was run"))
    with pytest.raises(ValueError, match=r"NNGP.* with 50,000 rows needs about"):
        bnn.compare([bnn.BayesianNetwork(NET, 4), priors.NNGP(NET)], MANY, MANY[:, 0], likelihood=NOISE, splits=0)


def test_matrices_beyond_the_memory_are_refused():
    with pytest.raises(ValueError, match=r"kernel matrix of 50,000 x 50,000 needs about 37.3 GiB"):
        kernel_matrix(NET, {}, jnp.asarray(MANY))


@pytest.mark.parametrize(
    "prior", [priors.NNGP, lambda net: priors.StudentT(net, 4), lambda net: bnn.BayesianNetwork(net, 50)],
    ids=["exact", "sampled", "wide"],
)  # fmt: skip
def test_a_kernel_that_hides_the_noise_is_refused(small_data, prior):
    """With weight_std=1e6 the kernel is 1e24: a predictive std of 6576 was found where 0.14 was right."""
    with pytest.raises(ValueError, match="double precision loses the noise"):
        bnn.fit(prior(bnn.mlp(1, "relu", 1e6, 0.1)), *small_data, NOISE, progress=False)


def test_variances_are_right_up_to_what_is_refused():
    """Against the same Cholesky factor in 80-bit numbers, of kernel entries without cancellation."""
    x = np.linspace(-1.0, 1.0, 20)
    std, bias, v, long = 300.0, 0.1, 0.01, np.longdouble
    z = (x - x.mean()).astype(long) / x.std()
    K0 = std**2 * np.outer(z, z) + bias**2
    sine = std * bias * np.abs(z[:, None] - z)
    K = std**2 / (2 * np.pi) * (sine + (long(np.pi) - np.arctan2(sine, K0)) * K0) + bias**2
    A, L = K + long(v + 1e-10) * np.eye(20, dtype=long), np.zeros((20, 20), long)
    for j in range(20):
        L[j, j] = np.sqrt(A[j, j] - L[j, :j] @ L[j, :j])
        L[j + 1 :, j] = (A[j + 1 :, j] - L[j + 1 :, :j] @ L[j, :j]) / L[j, j]
    half = np.zeros((20, 20), long)
    for i in range(20):
        half[i] = (K[i] - L[i, :i] @ half[:i]) / L[i, i]
    expected = np.sqrt(np.diag(K) - np.sum(half**2, axis=0) + v).astype(float)
    y = np.sin(3.0 * x)
    posterior = bnn.fit(priors.NNGP(bnn.mlp(1, "relu", std, bias)), x, y, NOISE, progress=False)
    np.testing.assert_allclose(posterior.predict(x).std / y.std(), expected, rtol=1e-3)


def test_narrow_networks_keep_their_variances_whatever_the_weights():
    """Factorised on the side of the features: the variance at the data is at least the noise's, at most twice it."""
    x = np.linspace(-1.0, 1.0, 20)
    problem = problem_of(bnn.BayesianNetwork(bnn.mlp(1, "relu", 1e6, 0.1), 5), Dataset.of(x, np.sin(3.0 * x), NOISE))
    values = problem.values(problem.sample_prior(jnp.zeros(2, jnp.uint32)))
    _, variance = problem.predict(problem.X, values, jax.random.key(0))
    assert np.all((variance >= 0.01) & (variance <= 0.02))


def test_many_new_inputs_are_predicted_in_pieces(small_data, monkeypatch):
    X, y = small_data
    posterior = bnn.fit(priors.NNGP(NET), X, y, NOISE, progress=False)
    new = np.random.default_rng(1).normal(size=(41, 3))
    expected = posterior.predict(new)
    monkeypatch.setattr("bayes_nn.inference.problem.collapsed.SMALLEST_PIECE", 4)
    found = bnn.fit(priors.NNGP(NET), X, y, bnn.Gaussian(0.1), progress=False).predict(np.vstack([new, new]))
    for mine, theirs in ((found.mean, expected.mean), (found.std, expected.std)):
        np.testing.assert_allclose(mine, np.concatenate([theirs, theirs]), rtol=1e-10, atol=1e-12)


def test_predictions_by_all_draws_have_to_fit(small_data):
    X, y = small_data
    settings = bnn.inference.SMC(particles=64, islands=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        posterior = bnn.fit(priors.StudentT(NET, 4), X, y, NOISE, settings, progress=False)
    assert posterior.predict(X).mean.shape == (30,)
    with pytest.raises(ValueError, match=r"predicting 8,400,000 inputs by 64 draws needs about 16.0 GiB.* at a time"):
        posterior.predict(np.zeros((8_400_000, 3)))
