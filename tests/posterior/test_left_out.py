"""The page's leave-one-out estimate against fits that never saw the row."""

import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.inference.posterior.diagnostics import fit_section
from bayes_nn.inference.posterior.record import fit_record

#: Little noise: given f, estimates are tens of nats too high.
NOISE = 0.05


def densities(prior, X, y):
    """Log density of every row under a fit to all others."""
    found = []
    for row in range(len(y)):
        others = np.arange(len(y)) != row
        fitted = bnn.fit(prior, X[others], y[others], bnn.Gaussian(NOISE), standardize=False, progress=False)
        found.append(float(fitted.predict(X[[row]]).log_prob(y[[row]])[0]))
    return np.array(found)


@pytest.mark.parametrize(
    "prior", [priors.NNGP(bnn.mlp(1, "relu", 1.4, 0.1)), priors.NTK(bnn.mlp(1, "relu", 1.4, 0.1), 1.0)]
)
def test_rows_are_predicted_as_by_fits_to_the_others(prior, small_data):
    X, y = small_data
    posterior = bnn.fit(prior, X, y, bnn.Gaussian(NOISE), standardize=False, progress=False)
    loo = fit_section(prior.name, fit_record(posterior, posterior.convergence), {}).loo
    np.testing.assert_allclose(loo.elpd_i, densities(prior, X, y), atol=2e-3)
    given_f = posterior.to_datatree()["log_likelihood"]["y"].mean(("chain", "draw")).values
    assert given_f.sum() > loo.elpd + 20.0  # what a row's own noise hides


def test_it_is_on_the_scale_of_y(small_data):
    """Another unit of y moves the log density of every row by its logarithm."""
    X, y = small_data
    prior = priors.NNGP(bnn.mlp(1, "relu", 1.4, 0.1))
    elpd = []
    for unit in (1.0, 10.0):
        posterior = bnn.fit(prior, X, unit * y, bnn.Gaussian(NOISE), progress=False)
        elpd.append(fit_section(prior.name, fit_record(posterior, posterior.convergence), {}).loo.elpd)
    assert elpd[0] - elpd[1] == pytest.approx(len(y) * np.log(10.0), abs=0.01)


def test_labels_keep_the_densities_given_f(small_data):
    X, y = small_data
    prior, sampler = priors.NNGP(bnn.mlp(1, "relu", 1.4, 0.1)), bnn.inference.SMC(particles=32, islands=2)
    posterior = bnn.fit(prior, X, y > 0, bnn.Bernoulli(), sampler, progress=False)
    assert "leave_one_out" not in fit_record(posterior, posterior.convergence)
