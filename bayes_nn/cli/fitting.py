"""The commands on one fit and on what was saved: ``bayes-nn fit`` and ``report``."""

import json
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

import bayes_nn as bnn
from bayes_nn.cli.documents import comparison_document, fit_document, plain, sweep_document
from bayes_nn.cli.options import (
    PRIORS,
    Activation,
    Checkpoint,
    Depth,
    KeepDuplicates,
    Likelihood,
    Seed,
    Std,
    named_likelihood,
    named_priors,
    with_table,
)
from bayes_nn.cli.printing import show_comparison, show_fit, show_sweep

if TYPE_CHECKING:
    from bayes_nn.cli.columns import TrainingTable
    from bayes_nn.cli.screen import Screen


@with_table
def fit(
    table: "TrainingTable",
    screen: "Screen",
    prior: Annotated[str, typer.Option(help=f"One of {', '.join(PRIORS)}.")] = "network",
    width: Annotated[int, typer.Option(help="Width of every hidden layer.")] = 64,
    depth: Depth = 2,
    activation: Activation = "relu",
    weight_std: Std = None,
    bias_std: Std = None,
    noise_std: Std = None,
    sampler: Annotated[
        str | None,
        typer.Option(help="exact, infinite_hmc, smc, replica_exchange, nuts, hmc; or the sensible one."),
    ] = None,
    out: Annotated[
        Path, typer.Option(help="The posterior, an ArviZ DataTree in NetCDF; the page and the log are beside it.")
    ] = Path("posterior.nc"),
    likelihood: Likelihood = "gaussian",
    checkpoint: Checkpoint = None,
    seed: Seed = 0,
    keep_duplicates: KeepDuplicates = False,
) -> Path:
    """Fit one prior to a data set; write its posterior for ArviZ, and a page with ArviZ's diagnostics.

    Example: [bold]bayes-nn fit houses.csv --target price --prior network --width 32 --sampler nuts[/]
    """
    import arviz as az

    from bayes_nn.runtime.sealed_file import check_writable, write_file
    from bayes_nn.runtime.workers import without_workers

    check_writable(out.parent)
    net = bnn.mlp(depth, activation, weight_std, bias_std)
    (chosen,) = named_priors([prior], net, [width])
    chosen_likelihood = named_likelihood(likelihood, noise_std)
    screen.keep_log(out.parent, out.with_suffix(".log").name)
    screen.log(*table.notes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", bnn.ConvergenceWarning)
        posterior = bnn.fit(
            chosen, table.X, table.y, chosen_likelihood, sampler, key=seed,
            duplicates="keep" if keep_duplicates else "error", checkpoint=checkpoint,
            progress=not screen.quiet,
        )  # fmt: skip
    tree = posterior.to_datatree()
    if table.levels:
        tree.attrs["levels"] = json.dumps(table.levels)
    show_fit(screen, posterior)
    hyperparameters = [name for name in posterior.problem.hyperparameters if name in posterior.values]
    if hyperparameters:
        screen.show(escape(az.summary(tree, var_names=hyperparameters).to_string()))
    with without_workers():
        content: Any = tree.to_netcdf(engine="h5netcdf")
    files = [write_file(out, bytes(content)), posterior.report(out.with_suffix(".html"))]
    screen.show(f"Written to [bold]{escape(str(out))}[/]; read it with arviz.from_netcdf; its page is {files[1].name}")
    screen.answer(fit_document(posterior, [*files, out.with_suffix(".log")]))
    return files[1]


def report(
    screen: "Screen",
    result: Annotated[Path, typer.Argument(help="A result of [bold]compare[/] or [bold]sweep[/], or an atlas.")],
    out: Annotated[Path, typer.Option(help="The HTML page to write.")] = Path("report.html"),
) -> Path:
    """Print a saved comparison, sweep, fit or atlas and write its report again."""
    saved = bnn.load(result)
    page = saved.report(out)
    if isinstance(saved, bnn.inference.Atlas):
        screen.show(escape(str(saved)))
        document = plain({"table": saved.table.reset_index().to_dict("records"), "files": [page]})
    elif isinstance(saved, bnn.Comparison):
        show_comparison(screen, saved)
        document = comparison_document(saved, [page])
    elif isinstance(saved, bnn.inference.Sweep):
        show_sweep(screen, saved)
        document = sweep_document(saved, [page])
    else:
        show_fit(screen, saved)
        document = fit_document(saved, [page])
    screen.show(f"\nWritten to [bold]{escape(str(page))}[/]")
    screen.answer(document)
    return page
