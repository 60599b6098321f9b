"""The command line on a user's own files."""

import importlib.metadata
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

import bayes_nn as bnn
from bayes_nn.cli import app, main
from bayes_nn.cli.columns import hold_out
from bayes_nn.cli.files import read_table
from bayes_nn.cli.options import LIKELIHOODS, named_likelihood
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.runtime.diagnostic_codes import DIAGNOSTICS, codes_in

FIXED = ["--noise-std", "0.3", "--weight-std", "1.4", "--bias-std", "0.1"]
SMALL = ["--width", "3", "--depth", "1", "--particles", "16", "--islands", "2", *FIXED]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 2))
    return pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "price": X[:, 0] + 0.3 * rng.normal(size=40)})


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_csv_and_parquet_are_read_alike(table, tmp_path):
    table.to_csv(tmp_path / "houses.csv", index=False)
    table.to_parquet(tmp_path / "houses.parquet")
    for name in ("houses.csv", "houses.parquet"):
        pd.testing.assert_frame_equal(read_table(str(tmp_path / name)), table)
    assert "target" in read_table("diabetes").columns


@pytest.mark.slow
def test_compare_writes_report_result_and_picture(table, tmp_path):
    path = tmp_path / "houses.csv"
    table.to_csv(path, index=False)
    done = run("compare", path, "--target", "price", *SMALL, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "Verdict:" in done.output
    pictures = {"evidence.png", "waterfall.png", "predictions.png"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"report.html", "result.nc", "log.txt"} | pictures
    log = (tmp_path / "out" / "log.txt").read_text()
    assert len(re.findall(r"\d/9 .*: log evidence -?\d", log)) == 9
    assert done.stdout.startswith("Verdict: ")
    assert done.stdout.index("Verdict:") < done.stdout.index("log evidence")
    assert len(bnn.load(tmp_path / "out" / "result.nc").rows) == 9
    again = run("report", tmp_path / "out" / "result.nc", "--out", tmp_path / "again.html")
    assert again.exit_code == 0
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<h2>What the features became" in page
    assert (tmp_path / "again.html").read_text() == page


@pytest.mark.slow
def test_compare_averages_over_splits(table, tmp_path):
    path = tmp_path / "houses.csv"
    table.to_csv(path, index=False)
    done = run("compare", path, "--target", "price", *SMALL, "--splits", 2, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "2 splits" in (tmp_path / "out" / "report.html").read_text()
    y, rows = table.price.to_numpy(), bnn.load(tmp_path / "out" / "result.nc")
    first, second = (hold_out(40, 0.25, seed)[1] for seed in (0, 1))
    assert [set(tested[:, 0]) for tested in rows.y_test] == [set(y[first]), set(y[second])]
    refused = run("compare", path, "--target", "price", *SMALL, "--splits", 0)
    assert refused.exit_code == 2
    assert "--splits must be at least 1" in refused.output


def test_compare_takes_the_priors_named_at_every_width(table, tmp_path):
    path = tmp_path / "houses.csv"
    table.to_csv(path, index=False)
    few = ["--width", "3,8", "--depth", 1, *FIXED]
    named = ["--priors", "nngp, renormalised,student-t"]
    done = run("compare", path, "--target", "price", *few, *named, "--particles", 16, "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "the candidates lack a BayesianNetwork" in done.output
    names = sorted(row.name for row in bnn.load(tmp_path / "out" / "result.nc").rows)
    widths = [f"RenormalisedKernel(relu, depth=1, width={width})" for width in (3, 8)]
    assert names == ["NNGP(relu, depth=1)", *widths, "StudentT(relu, depth=1, df=4)"]


@pytest.mark.slow
def test_sweep_writes_a_line_for_every_depth_and_width(table, tmp_path):
    path = tmp_path / "houses.csv"
    table.to_csv(path, index=False)
    few = ["--particles", 16, "--islands", 2, *FIXED, "--out", tmp_path / "out"]
    done = run("sweep", path, "--target", "price", "--width", "2,3", "--depth", "1", *few)
    assert done.exit_code == 0, done.output
    files = {
        "sweep.csv",
        "sweep.png",
        "report_depth_1.html",
        "result_depth_1.nc",
        "report.html",
        "result.nc",
        "log.txt",
    }
    assert {p.name for p in (tmp_path / "out").iterdir()} == files
    assert pd.read_csv(tmp_path / "out" / "sweep.csv").width.to_list() == [2, 3]
    again = run("report", tmp_path / "out" / "result_depth_1.nc", "--out", tmp_path / "again.html")
    assert again.exit_code == 0, again.output
    reasons = [reason for row in bnn.load(tmp_path / "out" / "result_depth_1.nc").rows for reason in row.reasons]
    assert reasons
    log = (tmp_path / "out" / "log.txt").read_text()
    assert all(reason in log for reason in reasons)
    for output in (done.output, again.output):
        assert all(f"{code} {DIAGNOSTICS[code].name}" in " ".join(output.split()) for code in codes_in(reasons))
    whole = run("report", tmp_path / "out" / "result.nc", "--out", tmp_path / "whole.html")
    assert whole.exit_code == 0, whole.output
    assert (tmp_path / "whole.html").read_text() == (tmp_path / "out" / "report.html").read_text()


@pytest.mark.parametrize(("option", "says"), [(True, "the same command goes on from there"), (False, "--checkpoint")])
def test_ctrl_c_is_one_sentence_and_exit_code_130(table, tmp_path, monkeypatch, option, says):
    table.to_csv(tmp_path / "houses.csv", index=False)

    def stopped(*arguments, **more):
        raise KeyboardInterrupt

    monkeypatch.setattr(bnn.inference.SMC, "draw", stopped)
    folder = tmp_path / "run"
    few = ["--target", "price", "--prior", "nngp", "--sampler", "smc", "--out", tmp_path / "p.nc"]
    done = run("fit", tmp_path / "houses.csv", *few, *(["--checkpoint", folder] if option else []))
    assert done.exit_code == 130
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert folder.exists() == option


def test_a_folder_that_cannot_be_written_is_one_line_before_any_work(table, tmp_path):
    table.to_csv(tmp_path / "houses.csv", index=False)
    (tmp_path / "file").touch()
    done = run("compare", tmp_path / "houses.csv", "--target", "price", "--out", tmp_path / "file" / "out")
    assert done.exit_code == 2
    assert "cannot write to the folder" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.slow
def test_fit_writes_a_posterior_that_arviz_reads(table, tmp_path):
    import arviz as az

    path = tmp_path / "houses.csv"
    table.to_csv(path, index=False)
    out = tmp_path / "posterior.nc"
    done = run("fit", path, "--target", "price", "--prior", "nngp", "--depth", 1, "--sampler", "smc", "--out", out)
    assert done.exit_code == 0, done.output
    assert "log evidence" in done.output
    assert "noise_std" in done.output
    assert "posterior_predictive" in az.from_netcdf(out).children


@pytest.mark.slow
def test_fit_takes_every_likelihood(table, tmp_path):
    path = tmp_path / "houses.csv"
    table.assign(price=np.arange(40) % 5).to_csv(path, index=False)
    few = ["--depth", 1, "--weight-std", 1.4, "--bias-std", 0.1, "--sampler", "smc", "--out", tmp_path / "p.nc"]
    done = run("fit", path, "--target", "price", "--prior", "nngp", "--likelihood", "poisson", *few)
    assert done.exit_code == 0, done.output
    assert "log evidence of the y:" in done.output
    assert all(named_likelihood(name, None) == getattr(bnn, kind)() for name, kind in LIKELIHOODS.items())


def test_reasons_are_printed_once(table, tmp_path):
    path = tmp_path / "houses.csv"
    table.to_csv(path, index=False)
    few = ["--prior", "nngp", "--depth", 1, *FIXED, "--out", tmp_path / "p.nc"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Posterior, "reasons", ("one chain", "two islands"))
        done = run("fit", path, "--target", "price", *few)
    assert done.exit_code == 0, done.output
    assert [done.output.count(reason) for reason in ("one chain", "two islands")] == [1, 1]


def test_help_version_and_completion_come_without_jax():
    (entry,) = importlib.metadata.entry_points(group="console_scripts", name="bayes-nn")
    assert entry.value == "bayes_nn.cli:main"
    program = (
        "import sys; sys.modules.update(dict.fromkeys(['jax', 'numpy', 'pandas', 'matplotlib', 'scipy']))\n"
        "from bayes_nn.cli import main; main()"
    )

    def answer(*arguments, **settings):
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ | settings).stdout

    assert "Exit codes: 0 done, 2 bad input" in answer("--help")
    assert "student-t" in answer("compare", "--help")
    assert answer("--version").split() == ["bayes-nn", importlib.metadata.version("bayes_nn")]
    typed = {"_BAYES_NN_COMPLETE": "complete_bash", "COMP_WORDS": "bayes-nn co", "COMP_CWORD": "1"}
    assert answer(**typed).split() == ["compare"]
    module = subprocess.run(
        [sys.executable, "-m", "bayes_nn.cli", "--help"], capture_output=True, text=True, check=True
    )
    assert "compare" in module.stdout


def test_an_interrupted_command_says_how_to_go_on(table, tmp_path, monkeypatch):
    path = tmp_path / "houses.csv"
    table.to_csv(path, index=False)

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(bnn, "compare", interrupted)
    stopped = run("compare", path, "--target", "price", "--checkpoint", tmp_path / "kept")
    assert stopped.exit_code == 130
    assert f"the state of the run is in {tmp_path / 'kept'}: the same command goes on from there" in stopped.output
    assert "nothing was kept" in run("compare", path, "--target", "price").output


def test_a_folder_that_cannot_be_made_is_bad_input(table, tmp_path, monkeypatch):
    path = tmp_path / "houses.csv"
    table.to_csv(path, index=False)
    few = ["--prior", "nngp", "--depth", 1, *FIXED, "--out", path / "below" / "p.nc"]
    done = run("fit", path, "--target", "price", *few)
    assert done.exit_code == 2
    assert done.output.splitlines()[-1].startswith("error: ")


BAD = {
    "unknown likelihood": (["fit", "FILE", "--target", "price", "--likelihood", "gamma"], "unknown likelihood 'gamma'"),
    "noise where there is none": (
        ["fit", "FILE", "--target", "price", "--likelihood", "poisson", "--noise-std", "0.3"],
        "--noise-std belongs to --likelihood gaussian or student-t or heteroscedastic",
    ),
    "missing file": (["compare", "nowhere.csv"], "there is no file nowhere.csv"),
    "missing target": (
        ["compare", "FILE", "--target", "cost"],
        "there is no column 'cost'; the columns are a, b, price",
    ),
    "text target": (["compare", "TEXT", "--target", "colour"], "the target colour is 'red' in every row"),
    "bad width": (["compare", "FILE", "--target", "price", "--width", "a,b"], "--width must be whole numbers"),
    "negative width": (["compare", "FILE", "--target", "price", "--width", "-4"], "--width must be positive"),
    "unknown activation": (
        ["compare", "FILE", "--target", "price", "--activation", "swish"],
        "unknown activation 'swish'",
    ),
    "unknown prior": (["fit", "FILE", "--target", "price", "--prior", "tree"], "unknown prior 'tree'"),
    "two priors to fit": (["fit", "FILE", "--target", "price", "--prior", "nngp,ntk"], "unknown prior 'nngp,ntk'"),
    "unknown priors": (["compare", "FILE", "--target", "price", "--priors", "nngp,tree"], "unknown prior 'tree'"),
    "bad fraction": (["compare", "FILE", "--target", "price", "--test-fraction", "1.5"], "--test-fraction"),
    "other file": (["compare", "NOTES"], "must be a .csv or .parquet file"),
    "not a result": (["report", "FILE"], "does not end with the seal of bayes_nn"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_line_and_exit_code_2(table, tmp_path, case):
    files = {"FILE": tmp_path / "houses.csv", "TEXT": tmp_path / "text.csv", "NOTES": tmp_path / "notes.txt"}
    table.to_csv(files["FILE"], index=False)
    table.assign(colour="red").to_csv(files["TEXT"], index=False)
    files["NOTES"].write_text("hello")
    arguments, message = BAD[case]
    done = run(*[files.get(argument, argument) for argument in arguments])
    assert done.exit_code == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("typed", "named"),
    [
        (["compare", "houses.csv", "--target", "price", "--bogus"], "--bogus"),
        (["compare"], "DATA"),
        (["compare", "houses.csv", "--target"], "--target"),
        (["compare", "houses.csv", "--depth", "deep"], "--depth"),
        (["compare", "houses.csv", "flats.csv"], "flats.csv"),
        (["compair"], "compair"),
    ],
)
def test_words_that_no_command_takes_are_one_line_and_exit_code_2(typed, named, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bayes-nn", *typed])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert (line[:7], line[-12:], out) == ("error: ", "; see --help", "")
    assert named in line


@pytest.mark.parametrize(("typed", "code", "shown"), [([], 2, "compare"), (["fit", "--help"], 0, "--target")])
def test_help_is_on_standard_output_alone(typed, code, shown, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bayes-nn", *typed])
    with pytest.raises(SystemExit) as ended:
        main()
    out, err = capsys.readouterr()
    assert (ended.value.code or 0, err) == (code, "")
    assert shown in out


def test_help_teaches():
    done = run("compare", "--help")
    assert done.exit_code == 0
    assert "--target" in done.output
    assert "Example" in done.output
