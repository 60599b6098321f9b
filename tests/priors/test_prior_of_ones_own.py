"""A prior from an architecture takes a class of one's own, and everything takes the prior."""

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import integrate, stats

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.priors.architecture_prior import ArchitecturePrior
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess
from bayes_nn.priors.infinite_width import NNGP

NET = bnn.mlp(1, "erf", 1.4, 0.2)


class NNGPOnATrend(ArchitecturePrior):
    """The NNGP plus a linear trend in the first input, whose slope is normal with an inferred spread."""

    def __init__(self, net):
        super().__init__(net)
        self.name = f"NNGPOnATrend({net.name})"

    def hyperparameters(self):
        return super().hyperparameters() | {"slope_std": dist.LogNormal(0.0, 0.5)}

    def process(self, values, X, X_new=None):
        own = NNGP(self.net).process(values, X, X_new)
        v, x = values["slope_std"] ** 2, X[:, 0]
        K = own.K + v * jnp.outer(x, x)
        if X_new is None:
            return KernelProcess(K)
        new = X_new[:, 0]
        return KernelProcess(K, own.K_new + v * jnp.outer(new, x), own.k_new + v * new**2)


@pytest.mark.slow
@pytest.mark.statistical
def test_evidence_predictions_and_comparison(small_data):
    """Evidence against an integral over the one latent, 4 standard errors; the table has a row for it."""
    X, y = small_data
    prior, noise = NNGPOnATrend(NET), bnn.Gaussian(0.3)
    K = np.asarray(NNGP(NET).kernel.gram(jnp.asarray(X)).as_matrix()) + 0.09 * np.eye(len(y))

    def integrand(log_std):
        normal = stats.multivariate_normal(None, K + np.exp(2 * log_std) * np.outer(X[:, 0], X[:, 0]))
        return np.exp(normal.logpdf(y) + 40.0) * stats.norm.pdf(log_std, 0.0, 0.5)

    exact = np.log(integrate.quad(integrand, -5.0, 5.0)[0]) - 40.0
    found = inference.log_evidence(prior, X, y, "smc", noise, standardize=False, tolerance=0.05)
    assert abs(found.value - exact) < 4 * found.mcse
    result = bnn.compare(
        [bnn.priors.NNGP(NET), prior], X[:20], y[:20], X[20:], y[20:], likelihood=noise,
        sampler=inference.SMC(particles=64),
    )  # fmt: skip
    assert np.isfinite(result.table.loc[prior.name, ["log_evidence", "lpd_test", "rmse"]].astype(float)).all()
