"""Figures and the page from tables and arrays alone."""

import numpy as np
import pandas as pd
import pytest

from bayes_nn.inference.drawing.figure import Plot
from bayes_nn.inference.drawing.palette import colour_of
from bayes_nn.inference.report.evidence_plot import plot_evidence, plot_evidence_curve
from bayes_nn.inference.report.feature_figure import Alignment, KernelPicture, Uses, draw_features
from bayes_nn.inference.report.page import KernelScores, Page, write_report
from bayes_nn.inference.report.prediction_plot import Calibration, Prediction, plot_calibration, plot_predictions


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "log_evidence": [-10.0, -12.0], "mcse": [0.1, 0.0], "rung": ["hidden features", "infinite width"],
            "reliable": [False, True], "gain": [0.2, 0.0], "gain_error": [0.05, 0.0],
        },
        index=["network", "NNGP"],
    )  # fmt: skip


def test_evidences_are_where_the_table_says(table):
    figure = plot_evidence(table, "y as given", "NNGP")
    points = [container.lines[0] for container in figure.axes[0].containers]
    assert [point.get_xdata().tolist() for point in points] == [[-10.0], [-12.0]]
    assert [point.get_color() for point in points] == [colour_of("hidden features"), colour_of("infinite width")]
    assert points[0].get_markerfacecolor() == "white"
    assert "lpd over NNGP" in figure.axes[1].get_xlabel()
    assert figure.legends[0].get_texts()[-1].get_text() == "not reliable"
    assert len(plot_evidence(table, "y as given", None).axes) == 1


def test_curve_divides_by_the_rows_added():
    table = pd.DataFrame(
        {
            "rows_before": [0, 10], "log_evidence": [-20.0, -30.0], "conditional": [-20.0, -10.0],
            "conditional_mcse": [0.0, 1.0], "elpd_loo": [-15.0, -25.0],
        },
        index=[10, 15],
    )  # fmt: skip
    (bars,) = plot_evidence_curve(table, "NNGP", "infinite width").axes[0].containers
    assert bars.lines[0].get_xdata().tolist() == [5.0, 12.5]
    assert bars.lines[0].get_ydata().tolist() == [2.0, 2.0]


def test_a_panel_for_every_prior():
    one = Prediction("NNGP", np.zeros(5), np.ones(5), "infinite width")
    figure = plot_predictions(np.arange(5.0), [one] * 4)
    assert [ax.get_visible() for ax in figure.axes] == [True] * 4 + [False] * 2
    groups = pd.DataFrame({"confidence": [0.6, 0.9], "rate": [0.5, 0.9], "rate_se": [0.1, 0.1]})
    assert plot_calibration([Calibration("NNGP", groups, "infinite width")]).axes[0].get_title() == "NNGP"


def test_features_with_and_without_the_uses_of_neurons():
    kernels = [KernelPicture("before", np.eye(3)), KernelPicture("after", np.eye(3))]
    alignments = [Alignment("with y, after", 0.5, 0.01, 0.1, after=True)]
    assert len(draw_features("network", kernels, alignments, 0.4).axes) == 4
    uses = Uses(np.array([0.3, 0.1]), np.zeros(2), np.ones(2), 1.5)
    figure = draw_features("network", kernels, alignments, 0.4, uses)
    assert "effectively 1.5 of 2 used" in figure.axes[3].get_title()


def test_the_page_shows_what_it_is_given(table, tmp_path):
    rest = ("log_bayes_factor", "probability", "lpd_test", "lpd_test_se", "rmse", "feature_information", "seconds")
    page = Page(
        verdict={"outcome": "undecided", "reasons": ("too few data",), "network": "", "rung": ""},
        table=[{"prior": name, **row, **dict.fromkeys(rest, 1.0)} for name, row in table.iterrows()],
        reasons=[("network", "R-hat is 1.2")],
        code_lengths=["frozen"],
        approximations=[("kernel", "a saddle point")],
        peeking=["peek"],
        settings={"inputs": 3, "splits": 2, "likelihood": "Gaussian", "jitter": 1e-10},
        n_train=20,
        standardized=True,
        accuracy=False,
        evidence=Plot(figsize=(1.0, 1.0)),
        kernels=[KernelScores("after the data", -9.25, float("nan"), 0.5)],
        features=Plot(figsize=(1.0, 1.0)),
    )
    text = write_report(page, tmp_path / "new" / "page.html").read_text()
    for shown in (
        "too few data", "network: R-hat is 1.2", "For frozen it is the code length", "That of kernel is approximate",
        "peek was made from the data", "20 training rows, 3 inputs, 2 splits", "standardised y", "-9.25",
    ):  # fmt: skip
        assert shown in text
    assert text.count("data:image/png;base64,") == 2
    assert "<h2>Predictions" not in text
