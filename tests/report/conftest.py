"""Tiny fits by every kind of sampler, which the tests of pages share."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.data.dataset import Dataset
from bayes_nn.inference.comparison.fits import row_of, score
from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.comparison.splits import splits_of

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
FREE = bnn.mlp(depth=1, bias_std=0.2)
SMC = inference.SMC(particles=16, islands=2)
EXCHANGE = inference.ReplicaExchange(rounds=2, particles=8, max_steps=4)
HMC = inference.HMC(chains=2, warmup=50, draws=30)
WEIGHTED = inference.AdaptiveImportance(chains=2, draws=32)
SAMPLERS = {"smc": SMC, "replica_exchange": EXCHANGE, "hmc": HMC, "exact": "exact", "adaptive_importance": WEIGHTED}


def compared(X, y, X_test, y_test, likelihood, fits):
    """A comparison of fits by samplers that ``compare`` itself does not mix."""
    (split,) = splits_of(Dataset.of(X, y, likelihood, True), X_test, y_test, None, 0, True)
    rows, posteriors = [], {}
    for key, (prior, sampler) in enumerate(fits):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", bnn.ConvergenceWarning)
            posterior = bnn.fit(prior, X, y, likelihood, SAMPLERS[sampler], key=key, progress=False)
        if posterior.sampler_evidence is None:
            posterior = replace(posterior, sampler_evidence=bnn.Evidence(-30.0, 0.5, "smc"))
        name = prior.name if prior.name not in posteriors else f"{prior.name} #2"
        posteriors[name] = posterior
        judged, tested = [posterior.convergence], [split.test_columns]
        rows.append(row_of(name, prior, [posterior], judged, [score(posterior, split)], tested, 0.01))
    rows.sort(key=lambda row: -row.log_evidence)
    settings = {"likelihood": str(likelihood), "jitter": 1e-8, "splits": 1, "rows": len(X), "inputs": X.shape[1]}
    return Comparison(rows, [split.test_columns], len(X), True, settings, posteriors, split.test_inputs)


@pytest.fixture(scope="session")
def regression():
    """Exact, SMC, replica exchange, HMC and adaptive importance sampling on 16 rows."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(24, 2))
    y = np.sin(2.0 * X[:, 0]) + 0.2 * rng.normal(size=24)
    fits = [
        (priors.NNGP(NET), "exact"), (priors.NNGP(FREE), "hmc"), (bnn.BayesianNetwork(NET, 4), "smc"),
        (bnn.BayesianNetwork(NET, 4), "replica_exchange"), (priors.NTK(FREE), "adaptive_importance"),
    ]  # fmt: skip
    return compared(X[:16], y[:16], X[16:], y[16:], bnn.Gaussian(0.3), fits)


@pytest.fixture(scope="session")
def labels():
    """SMC on 16 labels."""
    rng = np.random.default_rng(4)
    X = rng.normal(size=(24, 2))
    y = np.where(X[:, 0] + 0.3 * rng.normal(size=24) > 0.0, "<yes>", "no")
    fits = [(priors.NNGP(NET), "smc"), (bnn.BayesianNetwork(NET, 4), "smc")]
    return compared(X[:16], y[:16], X[16:], y[16:], bnn.Bernoulli().of_targets(y), fits)
