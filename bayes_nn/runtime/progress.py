"""What a user is told of long work: a bar, or a line now and then, and a warning where it has not converged."""

import html
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

#: Told the fraction of the work that is done, and a short text.
Report = Callable[[float, str], None]
#: Seconds between two lines where neither a terminal nor a notebook shows a bar, and two updates of a notebook's bar.
SECONDS_BETWEEN_LINES, SECONDS_BETWEEN_UPDATES = 10.0, 0.25


class ConvergenceWarning(UserWarning):
    """A sampler, or training, has not converged; the message says what was seen and what to try.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", ConvergenceWarning)
    """


@contextmanager
def progress_bar(title: str, *, enabled: bool = True) -> Iterator[Report]:
    """Show how far the body is: one bar on a terminal or in a notebook, else a line on standard error every 10 s.

    The bar goes when the body ends. Work of less than 10 s writes no line.

    Args:
        title: what is running.
        enabled: False for silence.

    Yields:
        ``report(fraction, text)``, to be called as the work goes on.

    Example:
        >>> with progress_bar("counting", enabled=False) as report:
        ...     report(0.5, "half way")
    """
    console = Console(stderr=True)
    if not enabled:
        yield lambda fraction, text: None
    elif console.is_jupyter:
        with _notebook_bar(title) as report:
            yield report
    elif console.is_terminal:
        with _terminal_bar(title, console) as report:
            yield report
    else:
        yield _lines(title)


@contextmanager
def _terminal_bar(title: str, console: Console) -> Iterator[Report]:
    columns = (
        TextColumn("[bold]{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[text]}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=1.0, text="compiling")
        yield lambda fraction, text: bar.update(task, completed=min(fraction, 1.0), text=text)


@dataclass
class _State:
    """How far the work is, as text and as the HTML of a notebook."""

    title: str
    fraction: float = 0.0
    text: str = "compiling"
    started: float = field(default_factory=lambda: time.monotonic())

    @property
    def elapsed(self) -> str:
        minutes, seconds = divmod(int(time.monotonic() - self.started), 60)
        return f"{minutes}:{seconds:02}"

    def __repr__(self) -> str:
        return f"{self.title}: {self.fraction:.0%}, {self.text}, {self.elapsed}"

    def _repr_html_(self) -> str:
        bar = f'<progress max="1" value="{self.fraction:.3f}"></progress>'
        return f"<div><b>{html.escape(self.title)}</b> {bar} {html.escape(self.text)} {self.elapsed}</div>"


@contextmanager
def _notebook_bar(title: str) -> Iterator[Report]:
    """A bar in the output of the cell, which needs no widgets."""
    from IPython.display import HTML, display

    state, shown = _State(title), time.monotonic()
    handle = display(state, display_id=True)

    def report(fraction: float, text: str) -> None:
        nonlocal shown
        state.fraction, state.text = min(fraction, 1.0), text
        if time.monotonic() - shown >= SECONDS_BETWEEN_UPDATES:
            shown = time.monotonic()
            handle.update(state)

    try:
        yield report
    finally:
        handle.update(HTML(""))


def _lines(title: str) -> Report:
    state, written = _State(title), time.monotonic()

    def report(fraction: float, text: str) -> None:
        nonlocal written
        state.fraction, state.text = min(fraction, 1.0), text
        if time.monotonic() - written >= SECONDS_BETWEEN_LINES:
            written = time.monotonic()
            print(state, file=sys.stderr, flush=True)

    return report
