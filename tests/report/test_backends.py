"""Plots by Plotly say what those by Matplotlib say, and what is missing or misspelt is said at once."""

import importlib.util

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.palette import COLOURS, colour_of, shades
from bayes_nn.inference.report.diagnostic_plots import KINDS

plotly = pytest.importorskip("plotly.graph_objects")


def test_the_evidence_is_where_matplotlib_has_it(regression):
    drawn, interactive = regression.plot_evidence(), regression.plot_evidence(backend="plotly")
    assert isinstance(interactive, plotly.Figure)
    for column, axis in enumerate(("x", "x2")):
        by_name = {
            name: (x, bar, rung.name, rung.marker.color, symbol)
            for rung in interactive.data
            if rung.xaxis == axis
            for name, x, bar, symbol in zip(rung.y, rung.x, rung.error_x.array, rung.marker.symbol, strict=True)
        }
        places = [label.get_text() for label in drawn.axes[0].get_yticklabels()]
        points = drawn.axes[column].containers
        assert len(points) == len(by_name) == len(regression.rows)
        for name, row, point in zip(places, regression.rows, points, strict=True):
            x, bar, rung, colour, symbol = by_name[name]
            assert x == point.lines[0].get_xdata()[0]
            ends = point.lines[2][0].get_segments()[0][:, 0]
            assert bar == pytest.approx(np.ptp(ends) / 2)
            assert rung == row.rung_name
            assert same_color(colour, point.lines[0].get_color())
            assert (symbol == "circle") == row.reliable


def test_the_waterfall_is_that_of_matplotlib(regression):
    drawn, interactive = regression.plot_waterfall(), regression.plot_waterfall(backend="plotly")
    bars = [trace for trace in interactive.data if trace.type == "bar"]
    for ax, bar in zip(drawn.axes, bars, strict=True):
        patches = ax.patches
        np.testing.assert_allclose([one.get_x() for one in patches], np.array(bar.base, float))
        np.testing.assert_allclose([one.get_width() for one in patches], np.array(bar.x, float))
        assert all(same_color(one.get_facecolor(), c) for one, c in zip(patches, bar.marker.color, strict=True))


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


def test_what_makes_no_sense_is_refused(regression):
    posteriors = {posterior.sampler: posterior for posterior in regression.posteriors.values()}
    with pytest.raises(ValueError, match="no transitions of energy"):
        posteriors["exact"].plot_diagnostics("energy")
    with pytest.raises(ValueError, match=r"no figure 'rank'.*rank_dist, ess_evolution"):
        posteriors["smc"].plot_diagnostics("rank")
    with pytest.raises(ValueError, match="no prior 'NNPG'; choose from"):
        regression.plot_diagnostics("NNPG")


def test_an_unknown_backend_and_a_missing_one(regression, monkeypatch):
    plots = [
        regression.plot_evidence,
        regression.plot_waterfall,
        lambda backend: regression.plot_diagnostics(regression.rows[0].name, "ppc_dist", backend=backend),
    ]
    for plot in plots:
        with pytest.raises(ValueError, match="backend must be 'matplotlib' or 'plotly'; got 'bokeh'"):
            plot(backend="bokeh")
    found = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "plotly" else found(name))
    for plot in plots:
        with pytest.raises(ImportError, match="pip install plotly"):
            plot(backend="plotly")
