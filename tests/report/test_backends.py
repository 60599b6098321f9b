"""Plots by Plotly say what those by Matplotlib say, and what is missing or misspelt is said at once."""

import importlib.util

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.looks import css
from bayes_nn.inference.drawing.palette import COLOURS, colour_of, shades
from bayes_nn.inference.report.diagnostic_plots import KINDS

plotly = pytest.importorskip("plotly.graph_objects")


@pytest.mark.slow
def test_the_evidence_is_that_of_the_rows(regression):
    drawn = regression.plot_evidence(backend="plotly")
    assert isinstance(drawn, plotly.Figure)
    points = [one for one in drawn.data if one.xaxis == "x" and one.error_x.array is not None]
    assert len(drawn.layout.yaxis.ticktext) == len(points) == len(regression.rows)
    for place, (row, point) in enumerate(zip(regression.rows, points, strict=True)):
        assert point.y[0] == place
        assert point.x[0] == row.log_evidence
        assert point.error_x.array[0] == pytest.approx(2.0 * row.mcse)
        assert point.legendgroup == row.rung_name
        assert point.marker.line.color == css(colour_of(row.rung_name))
        assert (point.marker.color == point.marker.line.color) == row.reliable


@pytest.mark.slow
def test_the_waterfall_is_that_of_the_shares(regression):
    shares, drawn = regression.verdict.shares, regression.plot_waterfall(backend="plotly")
    bars = [one for one in drawn.data if one.type == "bar" and one.xaxis == "x"]
    reached = [bar.base[0] + bar.x[0] for bar in bars]
    np.testing.assert_allclose(sorted(reached), sorted(share.log_evidence for share in shares))
    assert {bar.marker.color[0] for bar in bars} == {css(colour_of(share.rung)) for share in shares}


@pytest.mark.slow
def test_predictions_and_the_way_to_the_posterior(regression):
    drawn = regression.plot_predictions(backend="plotly")
    clouds = [one for one in drawn.data if one.error_y.array is not None]
    for row, cloud in zip(regression.rows, clouds, strict=True):
        np.testing.assert_array_equal(cloud.x, regression.y_test[0][:, 0])
        np.testing.assert_array_equal(cloud.y, row.test_mean[0][:, 0])
    (row,) = [row for row in regression.rows if row.method == "replica_exchange"]
    drawn = row.plot_tempering(backend="plotly")
    swaps = np.concatenate([one.y for one in drawn.data if one.type == "bar"])
    np.testing.assert_allclose(swaps, 1.0 - np.array(row.details["rejection"]))


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["matplotlib", "plotly"])
def test_every_diagnostic_is_a_figure_in_the_colour_of_its_rung(regression, backend):
    row = next(row for row in regression.rows if row.method == "smc" and row.rung_name == "hidden features")
    own = {c for count in range(1, 5) for c in shades(colour_of(row.rung_name), count)}
    others = set(COLOURS.values()) - own
    for which in KINDS:
        if which == "energy":  # particles are no chain
            continue
        figure = regression.plot_diagnostics(row.name, which, backend=backend)
        if backend == "matplotlib":
            assert isinstance(figure, Figure)
            assert figure._repr_png_().startswith(b"\x89PNG")  # what a notebook shows
            found = [line.get_color() for ax in figure.axes for line in ax.get_lines()]
            found += [colour for ax in figure.axes for one in ax.collections for colour in one.get_facecolor()]
        else:
            assert isinstance(figure, plotly.Figure)
            found = [part.color for trace in figure.data for part in (trace.line, trace.marker) if part.color]
        assert any(same_color(colour, shade) for colour in found for shade in own), (which, found)
        assert not any(same_color(colour, other) for colour in found for other in others), which


@pytest.mark.slow
def test_what_makes_no_sense_is_refused(regression):
    posteriors = {posterior.sampler: posterior for posterior in regression.posteriors.values()}
    with pytest.raises(ValueError, match="no transitions of energy"):
        posteriors["exact"].plot_diagnostics("energy")
    with pytest.raises(ValueError, match=r"no figure 'rank'.*rank_dist, ess_evolution"):
        posteriors["smc"].plot_diagnostics("rank")
    with pytest.raises(ValueError, match="no prior 'NNPG'; choose from"):
        regression.plot_diagnostics("NNPG")


@pytest.mark.slow
def test_an_unknown_backend_and_a_missing_one(regression, monkeypatch):
    plots = [
        regression.plot_evidence,
        regression.plot_waterfall,
        regression.plot_predictions,
        lambda backend: regression.plot_diagnostics(regression.rows[0].name, "ppc_dist", backend=backend),
    ]
    for plot in plots:
        with pytest.raises(ValueError, match="backend must be 'matplotlib' or 'plotly'; got 'bokeh'"):
            plot(backend="bokeh")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "plotly" else found(name))
    for plot in plots:
        with pytest.raises(ImportError, match="the extra 'interactive': pip install plotly"):
            plot(backend="plotly")
