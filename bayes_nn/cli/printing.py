"""What the commands of ``bayes-nn`` print in a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from bayes_nn.inference.comparison.result import Comparison
    from bayes_nn.inference.comparison.sweep import Sweep
    from bayes_nn.inference.verdict.prior_result import PriorResult

#: Columns of a terminal from which on the whole table is printed; the report always has all of it.
WIDE = 130

console = Console()


def show_reasons(name: str, reasons: Sequence[str]) -> None:
    """Print why not to trust a prior's fit."""
    for reason in reasons:
        console.print(f"[yellow]{escape(f'{name}: {reason}')}[/]", highlight=False)


def show_comparison(result: Comparison) -> None:
    """Print the table and the verdict."""
    from bayes_nn.inference.verdict.mixture import describe_mixture

    scale = "standardised y" if result.standardized else "y as given"
    table = Table(
        title=f"Priors on {result.n_train} rows; log evidence of {scale} in nats, best first", title_justify="left"
    )
    table.add_column("prior", overflow="fold")
    cells: dict[str, Callable[[Any], str]] = {
        "log evidence": lambda row: f"{row.log_evidence:.2f} ± {row.mcse:.2f}",
        "log BF": lambda row: f"{row.log_bayes_factor:.2f}",
        "test lpd": lambda row: f"{row.lpd_test:.3f} ± {row.lpd_test_se:.3f}",
    }
    if console.width >= WIDE:
        cells |= {
            "prob.": lambda row: f"{row.probability:.3f}",
            "RMSE": lambda row: f"{row.rmse:.4g}",
            **({"accuracy": lambda row: f"{row.accuracy:.3f}"} if "accuracy" in result.table else {}),
            "feature inf.": lambda row: f"{row.feature_information:.2f}",
            "sec.": lambda row: f"{row.seconds:.0f}",
        }
    cells["ok"] = lambda row: "yes" if row.reliable else "NO"
    for heading in cells:
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in result.table.iterrows():
        table.add_row(str(name), *(cell(row) for cell in cells.values()))
    console.print(table)
    _show_reasons(result.rows)
    if mixture := describe_mixture(result.feature_free):
        console.print(mixture, highlight=False)
    console.print(str(result.verdict), highlight=False)


def _show_reasons(rows: Iterable[PriorResult]) -> None:
    """Print why rows are not reliable, once for those of one name."""
    for name, row in {row.name: row for row in rows}.items():
        show_reasons(name, row.reasons)


def show_sweep(result: Sweep, rows: int) -> None:
    """Print a line for every depth and width."""
    table = Table(title=f"Networks against the NNGP on {rows} rows", title_justify="left")
    for heading in ("architecture", "width", "log Bayes factor", "test gain", "feature inf.", "verdict", "ok"):
        table.add_column(heading, justify="left" if heading in ("architecture", "verdict") else "right")
    for (name, n), row in result.table.iterrows():
        table.add_row(
            name, str(n), f"{row.log_bayes_factor:.2f} ± {row.mcse:.2f}", f"{row.gain:.3f} ± {row.gain_se:.3f}",
            f"{row.feature_information:.2f} ± {row.feature_information_mcse:.2f}", row.verdict,
            "yes" if row.reliable else "NO",
        )  # fmt: skip
    console.print(table)
    _show_reasons(row for comparison in result.comparisons.values() for row in comparison.rows)
