"""The page on an atlas: outcomes, the figure, and a row for every cell."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from bayes_nn.inference.atlases.figure import plot_atlas
from bayes_nn.inference.drawing.figure import as_data_uri
from bayes_nn.inference.report.page import write_page
from bayes_nn.inference.verdict.rungs import RUNG_OF_OUTCOME
from bayes_nn.runtime.provenance import versions

#: What the table of the page shows, by the columns of the table of an atlas.
HEADINGS = {
    "set": "data set",
    "rows": "rows",
    "inputs": "inputs",
    "architecture": "architecture",
    "width": "width",
    "outcome": "outcome",
    "gain": "gain",
    "log_bayes_factor": "log Bayes factor",
    "feature_information": "feature information",
    "reliable": "reliable",
    "seconds": "seconds",
}
#: Errors that are shown with a number, and the digits of both.
ERRORS = {
    "gain": ("gain_se", 3),
    "log_bayes_factor": ("mcse", 1),
    "feature_information": ("feature_information_mcse", 1),
}


def write_atlas_page(table: pd.DataFrame, outcomes: pd.Series, not_done: Sequence[str], path: Path) -> Path:
    """Write the page and return its path.

    Args:
        table: of the atlas.
        outcomes: numbers of cells by outcome.
        not_done: names of cells that are not done.
        path: where to write; missing folders are made.

    Raises:
        ValueError: if no cell is done.
    """
    figure = plot_atlas(table)
    done, failed = table[table.error == ""], table[table.error != ""]
    known = {
        "outcomes": outcomes.to_dict(),
        "rung_of": RUNG_OF_OUTCOME,
        "not_done": not_done,
        "picture": as_data_uri(figure, 110),
        "most_rows": int(done.rows.max()),
        "tested_on": " or ".join(sorted(set(done.tested_on))),
        "headings": list(HEADINGS.values()),
        "rows": [[_shown(row, column) for column in HEADINGS] for row in done.to_dict("records")],
        "failures": [f"{row.set}, {row.architecture}, width={row.width}: {row.error}" for row in failed.itertuples()],
        "versions": versions(),
    }
    return write_page("atlas.html.jinja", known, (), path)


def _shown(row: dict, column: str) -> str:
    if column in ERRORS:
        error, digits = ERRORS[column]
        return f"{row[column]:.{digits}f} ± {row[error]:.{digits}f}" if row[column] == row[column] else "n/a"
    if column == "reliable":
        return "yes" if row[column] else "no"
    return f"{row[column]:.0f}" if column == "seconds" else str(row[column])
