"""A self-contained HTML page on a comparison."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import numpy as np
from matplotlib.figure import Figure

from bayes_nn.runtime.provenance import versions
from bayes_nn.runtime.sealed_file import write_file


class KernelScores(NamedTuple):
    """Scores of a Gaussian process with one of a network's kernels.

    Attributes:
        name: in words.
        log_evidence: nats.
        lpd: nats per test point; NaN without test data.
        rmse: user's scale; NaN without test data.
    """

    name: str
    log_evidence: float
    lpd: float
    rmse: float


@dataclass(frozen=True)
class Page:
    """What the page on a comparison shows.

    Attributes:
        verdict: the fields of the verdict by name.
        table: a record for every prior, best first: the table of the comparison with the prior's name as ``prior``.
        reasons: pairs (prior, reason) of what is not reliable.
        code_lengths: priors whose evidence is a code length.
        approximations: pairs (prior, what makes its evidence approximate).
        peeking: priors made from the data.
        settings: what the comparison was run with.
        n_train: training rows of a split.
        standardized: whether the evidence is that of the standardised y.
        accuracy: whether y is a label.
        evidence: figure of evidences and test scores.
        mixture: what all feature-free priors as one are worth, in a sentence; empty where not known.
        waterfall: figure of what every rung recovers of the network's gain; None where that is not known.
        predictions: figure of predictions on test data; None without.
        kernels: of the judged network, before and after the data; empty where they are not known.
        features: figure of what its features became, or None.
        provenance: seed, digest of the data and versions of a comparison.
    """

    verdict: dict[str, Any]
    table: Sequence[dict[str, Any]]
    reasons: Sequence[tuple[str, str]]
    code_lengths: Sequence[str]
    approximations: Sequence[tuple[str, str]]
    peeking: Sequence[str]
    settings: dict[str, Any]
    n_train: int
    standardized: bool
    accuracy: bool
    evidence: Figure
    mixture: str = ""
    waterfall: Figure | None = None
    predictions: Figure | None = None
    kernels: Sequence[KernelScores] = ()
    features: Figure | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)


def write_report(page: Page, path: Path) -> Path:
    """Write the page and return its path; pictures are embedded, so the file can be mailed.

    Args:
        page: what to show.
        path: where to write; missing folders are made.
    """
    template = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    ).get_template("report.html.jinja")
    pictures = {name: getattr(page, name) for name in ("waterfall", "evidence", "predictions", "features")}
    text = template.render(
        vars(page)
        | {f"{name}_picture": figure and picture(figure) for name, figure in pictures.items()}
        | {"versions": page.provenance.get("versions") or versions(), "number": _number}
    )
    return write_file(path, text.encode())


def picture(figure: Figure) -> str:
    """A figure as a data URI.

    Example:
        >>> picture(Figure(figsize=(1.0, 1.0)))[:22]
        'data:image/png;base64,'
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _number(value: float, digits: int = 2) -> str:
    return "n/a" if not np.isfinite(value) else f"{value:.{digits}f}"
