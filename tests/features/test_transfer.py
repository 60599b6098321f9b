"""Transfer between tasks, against importance sampling of both evidences and against priors that share nothing."""

import jax
import jax.numpy as jnp
import numpy as np
import numpyro
import numpyro.distributions as dist
import pandas as pd
import pytest
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.problem.collapsed import CollapsedProblem

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3)
NOISE = bnn.Gaussian(0.3)


@pytest.fixture(scope="module")
def tasks():
    """Two tasks of 12 rows that depend on one direction each: the same one."""
    rng = np.random.default_rng(2)
    X = rng.normal(size=(24, 2))
    y = np.abs(X[:, 0]) + 0.1 * rng.normal(size=24)
    return (X[:12], y[:12]), (X[12:], -2.0 * y[12:])


@pytest.mark.slow
@pytest.mark.computes_much
@pytest.mark.statistical
def test_network_against_prior_draws(tasks):
    """Within 4 standard errors of 400,000 prior draws; false alarm about 1 in 10,000."""
    (X_a, y_a), (X_b, y_b) = tasks
    network = bnn.BayesianNetwork(NET, 4)
    found = inference.transfer(network, *tasks, NOISE, tolerance=0.05, progress=False)
    inputs = np.concatenate([X_a, X_b])
    scaled = [(X - inputs.mean(axis=0)) / inputs.std(axis=0) for X in (X_a, X_b)]
    problems = [
        CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray((y - y.mean()) / y.std())[:, None], NOISE)
        for X, y in zip(scaled, (y_a, y_b), strict=True)
    ]
    keys = jax.random.split(jax.random.key(0), 400_000)

    @jax.jit
    def both(keys):
        def one(key):
            u = problems[0].sample_prior(key)
            return problems[0].log_likelihood(u), problems[1].log_likelihood(u)

        return jax.lax.map(one, keys)

    a, b = (np.asarray(each).reshape(40, -1) for each in both(keys))

    def estimate(a, b):
        return logsumexp(a + b) - logsumexp(a) - logsumexp(b) + np.log(a.size)

    value = estimate(a, b)
    without = np.array([estimate(np.delete(a, i, axis=0), np.delete(b, i, axis=0)) for i in range(40)])
    error = np.sqrt(39.0 / 40.0 * np.sum((without - without.mean()) ** 2))
    assert found.reliable, found.reasons
    assert abs(found.value - value) < 4.0 * np.hypot(found.mcse, error)
    assert found.value > 3.0 * found.mcse


def test_fixed_kernels_transfer_nothing(tasks):
    for prior in (priors.NNGP(NET), priors.NTK(NET, output_scale=1.0)):
        found = inference.transfer(prior, *tasks, NOISE)
        assert found.value == 0.0
        assert found.mcse == 0.0


def test_bad_tasks(tasks):
    a, b = tasks
    with pytest.raises(ValueError, match="task_b must be a pair"):
        inference.transfer(priors.NNGP(NET), a, b[0], NOISE)
    with pytest.raises(ValueError, match="must be alike"):
        inference.transfer(priors.NNGP(NET), a, (b[0][:, :1], b[1]), NOISE)
    with pytest.raises(ValueError, match="task_a: y is constant"):
        inference.transfer(priors.NNGP(NET), (a[0], 0.0 * a[1]), b, NOISE)
    with pytest.raises(ValueError, match="Gaussian noise"):
        inference.transfer(priors.NNGP(NET), a, b, bnn.Bernoulli())


def test_models_of_all_rows_together_are_refused(tasks):
    def model(X, y=None):
        slope = numpyro.sample("slope", dist.Normal())
        numpyro.sample("y", dist.Normal(slope * X[:, 0], 1.0), obs=y)

    prior = priors.NumPyroPrior(model, name="line")
    with pytest.raises(ValueError, match="all rows together"):
        inference.transfer(prior, *tasks)
    with pytest.raises(ValueError, match="all rows together"):
        inference.evidence_curve(prior, *tasks[0])


@pytest.mark.slow
def test_the_second_task_is_not_looked_at_on_the_first_path(monkeypatch):
    """The path to the posterior of a has a alone in it; from there on, both."""
    from bayes_nn.inference.sampling import smc_run as module

    parts = []
    follow = module.follow

    def noted(paths, *args):
        parts.append([len(path.parts) for path in paths])
        return follow(paths, *args)

    monkeypatch.setattr(module, "follow", noted)
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 2)), rng.normal(size=(12, 2))
    network = bnn.BayesianNetwork(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1), 3)
    few = inference.SMC(particles=16, islands=2)
    inference.transfer(
        network, (X, y[:, 0]), (X, y[:, 1]), NOISE, sampler=few, tolerance=100.0, max_seconds=1.0, key=np.int64(0)
    )
    assert parts
    assert all(found == [1, 2] for found in parts)


def test_columns_of_the_second_task_are_matched_by_name():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(10, 2)), columns=["a", "b"])
    y = rng.normal(size=(10, 2))
    nngp = priors.NNGP(bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1))
    alone = [
        inference.transfer(nngp, (frame, y[:, 0]), (second, y[:, 1]), NOISE).alone.value
        for second in (frame, frame[["b", "a"]])
    ]
    assert alone[0] == alone[1]
    with pytest.raises(ValueError, match="task_b: X lacks b and has the new c"):
        inference.transfer(nngp, (frame, y[:, 0]), (frame.rename(columns={"b": "c"}), y[:, 1]), NOISE)
