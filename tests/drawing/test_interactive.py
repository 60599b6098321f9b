"""What Plotly shows of each of our plots is what Matplotlib drew: numbers, colours, places and words."""

import inspect

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer, ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

import bayes_nn as bnn
from bayes_nn.inference.atlases.figure import plot_atlas
from bayes_nn.inference.comparison.learning_curves import LearningCurves
from bayes_nn.inference.drawing.interactive import as_plotly
from bayes_nn.inference.drawing.looks import css, text
from bayes_nn.inference.features.function_plot import plot_functions
from bayes_nn.inference.posterior.metric import LearnedMetric
from bayes_nn.inference.report import evidence_plot, prediction_plot
from bayes_nn.inference.report.feature_figure import Alignment, KernelPicture, Uses, draw_features
from bayes_nn.inference.report.learning_curve_plot import plot_learning_curves
from bayes_nn.inference.report.metric_figure import draw_metric
from bayes_nn.inference.report.richness_plot import plot_richness
from bayes_nn.inference.report.sensitivity_plot import plot_sensitivity
from bayes_nn.inference.report.sweep_plot import plot_sweep
from bayes_nn.inference.report.tempering_figure import ExchangePicture, draw_exchange, draw_path
from bayes_nn.inference.report.waterfall_plot import plot_waterfall
from bayes_nn.inference.verdict.prior_result import PriorResult

plotly = pytest.importorskip("plotly.graph_objects")

RUNGS = ["infinite width", "scale", "input metric", "hidden features"]
NAMES = ["NNGP", "ScaleMixture(32)", "InputMetric(2)", "BayesianNetwork(32)"]
RNG = np.random.default_rng(0)


def evidence():
    table = pd.DataFrame(
        {
            "log_evidence": [-250.0, -252.0, -256.5, -261.0], "mcse": [0.3, 0.2, 0.1, 0.01], "rung": RUNGS[::-1],
            "reliable": [False, True, True, True], "gain": [0.05, 0.04, 0.01, 0.0],
            "gain_error": [0.02, 0.02, 0.01, 0.0],
        },
        index=pd.Index(NAMES[::-1], name="relu, depth=1"),
    )  # fmt: skip
    return evidence_plot.plot_evidence(table, "standardised y", "NNGP")


def waterfall():
    columns = {
        "rung": RUNGS[1:], "prior": ["NNGP", "InputMetric(2)", "BayesianNetwork(32)"], "log_evidence": [0.0, 6.0, 4.5],
        "log_evidence_error": [0.0, 0.3, 0.4], "lpd": [0.0, 0.04, 0.05], "lpd_error": [0.0, 0.01, 0.02],
    }  # fmt: skip
    return plot_waterfall(pd.DataFrame(columns).rename_axis("relu, depth=1"))


def evidence_curve():
    table = pd.DataFrame(
        {
            "rows_before": [0, 10, 20], "log_evidence": [-20.0, -32.0, -50.0], "conditional": [-20.0, -12.0, -18.0],
            "conditional_mcse": [0.5, 1.0, 1.0], "elpd_loo": [-15.0, -25.0, -38.0],
        },
        index=[10, 20, 40],
    )  # fmt: skip
    return evidence_plot.plot_evidence_curve(table, "BayesianNetwork(32)", "hidden features")


def sweep():
    index = pd.MultiIndex.from_product(
        [["relu, depth=1", "erf, depth=2"], [4, 16, 64]], names=["architecture", "width"]
    )
    table = pd.DataFrame(
        {
            "log_bayes_factor": [4.0, 2.0, 0.5, 3.0, 6.0, 2.0], "mcse": 0.3, "gain": [0.1, 0.05, 0.0, 0.1, 0.2, 0.1],
            "gain_se": 0.02, "feature_information": [9.0, 5.0, 1.0, 12.0, 8.0, 2.0], "feature_information_mcse": 0.5,
            "reliable": [True, True, False, True, True, True],
            "verdict": ["explained by scale", "undecided", "undecided"] + ["needs hidden features"] * 3,
            "rung": ["scale", "", "", *["hidden features"] * 3],
        },
        index,
    )  # fmt: skip
    return plot_sweep(table)


def richness():
    table = pd.DataFrame(
        {
            "log_evidence": [-9.0, -8.0, -8.5, -11.0], "mcse": 0.2, "nngp_log_evidence": [-9.5, -9.0, -10.0, -13.0],
            "nngp_mcse": 0.0, "feature_information": [1.0, 2.0, 4.0, 7.0], "feature_information_mcse": 0.3,
            "reliable": [True, True, False, True],
        },
        pd.Index([0.5, 1.0, 2.0, 4.0], name="gamma"),
    )  # fmt: skip
    return plot_richness(table, 8, (1.0, 0.7, 3.0))


def learning_curves():
    index = pd.MultiIndex.from_product([NAMES, [25, 50, 100, 200]], names=["account", "rows"])
    steps = np.tile(np.arange(4.0), 4) + np.repeat(np.arange(4.0), 4)
    table = pd.DataFrame(
        {
            "lpd_test": -2.0 + 0.1 * steps, "lpd_test_se": 0.03, "rmse": 1.0 - 0.1 * steps, "rmse_se": 0.0,
            "gain": 2.0 * steps, "gain_se": 0.5, "reliable": steps != 3.0, "rung": np.repeat(RUNGS, 4),
        },
        index,
    )  # fmt: skip
    return plot_learning_curves(table, "NNGP")


def sensitivity():
    cases = [(site, factor) for site in ("noise_std", "weight_std_0") for factor in (0.5, 2.0)]
    table = pd.DataFrame(
        {"log_e_value": [1.0, 2.0, 1.5, 3.0], "reliable": [True, False, True, True]},
        pd.MultiIndex.from_tuples(cases),
    )
    each = pd.MultiIndex.from_tuples([(*case, name) for case in cases for name in NAMES])
    columns = {"change": RNG.normal(size=16), "mcse": 0.1, "reliable": [True] * 15 + [False], "rung": RUNGS * 4}
    return plot_sensitivity(table, pd.DataFrame(columns, each), 1.6, 3.0)


def predictions():
    observed = RNG.normal(size=20)
    return prediction_plot.plot_predictions(observed, [
        prediction_plot.Prediction(f"{name}\nRMSE 0.5", observed + 0.3 * RNG.normal(size=20), np.full(20, 0.3), rung)
        for name, rung in zip(NAMES, RUNGS, strict=True)
    ])  # fmt: skip


def calibration():
    groups = pd.DataFrame({"confidence": [0.6, 0.75, 0.9], "rate": [0.5, 0.8, 0.9], "rate_se": [0.1, 0.1, 0.05]})
    return prediction_plot.plot_calibration([
        prediction_plot.Calibration(f"{name}\naccuracy 0.8", groups, rung)
        for name, rung in zip(NAMES[:2], RUNGS, strict=False)
    ])  # fmt: skip


def exchange():
    tempering = np.array([0.0, 0.001, 0.01, 0.1, 0.2, 0.5, 1.0])
    barrier, ways = np.array([0.1, 0.2, 0.3, 0.7, 0.4]), RNG.integers(0, 7, size=(4, 30))
    expected = np.array([[-2000.0, -90.0, -60.0, -40.0, -30.0, -20.0, -15.0]] * 2) + np.array([[0.0], [3.0]])
    sides = np.array([[-60.0, -57.0, -53.0], [-58.0, -57.2, -56.0], [-57.6, -57.3, -57.0]])
    meaning = "the largest: features form here,\nif anywhere"
    picture = ExchangePicture(tempering, expected, barrier, np.linspace(0.3, 0.8, 6), ways, 2, sides, 0.14, meaning)
    return draw_exchange("BayesianNetwork(32), replica exchange", picture, "hidden features")


def path():
    tempering = np.array([[0.001, 0.02, 0.2, 1.0], [0.002, 0.03, 0.3, 1.0]])
    mean = np.array([[-90.0, -60.0, -30.0, -15.0], [-80.0, -50.0, -28.0, -15.0]])
    return draw_path("NNGP, SMC", tempering, mean, "infinite width")


def metric():
    shares = np.array([[0.6, 0.3, 0.1], [0.5, 0.2, 0.0], [0.7, 0.4, 0.2]])
    directions = np.linalg.qr(RNG.normal(size=(3, 3)))[0][:, :2]
    return draw_metric(
        "InputMetric(2)", ["age", "blood pressure", "s5"], shares, 1 / 3, directions, 2.0 * shares[:, :2]
    )


def ard():
    shares = np.array([[0.6, 0.3, 0.1], [0.5, 0.2, 0.0], [0.7, 0.4, 0.2]])
    return draw_metric("InputMetric()", ["age", "blood pressure", "s5"], shares, 1 / 3, None, shares)


def features():
    y = np.sort(RNG.normal(size=12))
    kernels = [KernelPicture("kernel before\nlog evidence -30.0 nats", np.cov(RNG.normal(size=(12, 30))))]
    kernels += [KernelPicture("kernel after\nlog evidence -25.0 nats", np.outer(y, y) + 0.1 * np.eye(12))]
    alignments = [
        Alignment("with y, before", 0.2, 0.01, 0.05, after=False),
        Alignment("with y, after", 0.6, 0.02, 0.1, after=True),
        Alignment("prior to posterior", 0.4, 0.02, 0.1, after=True),
    ]
    use = np.array([0.3, 0.1, 0.05, 0.0])
    return draw_features("BayesianNetwork(4)", kernels, alignments, 0.25, Uses(use, use - 0.05, use + 0.1, 1.8))


def functions(wrong=True):
    count = 40
    draws = np.sort(RNG.poisson(3.0 * np.arange(count)))[::-1]
    table = pd.DataFrame({"draws": draws, "members": RNG.poisson(0.3 * draws + 0.2)})
    table["log10_bayes_se"] = np.where(draws > 0, 0.43 / np.sqrt(np.maximum(draws, 1)), np.nan)
    table["log10_sgd_se"] = 0.43 / np.sqrt(np.maximum(table.members, 1))
    return plot_functions(table.assign(wrong=np.arange(count) % 7) if wrong else table, (5000, 1000), 10)


def functions_without_test():
    return functions(wrong=False)


def atlas():
    outcomes = ["undecided", "explained by scale", "needs hidden features", "no finite-width gain"]
    table = pd.DataFrame(
        {
            "set": np.repeat(["diabetes", "concrete", "yacht"], 4), "width": [16, 64] * 6, "error": "",
            "architecture": ["relu, depth=1", "relu, depth=1", "erf, depth=2", "erf, depth=2"] * 3,
            "reliable": [True, True, False] * 4, "outcome": outcomes * 3, "gain": np.linspace(-0.1, 0.6, 12),
        }
    )  # fmt: skip
    table.loc[7, ["error", "outcome"]] = "out of memory", ""
    return plot_atlas(table)


PICTURES = [
    evidence, waterfall, evidence_curve, sweep, richness, learning_curves, sensitivity, predictions, calibration,
    exchange, path, metric, ard, features, functions, functions_without_test, atlas,
]  # fmt: skip


def lines_of(ax):
    """Coordinates and colours of all lines that lie in the panel, caps of error bars left out."""
    drawn = [one for one in ax.lines if one.get_transform() == ax.transData and one.get_marker() not in ("|", "_")]
    return [(np.column_stack(one.get_data()).astype(float), one.get_color()) for one in drawn if len(one.get_xdata())]


def bars_of(ax):
    """Ends of all error bars, by direction: coordinates and colours."""
    found = []
    for container in ax.containers:
        if isinstance(container, ErrorbarContainer) and container.lines[0] is not None:
            directions = [0] * container.has_xerr + [1] * container.has_yerr
            for which, drawn in zip(directions, container.lines[2], strict=True):
                found.append((which, np.array(drawn.get_segments())[:, :, which], drawn.get_color()[0]))
    return found


def drawn_at(ax, coordinates):
    """Coordinates as they are on Plotly's axes: all scales but straight and logarithmic ones are transformed."""
    straight = [axis.get_scale() in ("linear", "log") for axis in (ax.xaxis, ax.yaxis)]
    return np.where(straight, coordinates, ax.transScale.transform(coordinates))


@pytest.fixture(scope="module", params=PICTURES, ids=lambda one: one.__name__)
def pair(request):
    figure = request.param()
    shown = as_plotly(figure)
    scales = [one.colorbar.ax for ax in figure.axes for one in (*ax.images, *ax.collections) if one.colorbar]
    panels = [ax for ax in figure.axes if ax.get_visible() and ax not in scales]
    traces = {place: [] for place in range(len(panels))}
    for trace in shown.data:
        if trace.type == "heatmap" or (trace.x is not None and list(trace.x) != [None]):
            traces[int((trace.xaxis or "x")[1:] or 1) - 1].append(trace)
    return figure, shown, [(ax, traces[place]) for place, ax in enumerate(panels)]


def test_numbers_and_colours_are_those_drawn(pair):
    for ax, traces in pair[2]:
        curves = [one for one in traces if one.type == "scatter" and one.fill in (None, "none")]
        for coordinates, colour in lines_of(ax):
            where = drawn_at(ax, coordinates)
            same = [one for one in curves if len(one.x) == len(where)]
            same = [one for one in same if np.allclose(np.column_stack([one.x, one.y]), where, equal_nan=True)]
            colours = {part.color for one in same for part in (one.line, one.marker, one.marker.line)}
            assert css(colour) in colours
        for points in (one for one in ax.collections if isinstance(one, PathCollection) and len(one.get_offsets())):
            assert any(
                np.shape(one.x) == (len(points.get_offsets()),)
                and np.allclose(np.column_stack([one.x, one.y]), points.get_offsets())
                and set(np.atleast_1d(one.marker.color))
                <= set(map(css, (*points.get_facecolor(), *points.get_edgecolor())))
                for one in curves
            )
        bars = [one for one in traces if one.type == "bar"]
        drawn = [(one.get_x(), one.get_y(), one.get_width(), one.get_height()) for one in bar_patches(ax)]
        shown = [box for one in bars for box in boxes_of(one)]
        np.testing.assert_allclose(np.reshape(shown, (-1, 4)), np.reshape(drawn, (-1, 4)), atol=1e-12)
        for image, heat in zip(ax.images, [one for one in traces if one.type == "heatmap"], strict=True):
            np.testing.assert_array_equal(image.get_array(), heat.z)
            assert (heat.zmin, heat.zmax) == image.get_clim()


def bar_patches(ax):
    return [one for container in ax.containers if isinstance(container, BarContainer) for one in container.patches]


def boxes_of(trace):
    along, across, width = (np.array(one, float) for one in (trace.base, trace.y, trace.width))
    if trace.orientation == "h":
        return list(zip(along, across - width / 2, np.array(trace.x, float), width, strict=True))
    across = np.array(trace.x, float)
    return list(zip(across - width / 2, along, width, np.array(trace.y, float), strict=True))


def test_error_bars_are_as_long_as_those_drawn(pair):
    for ax, traces in pair[2]:
        for which, ends, colour in bars_of(ax):
            found = []
            for trace in traces:
                bar = trace.error_x if which == 0 else trace.error_y
                if bar.array is not None and len(bar.array) == len(ends):
                    at = np.array(trace.x if which == 0 else trace.y, float)
                    found.append((np.column_stack([at - bar.arrayminus, at + bar.array]), bar.color))
            assert any(np.allclose(own, ends, equal_nan=True) and css(colour) == shown for own, shown in found)


def test_nothing_is_left_out(pair):
    """As many traces and shapes as there are lines, clouds, areas, containers and images."""
    for number, (ax, traces) in enumerate(pair[2], 1):
        inside = {id(part) for container in ax.containers for part in container.get_children()}
        apart = [one for one in (*ax.lines, *ax.collections, *ax.patches, *ax.images) if id(one) not in inside]
        empty = [one for one in apart if isinstance(one, Line2D) and not len(one.get_xdata())]
        empty += [one for one in apart if isinstance(one, PathCollection) and not len(one.get_offsets())]
        bare = [one for one in ax.containers if isinstance(one, ErrorbarContainer) and one.lines[0] is None]
        shapes = [one for one in pair[1].layout.shapes if one.xref.split()[0] == f"x{number if number > 1 else ''}"]
        expected = len(apart) - len(empty) + len(ax.containers) + sum(len(one.lines[2]) - 1 for one in bare)
        assert len(traces) + len(shapes) == expected


def test_panels_words_and_legends_are_where_they_were(pair):
    figure, shown, panels = pair
    for number, (ax, _) in enumerate(panels, 1):
        name, where = "" if number == 1 else number, ax.get_position()
        x, y = shown.layout[f"xaxis{name}"], shown.layout[f"yaxis{name}"]
        np.testing.assert_allclose([*x.domain, *y.domain], np.clip([*where.intervalx, *where.intervaly], 0.0, 1.0))
        for axis, own, limits in ((x, ax.xaxis, ax.get_xlim()), (y, ax.yaxis, ax.get_ylim())):
            assert axis.title.text == text(own.get_label_text())
            if own.get_scale() in ("linear", "log"):
                np.testing.assert_allclose(10.0 ** np.array(axis.range) if axis.type == "log" else axis.range, limits)
    words = [one for ax, _ in panels for one in (ax.title, *ax.texts)] + figure.texts
    assert sorted(one.text for one in shown.layout.annotations) == sorted(
        text(one.get_text()) for one in words if one.get_text()
    )
    legends = [*figure.legends, *(ax.get_legend() for ax, _ in panels if ax.get_legend())]
    entries = [text(one.get_text()) for legend in legends for one in legend.get_texts()]
    assert [one.name for one in shown.data if one.showlegend] == entries


def test_names_stand_on_the_axis_and_in_what_is_hovered_over():
    shown = as_plotly(evidence())
    assert list(shown.layout.yaxis.ticktext) == NAMES[::-1]
    assert shown.data[0].hovertext == ("-250 \u00b1 0.6, BayesianNetwork(32)",)


def test_rounds_are_whole_numbers():
    rounds, nats = as_plotly(exchange()).layout.xaxis3, as_plotly(exchange()).layout.yaxis3
    assert rounds.title.text == "round"
    assert rounds.dtick == 1.0
    assert nats.dtick is None


def test_a_click_on_a_rung_hides_its_priors():
    shown = as_plotly(evidence())
    groups = {one.legendgroup for one in shown.data if not one.showlegend and one.error_x.array is not None}
    assert groups == set(RUNGS) < {one.legendgroup for one in shown.data if one.showlegend}


def test_what_has_no_counterpart_is_named():
    figure = Figure()
    figure.subplots().quiver([0.0], [0.0], [1.0], [1.0])
    with pytest.raises(TypeError, match="no counterpart of Quiver in Plotly"):
        as_plotly(figure)


def test_plotly_draws_into_no_figure_that_is_given():
    with pytest.raises(ValueError, match="makes a figure of its own: leave out figure"):
        LearningCurves(pd.DataFrame()).plot(Figure(), backend="plotly")


def test_every_plot_takes_a_backend():
    public = [getattr(room, name) for room in (bnn, bnn.inference, bnn.priors) for name in room.__all__]
    known = [one for one in public if inspect.isfunction(one) and one.__name__.startswith("plot")]
    classes = [*filter(inspect.isclass, public), PriorResult, LearnedMetric]
    known += [what for one in classes for name, what in vars(one).items() if name.startswith("plot")]
    assert len(known) >= 15
    assert [one.__qualname__ for one in known if "backend" not in inspect.signature(one).parameters] == []
