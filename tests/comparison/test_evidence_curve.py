"""Evidence of growing parts of the data, and conditional evidence, against one fit each and closed forms."""

import arviz as az
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.comparison.evidence_curve import checked_sizes
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.problem.partly_observed import PartlyObserved

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.3)
NOISE = bnn.Gaussian(0.4)


def first_eleven(problem):
    return PartlyObserved.of_rows(problem, (jnp.arange(len(problem.Y)) < 11).astype(float))


@pytest.mark.parametrize(
    "prior", [bnn.BayesianNetwork(NET, 4), bnn.BayesianNetwork(NET, 60), priors.NNGP(NET)], ids=["narrow", "wide", "GP"]
)
@pytest.mark.parametrize("outputs", [1, 2])
def test_unseen_rows_count_for_nothing(small_data, prior, outputs):
    X, y = small_data
    X, Y = jnp.asarray(X), jnp.asarray(np.stack([y, y**2], axis=1)[:, :outputs])
    some = first_eleven(CollapsedProblem.of(prior, X, Y, NOISE))
    alone = CollapsedProblem.of(prior, X[:11], Y[:11], NOISE)
    u = alone.sample_prior(jax.random.key(1))
    np.testing.assert_allclose(some.log_likelihood(u), alone.log_likelihood(u), rtol=1e-10)
    for mine, theirs in zip(some.log_likelihood_and_gradient(u), alone.log_likelihood_and_gradient(u), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_unseen_labels_count_for_nothing(small_data):
    X, y = small_data
    Y = (y > 0).astype(float)[:, None]
    prior, likelihood = bnn.BayesianNetwork(NET, 4), bnn.Bernoulli((0, 1))
    some = first_eleven(CollapsedProblem.of(prior, jnp.asarray(X), jnp.asarray(Y), likelihood))
    alone = CollapsedProblem.of(prior, jnp.asarray(X[:11]), jnp.asarray(Y[:11]), likelihood)
    u = alone.sample_prior(jax.random.key(1))
    np.testing.assert_allclose(some.log_likelihood(u), alone.log_likelihood(u), rtol=1e-10)


def test_exact_curve_is_the_evidence_of_each_part(small_data):
    X, y = small_data
    curve = inference.evidence_curve(priors.NNGP(NET), X, y, [5, 0.0 + 12, 30], NOISE, False, shuffle=False)
    parts = [
        inference.log_evidence(priors.NNGP(NET), X[:n], y[:n], likelihood=NOISE, standardize=False).value
        for n in (5, 12, 30)
    ]
    np.testing.assert_allclose(curve.table.log_evidence, parts, rtol=1e-9)
    assert curve.conditional(5, 12).value == pytest.approx(parts[1] - parts[0])
    assert curve.table.conditional.sum() == pytest.approx(parts[-1])


def test_leave_one_out_is_the_prediction_from_all_other_rows(small_data):
    X, y = small_data
    process = priors.NNGP(NET).process({}, jnp.asarray(X))
    seen = (jnp.arange(30) < 20).astype(float)
    found = process.leave_one_out(jnp.asarray(y)[:, None], jnp.asarray(0.16), seen)
    for i in (0, 7, 19):
        others = np.delete(np.arange(20), i)
        fit = bnn.fit(priors.NNGP(NET), X[others], y[others], NOISE, standardize=False)
        assert found[i] == pytest.approx(fit.predict(X[i : i + 1]).log_prob(y[i : i + 1])[0], abs=1e-8)
    assert np.all(np.asarray(found[20:]) == 0.0)


@pytest.mark.slow
@pytest.mark.statistical
def test_network_curve_agrees_with_runs_of_its_parts(small_data):
    """Every part within 4 standard errors; false alarm about 1 in 5,000."""
    X, y = small_data
    network = bnn.BayesianNetwork(NET, 8)
    curve = inference.evidence_curve(network, X, y, [8, 16], NOISE, shuffle=False, progress=False)
    assert not curve.reasons
    order = np.arange(30)
    mean, std = y.mean(), y.std()
    scaled = (X - X.mean(axis=0)) / X.std(axis=0)
    for size in (8, 16, 30):
        rows = order[:size]
        part = inference.log_evidence(
            network, scaled[rows], (y[rows] - mean) / std, "importance", NOISE, False, key=3, tolerance=0.03
        )
        estimate = curve.conditional(0, size)
        assert abs(estimate.value - part.value) < 4.0 * np.hypot(estimate.mcse, part.mcse)
    given = curve.conditional(8)
    assert given.value == pytest.approx(curve.conditional(0).value - curve.conditional(0, 8).value, abs=0.3)


@pytest.mark.slow
@pytest.mark.statistical
def test_leave_one_out_beside_the_curve_agrees_with_arviz_on_the_posterior(small_data):
    """Densities given z and densities given f estimate the same elpd; they differ by their Monte-Carlo errors."""
    X, y = small_data
    network = bnn.BayesianNetwork(NET, 8)
    curve = inference.evidence_curve(network, X, y, [15], NOISE, standardize=False, progress=False)
    posterior = bnn.fit(network, X, y, NOISE, standardize=False, progress=False)
    given_f = az.loo(posterior.to_datatree())
    assert curve.loo[-1].elpd == pytest.approx(float(given_f.elpd), abs=1.0)
    assert curve.loo[-1].pareto_k < 0.7


@pytest.mark.parametrize("sizes", [[0, 30], [20, 10], [31], [-0.5, 1.0], [[5, 10]], ["many"]])
def test_bad_sizes(small_data, sizes):
    with pytest.raises(ValueError, match=r"sizes must|could not convert"):
        inference.evidence_curve(priors.NNGP(NET), *small_data, sizes, NOISE)


def test_conditional_refuses_rows_not_stopped_at(small_data):
    curve = inference.evidence_curve(priors.NNGP(NET), *small_data, [10], NOISE)
    with pytest.raises(ValueError, match="must be among"):
        curve.conditional(9)


@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_a_single_island_is_not_called_exact(small_data):
    few = inference.SMC(particles=64, islands=1)
    network = bnn.BayesianNetwork(NET, 3)
    curve = inference.evidence_curve(network, *small_data, [10], NOISE, sampler=few, progress=False)
    for evidence in (curve.conditional(0), curve.conditional(10), curve.conditional(0, 10)):
        assert evidence.method == "smc"
        assert not evidence.reliable
        assert any("a single island cannot check itself" in reason for reason in evidence.reasons)
        assert evidence.mcse > 0.0
    assert "NOT RELIABLE" in str(curve)


def test_an_exact_curve_says_what_is_approximate(small_data):
    """The renormalised kernel has no latents either, but its evidence is a saddle-point approximation."""
    renormalised = priors.RenormalisedKernel(NET, 20)
    curve = inference.evidence_curve(renormalised, *small_data, [10], NOISE)
    assert curve.conditional(0).method == f"exact, {renormalised.approximation}"
    assert inference.evidence_curve(priors.NNGP(NET), *small_data, [10], NOISE).conditional(0).method == "exact"


def test_the_curve_is_drawn(small_data):
    figure = inference.evidence_curve(priors.NNGP(NET), *small_data, [10], NOISE, key=np.int64(1)).plot()
    assert figure.axes[0].get_legend().get_texts()[0].get_text() == "code length of all rows so far"


def test_sizes_may_come_from_a_generator():
    assert checked_sizes((share for share in (0.25, 0.5)), 40) == (10, 20, 40)
