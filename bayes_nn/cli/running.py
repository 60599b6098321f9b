"""How a command runs: every core in use, compiled code kept, and errors told in one line with an exit code."""

import functools
import sys
from collections.abc import Callable
from typing import Any

import typer

import bayes_nn as bnn

BAD_INPUT, INTERRUPTED = 2, 130
EXIT_CODES = (
    f"Exit codes: 0 done, {BAD_INPUT} bad input (one line on standard error says what), {INTERRUPTED} interrupted, "
    "1 anything else. Compiled code is kept in the folder that BAYES_NN_CACHE names, or in your cache folder; "
    "BAYES_NN_CACHE=off keeps none."
)
#: What an interrupted command says that had no folder for its state.
LOST = "nothing was kept, which --checkpoint FOLDER would change"


def runs(command: Callable[..., Any]) -> Callable[..., Any]:
    """Prepare the process for a command, and turn what stops it into one line on standard error and an exit code."""

    @functools.wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            bnn.use_all_cores()
            bnn.use_compilation_cache()
            return command(*args, **kwargs)
        except (ValueError, ImportError) as error:
            typer.echo(f"error: {' '.join(str(error).split())}", err=True)
            sys.exit(BAD_INPUT)
        except OSError as error:
            place = f": {error.filename}" if error.filename else ""
            typer.echo(f"error: {error.strerror or error}{place}", err=True)
            sys.exit(BAD_INPUT)
        except KeyboardInterrupt:
            folder = kwargs.get("checkpoint")
            kept = f"the state of the run is in {folder}: the same command goes on from there"
            typer.echo(f"interrupted; {kept if folder else LOST}", err=True)
            sys.exit(INTERRUPTED)

    return wrapped
