"""Shared by all tests: every core in use, real data, and the outside reference numbers."""

import gc
import os
from pathlib import Path

import bayes_nn as bnn
from bayes_nn.runtime.compilation_cache import use_compilation_cache

ROOT = Path(__file__).resolve().parents[1]

# Two workers keep the cores busy, so that a program is better compiled whole than cut up for several threads.
os.environ["XLA_FLAGS"] = f"--xla_cpu_parallel_codegen_split_count=1 {os.environ.get('XLA_FLAGS', '')}"
bnn.use_all_cores()
# Workers, child processes and notebooks share what they compile, and the next run finds it compiled.
use_compilation_cache(ROOT / ".jax_cache")

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from scipy import stats  # noqa: E402
from scipy.special import logsumexp  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

SHARED = ROOT.parent / "shared"

# What is imported stays, and tracing makes much that is short-lived: looking for cycles at the usual pace takes long.
gc.freeze()
gc.set_threshold(50_000, 20, 20)


def pytest_collection_modifyitems(items):
    """Begin with what takes longest, so that no worker is left with it in the end."""
    longest = ("test_notebooks", "test_calibration", "test_smc", "test_trajectory_gradients")
    items.sort(key=lambda item: not any(name in item.nodeid for name in longest))


#: Linux allows a process 65530 memory maps, of which a compiled function takes about 20.
MOST_MEMORY_MAPS = 30_000
QUICKLY = "jax_disable_most_optimizations"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Compile quickly, in child processes too; compile fast code only for tests marked ``computes_much``.

    Compiled code is forgotten where the choice changes.
    """
    quickly = item.get_closest_marker("computes_much") is None
    if quickly != jax.config.read(QUICKLY):
        jax.clear_caches()
        jax.config.update(QUICKLY, quickly)
        os.environ[QUICKLY.upper()] = str(quickly)


@pytest.fixture(autouse=True, scope="module")
def memory_maps():
    """Forget compiled code before a file whose own might not fit."""
    maps = Path("/proc/self/maps")
    if not maps.exists() or len(maps.read_bytes().splitlines()) > MOST_MEMORY_MAPS:
        jax.clear_caches()


@pytest.fixture(scope="session")
def shared():
    """The folder of outside reference numbers and data, beside the checkout."""
    if not (SHARED / "reference").is_dir():
        pytest.skip("the folder of reference numbers, ../shared, is not there")
    return SHARED


@pytest.fixture(scope="session")
def flip_bits():
    """Copies of a file's content, each with one bit changed at random."""

    def flipped(content, count):
        rng = np.random.default_rng(0)
        for _ in range(count):
            damaged = bytearray(content)
            damaged[rng.integers(len(content))] ^= 1 << rng.integers(8)
            yield damaged

    return flipped


@pytest.fixture(scope="session")
def diabetes():
    """200 rows of the diabetes data, standardised over all 442 rows with the population standard deviation."""
    X, y = load_diabetes(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    y = (y - y.mean()) / y.std()
    rows = np.random.default_rng(0).permutation(442)[:200]
    return X[rows], y[rows]


@pytest.fixture(scope="session")
def small_data():
    """30 rows, 3 inputs, a smooth target with noise."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(30, 3))
    y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + 0.2 * rng.normal(size=30)
    return X, y


@pytest.fixture(scope="session")
def deep_linear_evidence():
    """log p(y) of a deep linear network, one output, no biases, unit weight_std, by quadrature (THEORY T1).

    y given s is N(0, s K0 + v I), K0 = XX'/d, s the product of chi2(n)/n over the hidden layers: a sum
    over a grid of 400 points of log s per layer, which is exact to far below 1e-6 here.
    """

    def evidence(X, y, v, widths):
        values, vectors = np.linalg.eigh(X @ X.T / X.shape[1])
        projected2 = (vectors.T @ y) ** 2
        log_s, log_weight = np.zeros(1), np.zeros(1)
        for n in widths:
            grid = np.linspace(*np.log(stats.gamma.ppf([1e-14, 1 - 1e-14], n / 2, scale=2 / n)), 400)
            density = stats.gamma.logpdf(np.exp(grid), n / 2, scale=2 / n) + grid + np.log(grid[1] - grid[0])
            log_s = np.add.outer(log_s, grid).ravel()
            log_weight = np.add.outer(log_weight, density).ravel()
        total = np.full_like(log_s, -0.5 * len(y) * np.log(2 * np.pi))
        for eigenvalue, square in zip(np.maximum(values, 0.0), projected2, strict=True):
            variance = np.exp(log_s) * eigenvalue + v
            total -= 0.5 * (np.log(variance) + square / variance)
        return float(logsumexp(total + log_weight))

    return evidence


@pytest.fixture(scope="session")
def linear_data():
    """N = 50, d = 5, a linear target whose scale the prior does not expect."""
    rng = np.random.default_rng(5)
    X = rng.normal(size=(50, 5))
    return X, 2.0 * X @ rng.normal(size=5) / 5**0.5 + 0.5 * rng.normal(size=50)
