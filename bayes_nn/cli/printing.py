"""What the commands of ``bayes-nn`` show people in a terminal: the outcome first, then the table, then the reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

if TYPE_CHECKING:
    from bayes_nn.cli.screen import Screen
    from bayes_nn.inference.comparison.result import Comparison
    from bayes_nn.inference.comparison.sweep import Sweep
    from bayes_nn.inference.posterior.posterior import Posterior
    from bayes_nn.inference.verdict.prior_result import PriorResult

#: Columns of tables that are left out first where a terminal is narrow; the page always has all.
EXPENDABLE = ("sec.", "RMSE", "accuracy", "prob.", "feature inf.", "log BF", "test lpd", "test gain")
#: Names of priors listed behind one code.
FEW = 4

#: Of a column by its heading: what a row has there.
Cells = dict[str, Callable[[Any], str]]


def fitting_table(width: int, rows: Sequence[Any], cells: Cells, texts: Sequence[str]) -> Table:
    """A table without the most expendable columns, as many as have to go for no cell to be wrapped.

    Args:
        width: of the terminal.
        rows: what the cells are made of.
        cells: by heading.
        texts: headings of what is not numbers, aligned to the left.

    Example:
        >>> cells = {"prior": str, "log evidence": lambda row: "-12.34", "sec.": lambda row: "12"}
        >>> [one.header for one in fitting_table(24, ["StudentT"], cells, ["prior"]).columns]
        ['prior', 'log evidence']
    """
    expendable = [heading for heading in EXPENDABLE if heading in cells]
    while True:
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
        for heading in cells:
            table.add_column(heading, justify="left" if heading in texts else "right", overflow="fold")
        for row in rows:
            table.add_row(*(escape(cell(row)) for cell in cells.values()))
        console = Console(width=width)
        wide = Measurement.get(console, console.options.update(max_width=1000), table).maximum > width
        if not wide or not expendable:
            return table
        del cells[expendable.pop(0)]


def show_comparison(screen: Screen, result: Comparison) -> None:
    """Show the outcome, the table, what is not reliable and the numbers behind the verdict."""
    from bayes_nn.inference.verdict.mixture import describe_mixture
    from bayes_nn.inference.verdict.sentences import in_two_sentences
    from bayes_nn.inference.verdict.short_names import short_names, shortened

    short, shared = short_names([row.name for row in result.rows])
    heading, *numbers = shortened(str(result.verdict), short).splitlines()
    screen.show(f"[bold]{escape(heading)}[/]", escape(shortened(in_two_sentences(result.verdict), short)), "")
    scale = "standardised y" if result.standardized else "y as given"
    title = f"Log evidence of {scale} on {result.n_train} rows, in nats, best first"
    title += f"; architecture: {escape(shared)}" if shared else ""
    rows = [row for _, row in result.table.reset_index().iterrows()]
    cells: Cells = {
        "prior": lambda row: short[row.prior],
        "log evidence": lambda row: f"{row.log_evidence:.2f} \u00b1 {row.mcse:.2f}",
        "log BF": lambda row: f"{row.log_bayes_factor:.2f}",
        "prob.": lambda row: f"{row.probability:.3f}",
        "test lpd": lambda row: f"{row.lpd_test:.3f} \u00b1 {row.lpd_test_se:.3f}",
        "RMSE": lambda row: f"{row.rmse:.4g}",
        **({"accuracy": lambda row: f"{row.accuracy:.3f}"} if "accuracy" in result.table else {}),
        "feature inf.": lambda row: f"{row.feature_information:.2f}",
        "sec.": lambda row: f"{row.seconds:.0f}",
        "ok": lambda row: "yes" if row.reliable else "NO",
    }
    screen.show(title, "", fitting_table(screen.width, rows, cells, ["prior"]), "")
    reasons = _reasons(result.rows)
    show_reasons(screen, [(short[name], reason) for name, reason in reasons])
    if mixture := describe_mixture(result.feature_free):
        screen.show(escape(shortened(mixture, short)))
    told = {shortened(f"{name}: {reason}", short) for name, reason in reasons}
    screen.show("\n".join(escape(line) for line in numbers if line.strip() not in told))


def show_fit(screen: Screen, posterior: Posterior) -> None:
    """Show whether a fit converged, its evidence where the sampler found one, and why not to trust it."""
    screen.show(f"[bold]{escape(f'{posterior.prior.name}, {posterior.sampler}: {posterior.convergence.outcome}')}[/]")
    if not posterior.convergence.chains_agree:
        screen.show(escape(str(posterior.chain_weights)))
    if posterior.sampler_evidence:
        scale = "standardised y" if posterior.dataset.likelihood.scales_targets else "y"
        screen.show(f"log evidence of the {scale}: {posterior.sampler_evidence.estimate}")
    show_reasons(screen, [(posterior.prior.name, reason) for reason in (*posterior.reasons, *posterior.noise_notes)])


def show_sweep(screen: Screen, result: Sweep) -> None:
    """Show a line for every depth and width, and what is not reliable."""
    screen.show(f"[bold]{escape(result.outcome)}[/]", "")
    cells: Cells = {
        "architecture": lambda row: row.architecture,
        "width": lambda row: str(row.width),
        "log Bayes factor": lambda row: f"{row.log_bayes_factor:.2f} \u00b1 {row.mcse:.2f}",
        "test gain": lambda row: f"{row.gain:.3f} \u00b1 {row.gain_se:.3f}",
        "feature inf.": lambda row: f"{row.feature_information:.2f} \u00b1 {row.feature_information_mcse:.2f}",
        "ok": lambda row: "yes" if row.reliable else "NO",
        "verdict": lambda row: row.verdict.removeprefix("explained by "),
    }
    lines = [row for _, row in result.table.reset_index().iterrows()]
    title = f"Networks against the NNGP on {result.n_train} rows"
    screen.show(title, "", fitting_table(screen.width, lines, cells, ["architecture", "verdict"]), "")
    show_reasons(screen, _reasons(row for comparison in result.comparisons.values() for row in comparison.rows))


def show_reasons(screen: Screen, reasons: Sequence[tuple[str, str]]) -> None:
    """Say of every code which priors it concerns and what to do, and all that has no code; the log has every reason.

    Args:
        screen: where.
        reasons: pairs (prior, why not to trust it).
    """
    from bayes_nn.runtime.diagnostic_codes import DIAGNOSTICS, codes_in

    for code in codes_in(reason for _, reason in reasons):
        names = list(dict.fromkeys(name for name, reason in reasons if f"[{code}]" in reason))
        more = f" and {len(names) - FEW} more" if len(names) > FEW else ""
        about = f"{code} {DIAGNOSTICS[code].name}: {', '.join(names[:FEW])}{more}. {DIAGNOSTICS[code].what_to_do}"
        screen.show(f"[yellow]{escape(about)}[/]")
    for name, reason in reasons:
        if not codes_in([reason]):
            screen.show(f"[yellow]{escape(f'{name}: {reason}')}[/]")
    screen.log(*(f"{name}: {reason}" for name, reason in reasons))


def _reasons(rows: Iterable[PriorResult]) -> list[tuple[str, str]]:
    """Why rows are not reliable, once for those of one name."""
    return [(name, reason) for name, row in {row.name: row for row in rows}.items() for reason in row.reasons]
