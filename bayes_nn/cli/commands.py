"""The command line: ``bayes-nn compare``, ``sweep``, ``fit``, ``report`` and ``atlas``."""

from importlib.metadata import version
from typing import Annotated

import typer

from bayes_nn.cli.atlas_command import atlas
from bayes_nn.cli.comparing import compare, sweep
from bayes_nn.cli.fitting import fit, report
from bayes_nn.cli.options import with_screen
from bayes_nn.cli.running import EXIT_CODES, runs

app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Does a finite network beat its infinite-width limit by learning features, or as a better prior?",
    epilog=EXIT_CODES,
)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"bayes-nn {version('bayes_nn')}")
        raise typer.Exit


@app.callback()
def _before_every_command(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """What comes before every command."""


for command in (compare, sweep, fit, report, atlas):
    app.command()(runs(with_screen(command)))


def main() -> None:
    """Entry point."""
    app(prog_name="bayes-nn")
