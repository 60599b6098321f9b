"""The command line: ``bayes-nn compare``, ``sweep``, ``fit``, ``report`` and ``atlas``."""

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from bayes_nn.cli.atlas_command import atlas
from bayes_nn.cli.comparing import compare, sweep
from bayes_nn.cli.fitting import fit, report
from bayes_nn.cli.options import with_screen
from bayes_nn.cli.running import BAD_INPUT, EXIT_CODES, INTERRUPTED, runs

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
    """Entry point; what is wrong with the words typed is one line too, with the code of bad input."""
    try:
        code = app(prog_name="bayes-nn", standalone_mode=False)
    except typer.TyperException as error:
        message = " ".join(error.format_message().split()).rstrip(".")
        if message:  # there is none after the help that a bare bayes-nn prints
            typer.echo(f"error: {message}; see --help", err=True)
        code = BAD_INPUT
    except typer.Abort:
        code = INTERRUPTED
    sys.exit(code)
