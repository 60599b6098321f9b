"""A self-contained HTML page on a comparison."""

import base64
import io
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2
import numpy as np

from bayes_nn.inference.after_kernel import after_kernel
from bayes_nn.inference.alignment import kernel_alignment
from bayes_nn.inference.feature_plots import draw_features
from bayes_nn.inference.plots import plot_calibration, plot_evidence, plot_predictions
from bayes_nn.likelihood import Gaussian

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayes_nn.inference.comparison import Comparison

_STACK = ("bayes_nn", "jax", "numpyro", "blackjax", "gpjax", "arviz")


def write_report(comparison: "Comparison", path: Path) -> Path:
    """Write the page; pictures are embedded, so the file can be mailed.

    Args:
        comparison: the result of :func:`bayes_nn.compare`.
        path: where to write; missing folders are made.
    """
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    ).get_template("report.html.jinja")
    accuracy = "accuracy" in comparison.table
    plot = plot_calibration if accuracy else plot_predictions
    network = comparison.posteriors.get(comparison.verdict.network)
    after = features = None
    if network is not None and isinstance(network.target.likelihood, Gaussian):
        tests = (comparison.X_test, comparison.y_test[0]) if comparison.y_test else (None, None)
        after = after_kernel(network, *tests, progress=False)
        features = draw_features(network, after, kernel_alignment(network, progress=False))
    page = template.render(
        verdict=comparison.verdict,
        settings=comparison.settings,
        comparison=comparison,
        table=comparison.table.reset_index().to_dict("records"),
        doubts=[(row.name, reason) for row in comparison.rows for reason in row.reasons],
        methods={row.name: row.method for row in comparison.rows},
        evidence_picture=picture(plot_evidence(comparison)),
        accuracy=accuracy,
        prediction_picture=picture(plot(comparison)) if comparison.y_test else None,
        after=after,
        features_picture=picture(features) if features is not None else None,
        versions={name: version(name) for name in _STACK},
        number=_number,
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(page, encoding="utf-8")
    return path


def picture(figure: "Figure") -> str:
    """A figure as a data URI."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _number(value: float, digits: int = 2) -> str:
    return "n/a" if not np.isfinite(value) else f"{value:.{digits}f}"
