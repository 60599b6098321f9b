"""Posteriors in ArviZ: every promised function runs on NUTS and SMC posteriors, with the right numbers."""

from dataclasses import replace

import arviz as az
import matplotlib as mpl
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.posterior.convergence import judge_convergence

mpl.use("Agg")
SAMPLERS = {
    "infinite_hmc": inference.InfiniteHMC(warmup=300, draws=300),
    "nuts": inference.NUTS(warmup=200, draws=200),
    "smc": inference.SMC(particles=128),
}


@pytest.fixture(scope="module", params=SAMPLERS)
def posterior(request, small_data):
    network = bnn.BayesianNetwork(bnn.mlp(depth=1), 4)
    return bnn.fit(network, *small_data, sampler=SAMPLERS[request.param])


@pytest.fixture(scope="module")
def tree(posterior):
    return posterior.to_datatree()


def test_groups_and_dimensions(tree, posterior):
    drawn = {"posterior", "sample_stats", "posterior_predictive", "log_likelihood", "prior", "prior_predictive"}
    assert set(tree.children) == drawn | {"observed_data", "constant_data"}
    assert tree.posterior["hidden_weight_0"].dims == ("chain", "draw", "column", "unit_0")
    assert tree.posterior["f"].dims == ("chain", "draw", "row")
    assert tree.posterior["readout"].shape == (*posterior.shape, 5, 1)
    assert {"diverging", "energy", "acceptance_rate", "lp", "n_steps"} <= set(tree.sample_stats)


def test_the_evidence_is_noted_with_its_error(tree, posterior):
    evidence = posterior.sampler_evidence
    noted = {name: value for name, value in tree.attrs.items() if name.startswith("log_evidence")}
    assert bool(noted) == (posterior.sampler == "smc")
    if noted:
        assert noted["log_evidence"] == evidence.value
        assert noted["log_evidence_degrees_of_freedom"] == evidence.degrees_of_freedom == posterior.shape[0] - 1
        assert noted["log_evidence_unbiased"] == 1


def test_draws_without_diagnostics_are_not_converged(posterior):
    """R-hat and ESS of constants and of what is not finite are NaN, which exceeds no threshold."""
    first = {name: np.repeat(value[:, :1], value.shape[1], axis=1) for name, value in posterior.values.items()}
    stuck = replace(posterior, values=first, log_likelihood=np.zeros(posterior.shape))
    lost = replace(posterior, log_likelihood=np.full(posterior.shape, np.nan))
    for broken, reason in ((stuck, "no chain has moved"), (lost, "not finite")):
        assert any(reason in each for each in judge_convergence(broken).reasons)
    assert not any("moved" in each or "finite" in each for each in judge_convergence(posterior).reasons)


def test_observed_data_and_likelihood_are_on_the_users_scale(tree, posterior, small_data):
    X, y = small_data
    np.testing.assert_allclose(tree.observed_data["y"], y, atol=1e-12)
    np.testing.assert_allclose(tree.constant_data["X"], X, atol=1e-12)
    f = tree.posterior["f"].values * y.std() + y.mean()
    noise = tree.posterior["noise_std"].values[..., None] * y.std()
    expected = -0.5 * ((y - f) / noise) ** 2 - np.log(noise) - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(tree.log_likelihood["y"], expected, atol=1e-9)
    np.testing.assert_allclose(
        tree.posterior_predictive["y"].mean(["chain", "draw"]), posterior.predict(X).mean, atol=0.15
    )


def test_readout_and_function_belong_together(tree, posterior):
    X = np.asarray(posterior.problem.X)
    w = {name: tree.posterior[name].values[1, 7] for name in tree.posterior.data_vars}
    pre = w["weight_std_0"] / 3**0.5 * X @ w["hidden_weight_0"] + w["bias_std_0"] * w["hidden_bias_0"]
    features = np.column_stack([w["weight_std_1"] / 2 * np.maximum(pre, 0), np.full(len(X), w["bias_std_1"])])
    np.testing.assert_allclose(features @ w["readout"][:, 0], w["f"], atol=1e-10)


def test_summary_and_loo(tree):
    summary = az.summary(tree, var_names=["noise_std"])
    assert float(summary.loc["noise_std", "mean"]) > 0
    loo = az.loo(tree)
    assert np.isfinite(loo.elpd)
    assert loo.n_data_points == 30


@pytest.mark.parametrize("name", ["plot_trace_dist", "plot_energy", "plot_ppc_dist", "plot_loo_pit"])
def test_plots_run(tree, name):
    arguments = {"var_names": ["noise_std", "weight_std_0"]} if name == "plot_trace_dist" else {}
    getattr(az, name)(tree, backend="matplotlib", **arguments)
    mpl.pyplot.close("all")


def test_datatree_survives_a_file(tree, tmp_path):
    tree.to_netcdf(tmp_path / "posterior.nc", engine="h5netcdf")
    again = az.from_netcdf(tmp_path / "posterior.nc")
    np.testing.assert_array_equal(again.posterior["f"], tree.posterior["f"])


def test_exact_posteriors_offer_draws_of_the_function(small_data):
    X, y = small_data
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
    posterior = bnn.fit(priors.NNGP(net), X, y, bnn.Gaussian(0.3))
    tree = posterior.to_datatree()
    mean = tree.posterior["f"].mean(["chain", "draw"]).values * y.std() + y.mean()
    spread = tree.posterior["f"].std(["chain", "draw"]).values * y.std()
    assert (np.abs(mean - posterior.predict(X).mean) < 5 * spread / 1000**0.5).all()
    assert np.isfinite(az.loo(tree).elpd)


@pytest.mark.statistical
def test_the_prior_is_drawn_as_it_is_defined(tree):
    """500 draws: means of hidden weights and log medians of a hyperparameter within 5 standard errors."""
    weights = tree.prior["hidden_weight_0"].values
    assert tree.prior["hidden_weight_0"].dims == ("chain", "draw", "column", "unit_0")
    assert abs(weights.mean()) < 5 / weights.size**0.5
    assert abs(weights.std() - 1) < 5 / (2 * weights.size) ** 0.5
    log_noise = np.log(tree.prior["noise_std"].values)
    assert abs(log_noise.mean() - np.log(0.2)) < 5 * 1.5 / log_noise.size**0.5
    assert tree.prior_predictive["y"].dims == ("chain", "draw", "row")


def test_chains_get_their_evidence_on_demand(small_data):
    settings = inference.InfiniteHMC(chains=2, warmup=25, draws=25)
    with pytest.warns(bnn.ConvergenceWarning):
        posterior = bnn.fit(bnn.BayesianNetwork(bnn.mlp(depth=1), 4), *small_data, sampler=settings)
    assert posterior.sampler_evidence is None
    evidence = posterior.log_evidence
    assert evidence.method == "smc"
    assert np.isfinite(evidence.value)
    assert posterior.log_evidence is evidence


def test_hmc_runs(small_data):
    settings = inference.HMC(chains=2, warmup=50, draws=50)
    net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
    with pytest.warns(bnn.ConvergenceWarning):
        posterior = bnn.fit(priors.NNGP(net), *small_data, sampler=settings)
    assert posterior.sampler == "hmc"
