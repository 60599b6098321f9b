"""Every notebook runs from top to bottom in a fresh kernel, and is kept as it ran."""

import os
from pathlib import Path

import nbclient
import nbformat
import pytest

FOLDER = Path(__file__).resolve().parents[1] / "notebooks"


def outputs(notebook):
    return [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]


def shows(notebook):
    """Whether a verdict and a plot are among the outputs."""
    verdict = any("Verdict:" in output.get("text", "") for output in outputs(notebook))
    return verdict and any("image/png" in output.get("data", {}) for output in outputs(notebook))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.stem)
def test_notebook_runs(path, monkeypatch):
    for setting in ("XLA_FLAGS", "JAX_DISABLE_MOST_OPTIMIZATIONS"):
        monkeypatch.delenv(setting, raising=False)
    notebook = nbformat.read(path, as_version=4)
    assert shows(notebook)
    assert not any(output.output_type == "error" for output in outputs(notebook))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(notebook, timeout=1500, kernel_name="python3", resources={}).execute(env=dict(os.environ))
    assert shows(notebook)
