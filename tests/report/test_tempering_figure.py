"""Pictures of the way from the prior to the posterior: what they show is what the run reports, after a reload too."""

import json
import warnings

import arviz as az
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.inference.posterior.tempering_plot import plot_tempering
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst

NET = bnn.mlp(1, "relu", 1.4, 0.1)
NETWORK = bnn.BayesianNetwork(NET, 4)
#: A single island is never reliable, since nothing checks it, so that replica exchange follows.
SMC = inference.SMC(particles=16, islands=1)
EXCHANGE = SMCFirst(SMC, inference.ReplicaExchange(rounds=2, particles=16))


@pytest.fixture(scope="module")
def result(small_data):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        candidates = [NETWORK, bnn.priors.NNGP(NET)]
        return bnn.compare(candidates, *small_data, likelihood=bnn.Gaussian(0.3), sampler=EXCHANGE, progress=False)


@pytest.fixture(scope="module")
def posterior(result):
    return result.posteriors[NETWORK.name]


def panel(figure, title):
    (found,) = [ax for ax in figure.axes if title in ax.get_title()]
    return found


@pytest.mark.slow
def test_panels_show_what_the_run_reports(posterior):
    evidence, figure = posterior.log_evidence, posterior.plot_tempering()
    details = evidence.details
    lines = panel(figure, "mean log likelihood").get_lines()
    for line, mean in zip(lines, details["expected_log_likelihood"], strict=False):
        np.testing.assert_array_equal(line.get_xdata(), details["tempering"])
        np.testing.assert_array_equal(line.get_ydata(), mean)
    accepted = [bar.get_height() for bar in panel(figure, "swaps").patches]
    assert sum(1.0 - height for height in accepted) == pytest.approx(details["barrier"])
    upper, value, lower = (line.get_ydata() for line in panel(figure, "by round").get_lines())
    assert len(value) == 2
    assert (lower[-1], value[-1], upper[-1]) == pytest.approx((evidence.lower, evidence.value, evidence.upper))


@pytest.mark.slow
def test_replicas_go_two_levels_in_a_sweep_at_most(posterior):
    details = posterior.log_evidence.details
    level = np.array(details["level_of_replica"])
    assert level.shape == (2, min(8, len(details["tempering"])), 96)
    assert details["sweeps_between"] == 1
    assert np.abs(np.diff(level, axis=2)).max() == 2  # an even pair and an odd one
    for one in level.transpose(0, 2, 1).reshape(-1, level.shape[1]):
        assert len(set(one)) == len(one)
    assert len(panel(posterior.plot_tempering(), "way of 4 replicas").get_lines()) == 4


@pytest.mark.slow
def test_the_place_is_where_most_swaps_fail_for_a_given_factor_of_tempering(posterior):
    """Four steps of a factor 10, 10, 2 and 5: the third refuses most for its length, though not most of all."""
    details = posterior.log_evidence.details | {
        "tempering": [0.0, 0.001, 0.01, 0.1, 0.2, 1.0],
        "rejection": [0.9, 0.2, 0.5, 0.4, 0.6],
        "expected_log_likelihood": [[-1e9, -50.0, -40.0, -30.0, -10.0, -8.0]],
    }
    figure = plot_tempering(details, "network", "hidden features")
    barrier = panel(figure, "local barrier")
    assert "features form here" in barrier.texts[0].get_text()
    assert barrier.get_lines()[0].get_xdata()[0] == pytest.approx(np.sqrt(0.1 * 0.2))
    np.testing.assert_allclose(barrier.patches[0].get_data().values[2], 0.4 / np.log(2.0))
    # The prior's mean log likelihood, far below the others, does not press them into a line.
    assert panel(figure, "mean log likelihood").get_ylim()[0] > -60.0
    assert "features" not in panel(plot_tempering(details, "kernel"), "local barrier").texts[0].get_text()


@pytest.mark.slow
def test_pictures_survive_files(result, posterior, tmp_path):
    again = bnn.load(result.save(tmp_path / "result.nc"))
    (row,) = [row for row in again.rows if row.name == NETWORK.name]
    assert len(row.plot_tempering().axes) == 5
    posterior.to_datatree().to_netcdf(tmp_path / "posterior.nc", engine="h5netcdf")
    attributes = az.from_netcdf(tmp_path / "posterior.nc").attrs
    assert attributes["log_evidence_method"] == "replica_exchange"
    assert json.loads(attributes["log_evidence_details"]) == posterior.log_evidence.details


def test_smc_shows_its_path(small_data):
    with pytest.warns(bnn.ConvergenceWarning):
        smc = bnn.fit(NETWORK, *small_data, bnn.Gaussian(0.3), SMC, progress=False)
    details, figure = smc.log_evidence.details, smc.plot_tempering()
    (line,) = panel(figure, "mean log likelihood").get_lines()
    assert line.get_xdata().tolist() == details["tempering"][0]
    assert line.get_ydata()[-1] == pytest.approx(details["expected_log_likelihood"])
    assert panel(figure, "tempering of every island").get_lines()[0].get_ydata()[-1] == 1.0


@pytest.mark.slow
def test_what_was_not_tempered_has_no_picture(result):
    exact = result.posteriors["NNGP(relu, depth=1)"]
    for made in (exact, next(row for row in result.rows if row.name == exact.prior.name)):
        with pytest.raises(ValueError, match="no way from the prior to the posterior"):
            made.plot_tempering()
