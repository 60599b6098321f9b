"""What a user is told of long work: a progress bar on a terminal, and a warning where it has not converged."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

#: Told the fraction of the work that is done, and a short text.
Report = Callable[[float, str], None]


class ConvergenceWarning(UserWarning):
    """A sampler, or training, has not converged; the message says what was seen and what to try.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", ConvergenceWarning)
    """


@contextmanager
def progress_bar(title: str, *, enabled: bool = True) -> Iterator[Report]:
    """Show one bar while the body runs.

    Args:
        title: what is running.
        enabled: False for silence even on a terminal.

    Yields:
        ``report(fraction, text)``, to be called as the work goes on.

    Example:
        >>> with progress_bar("counting", enabled=False) as report:
        ...     report(0.5, "half way")
    """
    console = Console(stderr=True)
    if not (enabled and console.is_terminal):
        yield lambda fraction, text: None
        return
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=1.0, text="compiling")
        yield lambda fraction, text: bar.update(task, completed=min(fraction, 1.0), text=text)
