"""A self-contained HTML page on a comparison."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import markupsafe
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from bayes_nn.inference.drawing.figure import as_data_uri
from bayes_nn.inference.drawing.palette import COLOURS
from bayes_nn.inference.report.diagnostic_plots import pictures_of
from bayes_nn.inference.report.fit_section import FitSection
from bayes_nn.runtime.diagnostic_codes import CODE, DIAGNOSTICS, codes_in
from bayes_nn.runtime.diagnostic_paragraphs import PARAGRAPHS
from bayes_nn.runtime.provenance import versions
from bayes_nn.runtime.sealed_file import write_file

#: What an optimiser leaves of a weight of 0: shown as 0.
NOTHING = 1e-12


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
        table: a record for every prior, best first: the table of the comparison with the prior's name as ``prior``, the
            name of its rung as ``rung``, and how low and how high its evidence may be as ``lower`` and ``upper``, where
            that is known.
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
        sentences: the outcome in two sentences.
        short: short names of priors by their names.
        shared: the architecture that all share and short names lack; empty where they differ.
        information: a record of feature information for every prior that has some: prior, value, mcse, on_scale,
            on_shape.
        contradictions: between evidence, predictions and leave-one-out, in sentences.
        fits: what is known of the draws of every fit.
        loo: ArviZ's comparison by leave-one-out, the log evidence beside it; None where there is none.
        loo_failure: why there is none.
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
    sentences: str = ""
    short: Mapping[str, str] = field(default_factory=dict)
    shared: str = ""
    information: Sequence[dict[str, Any]] = ()
    contradictions: Sequence[str] = ()
    fits: Sequence[FitSection] = ()
    loo: pd.DataFrame | None = None
    loo_failure: str = "no draws were kept"

    @property
    def all_reasons(self) -> list[str]:
        """Everything on the page that may carry a code."""
        return [*(reason for _, reason in self.reasons), *self.verdict["reasons"]]


def write_report(page: Page, path: Path) -> Path:
    """Write the page and return its path; pictures are embedded, so the file can be mailed.

    Args:
        page: what to show.
        path: where to write; missing folders are made.
    """
    return write_page("report.html.jinja", _known_of(page), page.all_reasons, path)


def write_sweep_report(
    outcome: str, table: Sequence[dict[str, Any]], figure: Figure, pages: Mapping[str, Page], path: Path
) -> Path:
    """Write a page on comparisons at several architectures and widths, and return its path.

    Args:
        outcome: of all, in a sentence.
        table: a record for every architecture and width, with the name of the rung of its verdict as ``rung``.
        figure: of the same.
        pages: what the page on each comparison shows, by the name of its architecture.
        path: where to write; missing folders are made.
    """
    body = _environment().get_template("comparison.html.jinja")
    parts = [
        (name, page.verdict, page.sentences, markupsafe.Markup(body.render(_known_of(page))))
        for name, page in pages.items()
    ]
    first = next(iter(pages.values())).provenance
    known: dict[str, Any] = {"outcome": outcome, "table": table, "picture": as_data_uri(figure, 100), "parts": parts}
    known["versions"] = first.get("versions") or versions()
    return write_page("sweep.html.jinja", known, [one for page in pages.values() for one in page.all_reasons], path)


def write_fit_report(fit: FitSection, path: Path) -> Path:
    """Write a page on one fit and return its path.

    Args:
        fit: what to show.
        path: where to write; missing folders are made.
    """
    return write_page("posterior.html.jinja", {"fit": fit, "versions": versions()}, fit.reasons, path)


def _known_of(page: Page) -> dict[str, Any]:
    """What the templates of a comparison take."""
    pictures = {name: getattr(page, name) for name in ("waterfall", "evidence", "predictions", "features")}
    known = vars(page) | {f"{name}_picture": figure and as_data_uri(figure, 100) for name, figure in pictures.items()}
    names = dict.fromkeys(name for name, _ in page.reasons)
    known["codes_by_prior"] = {name: codes_in(text for of, text in page.reasons if of == name) for name in names}
    return known | {"versions": page.provenance.get("versions") or versions()}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"), autoescape=True, trim_blocks=True
    )
    environment.globals.update(pictures_of=pictures_of, number=_number, cell=_cell, linked=_linked, marked=_marked)
    environment.globals.update(colours=COLOURS, rung_class=_rung_class)
    return environment


def write_page(template: str, known: dict[str, Any], reasons: Sequence[str], path: Path) -> Path:
    """Write the page of a template and return its path.

    Args:
        template: name of its file.
        known: what it shows, by name.
        reasons: whose codes the page explains.
        path: where to write; missing folders are made.
    """
    codes = [(code, DIAGNOSTICS[code].name, PARAGRAPHS[code]) for code in codes_in(reasons)]
    text = _environment().get_template(template).render(known | {"codes": codes})
    return write_file(path, text.encode())


def _linked(text: str) -> markupsafe.Markup:
    """A text whose codes of diagnostics lead to their paragraphs."""
    escaped = str(markupsafe.escape(text))
    return markupsafe.Markup(CODE.sub(lambda code: f'[<a href="#{code[1].lower()}">{code[1]}</a>]', escaped))


def _marked(text: str) -> markupsafe.Markup:
    """A text with what stands between backticks as code."""
    return markupsafe.Markup(re.sub("`([^`]+)`", r"<code>\1</code>", str(markupsafe.escape(text))))


def _rung_class(rung: str) -> str:
    """The class of what has the colour of a rung."""
    return f"rung-{rung.replace(' ', '-') or 'undecided'}"


def _number(value: Any, digits: int = 2) -> str:
    known = not isinstance(value, jinja2.Undefined) and np.isfinite(value)
    return f"{value:.{digits}f}" if known else "n/a"


def _cell(value: Any) -> str:
    """A number with four significant digits, or text as it is."""
    if isinstance(value, bool | np.bool_ | str):
        return str(value)
    return f"{0.0 if abs(value) < NOTHING else value:.4g}" if np.isfinite(value) else "n/a"
