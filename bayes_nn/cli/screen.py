"""What a command says, and where: text for people, a document for machines, and the log in the folder of the run."""

import json
import logging
import shlex
import sys
from pathlib import Path
from typing import Any, Self

from rich.console import Console

#: Of the log in the folder of a run, and how wide its tables are.
LOG_NAME, LOG_WIDTH = "log.txt", 120
_LOGGER = logging.getLogger("bayes_nn")


class Screen:
    """Says what a command has to say; a context manager, which closes the log in the end.

    People read standard output. A machine that asked for JSON gets one document there and nothing else, and what goes
    on while the command runs is on standard error. The log has what people are told, and more.

    Args:
        as_json: a document for machines in place of text for people.
        quiet: say nothing but errors, and the document if one was asked for.

    Example:
        >>> with Screen(as_json=True, quiet=True) as screen:
        ...     screen.show("text for people")
        ...     screen.answer({"outcome": "undecided"})
        {
          "outcome": "undecided"
        }
    """

    def __init__(self, as_json: bool = False, quiet: bool = False) -> None:
        self.as_json, self.quiet = as_json, quiet
        self._console = Console(stderr=as_json, quiet=quiet)
        self._handlers: list[logging.Handler] = []
        self._log: Console | None = None

    @property
    def width(self) -> int:
        """Columns of the terminal."""
        return self._console.width

    def keep_log(self, folder: Path, name: str = LOG_NAME) -> None:
        """Add this run to the log in a folder from now on, and tell a terminal of every fit that ends.

        Args:
            folder: that can be written to.
            name: of the file.
        """
        written = logging.FileHandler(folder / name, encoding="utf-8")
        written.setFormatter(logging.Formatter("%(asctime)s  %(message)s", "%Y-%m-%d %H:%M:%S"))
        self._log = Console(file=written.stream, width=LOG_WIDTH, color_system=None, force_terminal=False)
        self._handlers.append(written)
        if sys.stderr.isatty() and not self.quiet:
            self._handlers.append(logging.StreamHandler())
        for handler in self._handlers:
            _LOGGER.addHandler(handler)
        _LOGGER.setLevel(logging.INFO)
        written.handle(_record(shlex.join(["bayes-nn", *sys.argv[1:]])))

    def note(self, *lines: str) -> None:
        """Say lines that nothing in them is to be made of, as they are."""
        for console in filter(None, (self._console, self._log)):
            for line in lines:
                console.print(line, markup=False, highlight=False, soft_wrap=True)

    def show(self, *shown: Any) -> None:
        """Tell people: text with Rich's markup, or tables; a machine is told nothing of it."""
        for console in filter(None, (None if self.as_json else self._console, self._log)):
            for one in shown:
                console.print(one, highlight=False)

    def log(self, *lines: str) -> None:
        """Say lines in the log alone."""
        if self._log is not None:
            for line in lines:
                self._log.print(line, markup=False, highlight=False, soft_wrap=True)

    def answer(self, document: dict[str, Any]) -> None:
        """Print the document for machines, if one was asked for."""
        if self.as_json:
            print(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        for handler in self._handlers:
            if kind is not None and isinstance(handler, logging.FileHandler):
                handler.handle(_record(f"stopped by {kind.__name__}: {error}"))
            _LOGGER.removeHandler(handler)
            handler.close()


def _record(text: str) -> logging.LogRecord:
    return logging.LogRecord(_LOGGER.name, logging.INFO, __file__, 0, text, None, None)
