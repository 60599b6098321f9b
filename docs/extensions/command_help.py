"""What ``bayes-nn COMMAND --help`` prints, so that the page says what the program says."""

import os
import subprocess
import sys
from typing import ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

WIDTH = 80


class CommandHelp(Directive):
    """The help of one command, or of the program where none is named."""

    optional_arguments: ClassVar[int] = 1

    def run(self) -> list[nodes.Node]:
        """The help as a block of text."""
        environment = os.environ | {"COLUMNS": str(WIDTH), "TERM": "dumb", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8"}
        command = [sys.executable, "-m", "bayes_nn.cli", *self.arguments, "--help"]
        text = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout
        text = "\n".join(line.rstrip() for line in text.splitlines()).strip("\n")
        return [nodes.literal_block(text, text, language="none", classes=["command-help"])]


def setup(app: Sphinx) -> dict[str, bool]:
    """Name the directive."""
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
