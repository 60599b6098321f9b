"""What commands say: text that fits 80 columns, one document for machines, a log, and nothing where it is quiet."""

import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from typer.testing import CliRunner

import bayes_nn as bnn
from bayes_nn.cli import app
from bayes_nn.cli.documents import plain
from bayes_nn.cli.printing import fitting_table

WIDTH = 80
FIXED = ["--noise-std", "0.3", "--weight-std", "1.4", "--bias-std", "0.1", "--depth", "1"]
COMPARE = ["--target", "price", "--priors", "nngp,ntk", *FIXED]


@pytest.fixture
def table(tmp_path):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    frame = pd.DataFrame(
        {"id": np.arange(40), "a": X[:, 0], "b": X[:, 1], "price": X[:, 0] + 0.3 * rng.normal(size=40)}
    )
    frame.to_csv(tmp_path / "houses.csv", index=False)
    return tmp_path / "houses.csv"


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def refuse_constant(name):
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.slow
def test_json_is_one_document_and_nothing_else(table, tmp_path):
    out = tmp_path / "out"
    done = run("compare", table, *COMPARE, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout, parse_constant=refuse_constant)
    assert "looks like a row number" in done.stderr
    saved = bnn.load(out / "result.nc")
    assert found["outcome"] == saved.verdict.outcome
    assert [one["prior"] for one in found["priors"]] == list(saved.table.index)
    for one, row in zip(found["priors"], saved.rows, strict=True):
        assert one["log_evidence"] == row.log_evidence
        assert one["reasons"] == list(row.reasons)
    assert found["verdict"]["gain"] is None
    assert set(found["files"]) == {str(path) for path in out.iterdir()}
    again = run("report", out / "result.nc", "--out", tmp_path / "again.html", "--json", "--quiet")
    assert json.loads(again.stdout)["priors"] == found["priors"]
    assert again.stderr == ""


@pytest.mark.slow
def test_quiet_is_silent_and_the_log_has_it_all(table, tmp_path):
    out = tmp_path / "out"
    done = run("compare", table, *COMPARE, "--out", out, "--quiet")
    assert (done.exit_code, done.output) == (0, "")
    log = (out / "log.txt").read_text()
    for text in ("looks like a row number", "1/2 NNGP", "2/2 NTK", "Verdict:", "Written to"):
        assert text in log
    assert "\x1b" not in log


def test_errors_stay_one_line_with_json_and_end_the_log(table, tmp_path, monkeypatch):
    def refuse(*data, **settings):
        raise ValueError("such data\nare no data")

    refused = run("compare", table, *COMPARE, "--splits", 0, "--json", "--out", tmp_path / "out")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert not list((tmp_path / "out").iterdir())  # no log of what never began
    monkeypatch.setattr(bnn, "compare", refuse)
    done = run("compare", table, *COMPARE, "--json", "--out", tmp_path / "out")
    assert (done.exit_code, done.stdout) == (2, "")
    (_, line) = done.stderr.splitlines()  # the first is on the column left out
    assert line == "error: such data are no data"
    assert "stopped by ValueError: such data" in (tmp_path / "out" / "log.txt").read_text()


def test_a_fit_has_its_page_beside_it_and_open_shows_it(table, tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr("webbrowser.open", shown.append)
    out = tmp_path / "p.nc"
    done = run("fit", table, "--target", "price", "--prior", "nngp", *FIXED, "--out", out, "--json", "--open")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout, parse_constant=refuse_constant)
    assert found["prior"] == "NNGP(relu, depth=1)"
    assert found["files"] == [str(tmp_path / name) for name in ("p.nc", "p.html", "p.log")]
    assert shown == [(tmp_path / "p.html").as_uri()]


NUMBERS = {
    "log evidence": lambda name: "-12345.67 \u00b1 12.34",
    "log BF": lambda name: "-1234.56",
    "prob.": lambda name: "0.123",
    "test lpd": lambda name: "-12.345 \u00b1 0.123",
    "RMSE": lambda name: "1234.5",
    "feature inf.": lambda name: "123.45",
    "sec.": lambda name: "1234",
    "ok": lambda name: "yes",
}


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize(
    "name", ["NNGP", "RenormalisedKernel(width=1024)", "BayesianNetwork(leaky_relu, depth=12, width=1024)"]
)
def test_no_name_is_wrapped(name, columns):
    drawn = fitting_table(columns, [name], {"prior": str, **NUMBERS}, ["prior"])
    screen = Console(width=columns, file=io.StringIO())
    screen.print(drawn)
    lines = screen.file.getvalue().splitlines()
    assert len(lines) == 3
    assert all(len(line.rstrip()) <= columns for line in lines)
    assert name in lines[2]
    assert lines[2].rstrip().endswith("yes")
    assert "log evidence" in lines[0]
    assert columns < 200 or "sec." in lines[0]


@pytest.mark.slow
def test_comparisons_fit_80_columns(table, tmp_path):
    done = run("compare", table, *COMPARE, "--out", tmp_path / "out")
    shown = [line for line in done.stdout.splitlines() if "Written to" not in line]
    tabled = shown[: next(number for number, line in enumerate(shown) if line.startswith("NTK")) + 1]
    assert all(len(line) <= WIDTH for line in tabled if "left out" not in line)
    assert any(line.split()[0] == "NNGP" for line in tabled if line.strip())


def test_plain_values():
    given = {"a": np.float64("nan"), "b": (np.int64(3), True), "c": {"d": np.inf}}
    assert json.dumps(plain(given), allow_nan=False) == '{"a": null, "b": [3, true], "c": {"d": null}}'
