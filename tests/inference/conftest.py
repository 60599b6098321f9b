"""One exact integral that several tests compare with."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import logsumexp


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
