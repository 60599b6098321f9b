"""Every notebook runs from top to bottom in a fresh kernel, and is kept as it ran."""

import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"

#: What must be among the outputs of every notebook, besides a picture: the answer that its conclusion speaks of.
ANSWERS = {
    "do_features_transfer": ["NNGP, shared direction      transfer +0.000", "network, shared direction   transfer +"],
    "first_comparison": ["Verdict: explained by a learned input metric"],
    "is_it_scale": ["Verdict: explained by scale", "Verdict: no finite-width gain"],
    "is_it_the_metric": ["Verdict: explained by a learned input metric", "Verdict: undecided"],
    "is_my_sgd_network_bayesian": ["log P_SGD against log P_B"],
    "which_filters": ["effective number of used neurons"],
    "which_width": ["finite width improves the prior"],
}
#: The beginning of an absolute path, of Unix or Windows, or of a folder of temporary files.
ABSOLUTE_PATH = re.compile(r"(?<![\w.<:/])/[A-Za-z_][\w.-]*/|\b[A-Z]:\\")


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def text_of(output):
    """What an output shows in words: streams, errors, and every text of its data."""
    texts = [value for kind, value in output.get("data", {}).items() if kind.startswith("text/")]
    return "\n".join([output.get("text", ""), *output.get("traceback", []), *texts])


def check(notebook, answers):
    """Fail unless answers and a picture are among the outputs, and no error, warning or path of one machine."""
    shown = outputs(notebook)
    assert not [output.evalue for output in shown if output.output_type == "error"]
    assert not [output.text for output in shown if output.get("name") == "stderr"]
    assert not [found.group() for output in shown for found in ABSOLUTE_PATH.finditer(text_of(output))]
    assert [answer for answer in answers if not any(answer in text_of(output) for output in shown)] == []
    assert any("image/png" in output.get("data", {}) for output in shown)


@pytest.mark.parametrize("path", ["/tmp/a.html", "see /home/me/x.py:3", "'/work/y/z'", r"C:\Users\me"])
def test_an_absolute_path_is_found(path):
    assert ABSOLUTE_PATH.search(path)


@pytest.mark.parametrize("text", ["</td></tr>", "tests/a.py", "https://a.org/b/c", "network : NNGP", "1/n", "../a/b"])
def test_other_slashes_are_none(text):
    assert not ABSOLUTE_PATH.search(text)


def test_every_notebook_is_run():
    assert sorted(ANSWERS) == sorted(path.stem for path in FOLDER.glob("*.ipynb"))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", ANSWERS)
def test_notebook_runs(name, monkeypatch):
    for setting in ("XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS"):
        monkeypatch.delenv(setting, raising=False)
    notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
    check(notebook, ANSWERS[name])
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(notebook, timeout=800, kernel_name="python3", resources={}).execute(env=dict(os.environ))
    check(notebook, ANSWERS[name])
