"""What a user is told of long work: a bar, or a line now and then, and a warning where it has not converged."""

import html
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bayes_nn.runtime.diagnostic_codes import codes_in

#: Told the fraction of the work that is done, and a short text.
Report = Callable[[float, str], None]
#: Seconds between two lines where neither a terminal nor a notebook shows a bar, and two updates of a notebook's bar.
SECONDS_BETWEEN_LINES, SECONDS_BETWEEN_UPDATES = 10.0, 0.25
#: Seconds over which a terminal's bar measures the pace; fraction of the work that has to be done to speak of it.
SECONDS_OF_SPEED, KNOWN_PACE = 300.0, 0.02


class ConvergenceWarning(UserWarning):
    """A sampler, or training, has not converged; the message says what was seen and what to try.

    Where a diagnostic failed that has a code, the message ends with how to read the paragraph on it.

    Args:
        message: what was seen, with its codes.

    Attributes:
        codes: of the diagnostics that failed.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("error", ConvergenceWarning)
        >>> print(ConvergenceWarning("NNGP: R-hat 1.200 exceeds 1.05 [B101]"))
        NNGP: R-hat 1.200 exceeds 1.05 [B101]; read bayes_nn.what_to_do("B101")
    """

    def __init__(self, message: str = "") -> None:
        self.codes = tuple(codes_in([message]))
        told = ", ".join(f'bayes_nn.what_to_do("{code}")' for code in self.codes)
        super().__init__(f"{message}; read {told}" if told and told not in message else message)


@contextmanager
def progress_bar(title: str, *, enabled: bool = True) -> Iterator[Report]:
    """Show how far the body is and how long it may still take: a bar, or a line on standard error every 10 s.

    A terminal or a notebook shows the bar, which goes when the body ends. The 10 s are counted over bodies that follow
    each other, so that many short ones are told of too; work of less than 10 s altogether writes no line.

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
        TimeRemainingColumn(compact=True),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True, speed_estimate_period=SECONDS_OF_SPEED) as bar:
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
    def times(self) -> str:
        """Time that has gone, and that is left if the work goes on at its mean pace so far."""
        gone = time.monotonic() - self.started
        if not KNOWN_PACE <= self.fraction < 1.0:
            return _clock(gone)
        return f"{_clock(gone)}, about {_clock(gone * (1.0 / self.fraction - 1.0))} left"

    def __repr__(self) -> str:
        return f"{self.title}: {self.fraction:.0%}, {self.text}, {self.times}"

    def _repr_html_(self) -> str:
        bar = f'<progress max="1" value="{self.fraction:.3f}"></progress>'
        return f"<div><b>{html.escape(self.title)}</b> {bar} {html.escape(self.text)} {self.times}</div>"


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


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


@dataclass
class _Silence:
    """Since when no line has been written, and when work was last heard of."""

    since: float = -math.inf
    heard: float = -math.inf

    def begins(self) -> None:
        """Work begins: silence is counted from now, unless other work has ended just before."""
        now = time.monotonic()
        if not 0.0 <= now - self.heard < SECONDS_BETWEEN_LINES:
            self.since = now
        self.heard = now

    def is_long(self) -> bool:
        """Whether it is time for a line, from which silence is then counted."""
        self.heard = time.monotonic()
        if self.heard - self.since < SECONDS_BETWEEN_LINES:
            return False
        self.since = self.heard
        return True


#: Of this process, whichever work is told of.
_SILENCE = _Silence()


def _lines(title: str) -> Report:
    state = _State(title)
    _SILENCE.begins()

    def report(fraction: float, text: str) -> None:
        state.fraction, state.text = min(fraction, 1.0), text
        if _SILENCE.is_long():
            print(state, file=sys.stderr, flush=True)

    return report
