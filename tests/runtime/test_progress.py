"""Progress is a bar in a notebook, lines in a log, and nothing where it is not asked for."""

import os
from typing import ClassVar

import nbclient
import nbformat
import pytest

from bayes_nn.runtime import progress
from bayes_nn.runtime.progress import progress_bar


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told to go on."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def test_a_log_gets_a_line_every_ten_seconds(clock, capsys):
    with progress_bar("counting") as report:
        for second in range(31):
            clock[0] = float(second)
            report(second / 30, f"at {second}")
    lines = capsys.readouterr().err.splitlines()
    left = {10: ", about 0:20 left", 20: ", about 0:10 left", 30: ""}
    assert lines == [f"counting: {at / 30:.0%}, at {at}, 0:{at}{left[at]}" for at in (10, 20, 30)]


def test_work_in_short_pieces_gets_its_lines_too(clock, capsys):
    """Pieces of 4 s, none of them long enough for a line of its own; after a pause the count begins anew."""
    for piece in range(6):
        with progress_bar(f"piece {piece}") as report:
            for second in range(5):
                clock[0] = 4.0 * piece + second
                report(second / 4, "at work")
    assert [line.partition(":")[0] for line in capsys.readouterr().err.splitlines()] == ["piece 2", "piece 4"]
    clock[0] = 1000.0
    with progress_bar("later") as report:
        clock[0] = 1009.0
        report(0.9, "at work")
        clock[0] = 1021.0
        report(0.95, "slow steps are told of at once")
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_short_or_silent_work_writes_nothing(clock, capsys):
    with progress_bar("counting") as report:
        clock[0] = 9.0
        report(1.0, "done")
    with progress_bar("counting", enabled=False) as report:
        clock[0] = 99.0
        report(1.0, "done")
    assert capsys.readouterr() == ("", "")


class Watching(nbclient.NotebookClient):
    """Keeps all that the cells display, also what they replace."""

    displayed: ClassVar[list] = []

    def process_message(self, msg, cell, cell_index):
        if msg["msg_type"].endswith("display_data"):
            self.displayed.append(msg["content"]["data"])
        return super().process_message(msg, cell, cell_index)


CELL = """
from bayes_nn.runtime import progress
progress.SECONDS_BETWEEN_UPDATES = 0.0
with progress.progress_bar("<b>counting") as report:
    report(0.5, "half way")
"""


def test_a_notebook_shows_a_bar_while_the_work_goes_on_and_none_after_it():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(CELL)])
    Watching(notebook, timeout=300, kernel_name="python3").execute(env=dict(os.environ))
    assert [shown["text/html"] for shown in Watching.displayed] == [
        '<div><b>&lt;b&gt;counting</b> <progress max="1" value="0.000"></progress> compiling 0:00</div>',
        '<div><b>&lt;b&gt;counting</b> <progress max="1" value="0.500"></progress> '
        "half way 0:00, about 0:00 left</div>",
        "",
    ]
    left = [output.data["text/html"] for output in notebook.cells[0].outputs if output.output_type == "display_data"]
    assert left == [""]
