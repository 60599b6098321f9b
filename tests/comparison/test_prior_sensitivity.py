"""Sensitivity of a comparison to the priors of standard deviations, against exact integrals over the noise."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest
from scipy import stats
from scipy.special import logsumexp

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.comparison.prior_sensitivity import _Found, _shifted
from bayes_nn.inference.posterior.changed_prior import Change, ReplacedPriors
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.priors.gaussian.log_marginal import JITTER

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
SMALL = inference.SMC(particles=128, islands=4)
LOG_NOISE = np.linspace(-40.0, 15.0, 11_001)


def exact_change(posterior, prior, changed):
    """``log p'(y) - log p(y)``, integrated over log noise_std on a grid."""
    problem = posterior.problem
    K = np.asarray(problem.prior.process(problem.fixed, problem.X).K)
    eigenvalues, vectors = np.linalg.eigh(K)
    variance = np.maximum(eigenvalues, 0.0)[:, None] + JITTER + np.exp(2.0 * LOG_NOISE)
    log_likelihood = -0.5 * np.sum(np.log(variance) + (vectors.T @ np.asarray(problem.Y)) ** 2 / variance, axis=0)
    of = [logsumexp(log_likelihood + law.logpdf(np.exp(LOG_NOISE)) + LOG_NOISE) for law in (changed, prior)]
    return of[0] - of[1]


@pytest.fixture(scope="module")
def data(small_data):
    X, y = small_data
    return X[:20], y[:20], X[20:], y[20:]


@pytest.fixture(scope="module")
def result(data):
    X, y, X_test, y_test = data
    candidates = [priors.NNGP(NET), priors.NTK(NET, output_scale=1.0), bnn.BayesianNetwork(NET, 4)]
    likelihood = bnn.Gaussian(dist.LogNormal(-1.2, 0.75))
    return bnn.compare(candidates, X, y, X_test, y_test, likelihood=likelihood, sampler=SMALL)


@pytest.fixture(scope="module")
def found(result):
    return inference.prior_sensitivity(result)


@pytest.mark.slow
def test_changes_are_those_of_exact_integrals():
    """Beyond 4 standard errors with 3 degrees of freedom in one of four: 11 % by chance, at another seed."""
    rng = np.random.default_rng(3)
    x = np.sort(rng.uniform(-2.0, 2.0, 60))
    candidates = [priors.NNGP(NET), priors.NTK(NET, output_scale=1.0)]
    settings = {"likelihood": bnn.Gaussian(dist.LogNormal(-1.2, 0.75)), "splits": 0, "sampler": SMALL}
    result = bnn.compare(candidates, x, np.sin(2.0 * x) + 0.1 * rng.normal(size=60), **settings)
    found = inference.prior_sensitivity(result)
    for (_, factor, name), row in found.changes.iterrows():
        prior, changed = (stats.lognorm(0.75 * by, 0.0, np.exp(-1.2)) for by in (1.0, factor))
        exact = exact_change(result.posteriors[name], prior, changed)
        assert abs(exact) > 0.1
        assert abs(row.change - exact) < 4.0 * row.mcse + 0.005
        assert row.mcse < 0.1
        assert row.source == "draws"
        assert row.reliable


@pytest.mark.slow
def test_verdict_is_that_of_the_shifted_evidences(result, found):
    assert list(found.table.index) == [("noise_std", 0.5), ("noise_std", 2.0)]
    rows = {row.name: row for row in result.rows}
    network = next(name for name, row in rows.items() if row.learns_features)
    for case, row in found.table.iterrows():
        reach = found.changes.loc[case]
        reach = reach.change, reach.mcse * stats.t.ppf(0.975, 3)
        high = {name: rows[name].bounds[1] + reach[0][name] + reach[1][name] for name in rows if name != network}
        low = rows[network].bounds[0] + reach[0][network] - reach[1][network]
        assert row.log_e_value == pytest.approx(low - max(high.values()))
        assert row[network] == reach[0][network]
        assert row.largest_k == found.changes.loc[case].pareto_k.max()
    assert repr(found.verdict) == repr(result.verdict)
    assert result.verdict.outcome in str(found)
    assert "noise_std" in str(found)
    assert len(found.plot().axes) == 2


@pytest.mark.slow
def test_draws_that_do_not_carry_over_are_flagged_and_fitted_again(data):
    """Five rows say little, and a prior 6 times as wide reaches far beyond draws under one of sigma 0.2.

    The true k is 0.97, its estimate from 512 draws 0.4 to 1.6 over keys.
    """
    X, y = data[0][:5], data[1][:5]
    likelihood = bnn.Gaussian(dist.LogNormal(0.7, 0.2))
    result = bnn.compare([priors.NNGP(NET)], X, y, likelihood=likelihood, splits=0, key=1)
    (name,) = result.posteriors
    flagged = inference.prior_sensitivity(result, [6.0])
    assert not flagged.table.reliable.any()
    assert flagged.table.largest_k.item() > 0.7
    assert "NOT RELIABLE" in str(flagged)
    again = inference.prior_sensitivity(result, [6.0], refit=True, progress=False)
    assert again.table.reliable.all()
    row = again.changes.loc["noise_std", 6.0, name]
    prior, changed = (stats.lognorm(sigma, 0.0, np.exp(0.7)) for sigma in (0.2, 1.2))
    assert row.source == "refit"
    assert row.change == pytest.approx(exact_change(result.posteriors[name], prior, changed), abs=0.02)


@pytest.mark.slow
def test_fixed_standard_deviations_change_nothing(data):
    X, y = data[:2]
    inferred = bnn.mlp(depth=1, weight_std=bnn.Shared(dist.LogNormal(0.3, 0.5)), bias_std=0.2)
    candidates = [priors.NNGP(NET), priors.NNGP(inferred)]
    settings = {"likelihood": bnn.Gaussian(0.3), "splits": 0, "sampler": SMALL}
    result = bnn.compare(candidates, X, y, **settings)
    found = inference.prior_sensitivity(result)
    assert list(found.table.index.get_level_values("site")) == ["weight_std_0"] * 2
    of_fixed = found.changes.xs("NNGP(relu, depth=1)", level="prior")
    assert (of_fixed.change == 0.0).all()
    assert (of_fixed.source == "not affected").all()
    assert (found.changes.xs("NNGP(relu, depth=1) #2", level="prior").change != 0.0).all()
    # Without a network there is no e-value, and the changes are drawn alone.
    assert len(found.plot().axes) == 1
    nothing = inference.prior_sensitivity(bnn.compare(candidates[:1], X, y, **settings))
    assert nothing.table.empty
    with pytest.raises(ValueError, match="no standard deviation is inferred"):
        nothing.plot()


@pytest.mark.slow
def test_an_error_that_splits_share_counts_once(result):
    row = next(row for row in result.rows if row.kind == "NNGP")
    splits = replace(
        row,
        log_evidence_by_split=row.log_evidence_by_split * 3,
        mcse_by_split=(0.3,) * 3,
        degrees_of_freedom_by_split=(3.0,) * 3,
        bounds_by_split=row.bounds_by_split * 3,
    )
    shifted = _shifted(splits, _Found(Change(1.5, 0.2, 3.0), "draws"))
    assert shifted.log_evidence == pytest.approx(row.log_evidence + 1.5)
    assert shifted.mcse == pytest.approx(np.hypot(splits.mcse, 0.2))
    reach = 0.2 * stats.t.ppf(0.975, 3)
    assert shifted.bounds == pytest.approx((row.bounds[0] + 1.5 - reach, row.bounds[1] + 1.5 + reach))
    assert not shifted.unbiased


def test_replaced_priors_are_those_of_an_architecture_that_has_them(data):
    X, Y = jnp.asarray(data[0]), jnp.asarray(data[1])[:, None]

    def problem(weight_std, noise_std):
        return CollapsedProblem.of(priors.NNGP(bnn.mlp(1, "relu", weight_std, 0.1)), X, Y, bnn.Gaussian(noise_std))

    wide, noise = dist.LogNormal(0.3, 1.0), dist.HalfCauchy(0.3)
    replaced = ReplacedPriors.of_problem(
        problem(dist.LogNormal(0.3, 0.5), 0.2), {"weight_std_0": wide, "noise_std": noise}
    )
    expected = CollapsedProblem.of(
        priors.NNGP(bnn.Serial(bnn.Dense(wide, 0.1), bnn.Relu(), bnn.Dense(dist.LogNormal(0.3, 0.5), 0.1))),
        X, Y, bnn.Gaussian(0.2),
    )  # fmt: skip
    u = expected.sample_prior(jax.random.key(0))
    assert list(replaced.latents) == list(expected.latents)
    assert float(replaced.log_prior(u)) == pytest.approx(float(expected.log_prior(u)))
    assert float(replaced.log_likelihood(u)) == pytest.approx(float(expected.log_likelihood(u)))


@pytest.mark.slow
def test_what_cannot_be_judged_is_refused(result, tmp_path):
    with pytest.raises(ValueError, match="posteriors are not at hand"):
        inference.prior_sensitivity(bnn.load(result.save(tmp_path / "result.nc")))
    with pytest.raises(ValueError, match="factor is a positive number"):
        inference.prior_sensitivity(result, [0.0])
