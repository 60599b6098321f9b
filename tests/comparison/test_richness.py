"""Richness along the readout's scale, against single fits and closed forms."""

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from jax import monitoring

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.comparison.richness import checked_scales
from bayes_nn.inference.problem.collapsed import CollapsedProblem

NET = bnn.mlp(1, "erf", 1.4, 0.3)
FEW = {"likelihood": bnn.Gaussian(0.5), "sampler": inference.SMC(particles=16, islands=2), "progress": False}


@pytest.fixture(scope="module")
def found(small_data):
    with pytest.warns(bnn.ConvergenceWarning):
        return inference.richness(NET, 4, *small_data, [2.0, 1.0, 4.0], **FEW)


@pytest.mark.slow
def test_rows_are_fits_of_scaled_readouts(found, small_data):
    """The NNGP's evidence exactly, the network's within 4 errors of SMC on the network with another number."""
    X, y = small_data
    assert found.table.index.to_list() == [1.0, 2.0, 4.0]
    scaled = bnn.Serial(bnn.Dense(1.4, 0.3), bnn.Erf(), bnn.Dense(0.7, 0.3))
    nngp = bnn.fit(priors.NNGP(scaled), X, y, bnn.Gaussian(0.5)).log_evidence.value
    assert found.table.nngp_log_evidence[2.0] == pytest.approx(nngp, abs=1e-8)
    with pytest.warns(bnn.ConvergenceWarning):
        one = bnn.fit(bnn.BayesianNetwork(scaled, 4), X, y, bnn.Gaussian(0.5), FEW["sampler"], key=9, progress=False)
    row = found.table.loc[2.0]
    assert abs(row.log_evidence - one.log_evidence.value) < 4.0 * np.hypot(row.mcse, one.log_evidence.mcse) + 0.5
    assert row.over_nngp == pytest.approx(row.log_evidence - row.nngp_log_evidence)
    assert (found.table.feature_information > 0.0).all()
    assert not found.table.reliable.any()


@pytest.mark.slow
def test_it_says_and_draws_what_it_found(found):
    text = str(found)
    assert "highest evidence of the network: gamma" in text
    assert "2: mean-field" in text
    assert "NOT RELIABLE" in text
    assert len(found.plot().axes) == 2


@pytest.mark.slow
def test_other_scales_compile_nothing(found, small_data):
    seen = []

    def listener(event, duration, **kwargs):
        if event == "/jax/core/compile/backend_compile_duration":
            seen.append(event)

    monitoring.register_event_duration_secs_listener(listener)
    with pytest.warns(bnn.ConvergenceWarning):
        inference.richness(NET, 4, *small_data, [0.7, 3.0], **FEW, key=5)
    monitoring.unregister_event_duration_listener(listener)
    assert seen == []


def test_the_interval_is_where_the_curve_falls_by_two_nats():
    """A parabola in log2 gamma sampled finely: -x^2 falls by 2 at +-sqrt 2."""
    x = np.linspace(-4.0, 4.0, 401)
    table = pd.DataFrame({"log_evidence": -((x - 1.0) ** 2), "nngp_log_evidence": x}, index=pd.Index(2.0**x))
    result = inference.Richness(table, 4, "network")
    assert result.best.gamma == pytest.approx(2.0)
    assert result.best.inside
    np.testing.assert_allclose(np.log2(result.best[1:3]), [1.0 - 2**0.5, 1.0 + 2**0.5], atol=1e-3)
    assert result.best_of_nngp.upper == pytest.approx(16.0)
    assert result.best_of_nngp.lower == pytest.approx(4.0)
    assert "cuts it off" in str(result.best_of_nngp)


def test_default_scales_go_from_lazy_to_beyond_mean_field():
    np.testing.assert_allclose(checked_scales(None, 16), [0.5, 1.0, 2**0.5, 2.0, 8**0.5, 4.0, 8.0])
    assert checked_scales(None, 1) == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    "scales", [[], [1.0], [1.0, 1.0], [0.0, 1.0], [1.0, float("nan")], ["a", "b"], 2.0, [True, 2.0]]
)
def test_bad_scales_are_refused(scales, small_data):
    with pytest.raises(ValueError, match="two different positive numbers"):
        inference.richness(NET, 4, *small_data, scales, **FEW)


def test_other_bad_input_is_refused_before_any_fit(small_data, monkeypatch):
    monkeypatch.setattr("bayes_nn.inference.comparison.richness.fit_dataset", None)
    X, y = small_data
    with pytest.raises(ValueError, match="width must be"):
        inference.richness(NET, 0, X, y, **FEW)
    with pytest.raises(ValueError, match="expected an architecture"):
        inference.richness("relu", 4, X, y, **FEW)
    with pytest.raises(ValueError, match="sampler must be"):
        inference.richness(NET, 4, X, y, sampler="smc")
    with pytest.raises(ValueError, match="max_seconds"):
        inference.richness(NET, 4, X, y, max_seconds=-1.0)
    with pytest.raises(ValueError, match="rows"):
        inference.richness(NET, 4, X[:-1], y, **FEW)


def test_scaled_problems_share_their_static_part(small_data):
    X, y = map(jnp.asarray, small_data)
    made = [
        CollapsedProblem.of(bnn.BayesianNetwork(NET, 4).with_readout_scale(s), X, y[:, None], bnn.Gaussian(0.5))
        for s in (0.5, 1.0)
    ]
    assert made[0].prior == made[1].prior
    assert made[0].fixed["readout_scale"] != made[1].fixed["readout_scale"]
