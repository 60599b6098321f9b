"""Shared by all tests: every core in use, real data, and the outside reference numbers."""

from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True, scope="module")
def release_compiled_code():
    """Forget compiled code after each file: a function takes about 20 memory maps; Linux allows 65530 a process."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="session")
def shared():
    """The folder of outside reference numbers and data, beside the checkout."""
    if not (SHARED / "reference").is_dir():
        pytest.skip("the folder of reference numbers, ../shared, is not there")
    return SHARED


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
