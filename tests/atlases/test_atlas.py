"""The atlas: cells computed by workers, against the same comparisons made here without any."""

import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.atlases.cell import Cell
from bayes_nn.inference.atlases.data_set import checked_tables
from bayes_nn.inference.atlases.folder import Folder
from bayes_nn.inference.atlases.run import DONE, ELSEWHERE, CellTask, run_cell
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst
from bayes_nn.runtime.folder_lock import locked
from bayes_nn.runtime.workers import client_of, map_over_workers

NET, NOISE = bnn.mlp(1, "relu", 1.4, 0.1), bnn.Gaussian(0.3)
#: What the command line makes of --particles 16 --islands 2.
FEW = SMCFirst(inference.SMC(particles=16, islands=2), exchange=None)
pytestmark = pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")


def frame(name):
    rng = np.random.default_rng(len(name))
    X = rng.normal(size=(30, 2))
    y = {"sine": np.sin(X[:, 0]), "slope": X[:, 0]}[name] + 0.3 * rng.normal(size=30)
    return pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": y})


def data_set(name):
    return inference.DataSet(name, frame(name)[["a", "b"]], frame(name)["y"], NOISE)


def exact(net, width):
    return [priors.NNGP(net), priors.NTK(net, output_scale=1.0)]


def with_network(net, width):
    return [priors.NNGP(net), bnn.BayesianNetwork(net, width)]


def numbers(table):
    return table.drop(columns="seconds")


def of_both(folder, candidates, client, **more):
    sets = [data_set("sine"), data_set("slope")]
    return inference.atlas(
        sets, NET, [3], folder, candidates=candidates, sampler=FEW, client=client, progress=False, **more
    )


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Both cells with a network, computed here in the other order, one after the other."""
    folder = Folder(tmp_path_factory.mktemp("undisturbed"))
    for table in checked_tables([data_set("slope"), data_set("sine")], 1000, 0):
        cell = Cell(table, NET.name, NET, 3, with_network(NET, 3), FEW, None, 0)
        assert run_cell(CellTask(cell, folder)) == DONE
    return bnn.load(folder.path)


@pytest.mark.slow
def test_rows_are_verdicts_on_five_folds(undisturbed):
    table = undisturbed.table
    assert table["set"].to_list() == ["sine", "slope"]
    for row in table.itertuples():
        found = undisturbed.comparison(row.cell)
        assert (row.outcome, row.rung) == (found.verdict.outcome, found.verdict.rung)
        assert (row.gain, row.gain_se) == (found.verdict.gain, found.verdict.gain_error)
        assert sum(len(part) for part in found.y_test) == row.rows == 30
        evidence = found.table.log_evidence
        network, nngp = (next(one for one in evidence.index if one.startswith(kind)) for kind in ("Bayes", "NNGP"))
        assert row.log_bayes_factor == pytest.approx(evidence[network] - evidence[nngp])
    assert undisturbed.outcomes.sum() == 2
    with pytest.raises(ValueError, match="there is no comparison"):
        undisturbed.comparison("0" * 16)


def test_folds_are_those_of_the_data_set_and_seeds_those_of_the_cell():
    table, other = checked_tables([data_set("sine"), data_set("slope")], 1000, 0)
    cells = [
        Cell(table, "", NET, width, exact(NET, width), FEW, None, seed) for width, seed in ((3, 0), (4, 0), (3, 1))
    ]
    cells.append(Cell(other, "", NET, 3, exact(NET, 3), FEW, None, 0))
    cells.append(Cell(table, "", bnn.mlp(1, "relu", 1.5, 0.1), 3, exact(NET, 3), FEW, None, 0))
    cells.append(Cell(table, "", NET, 3, exact(NET, 3), inference.SMC(particles=17, islands=2), None, 0))
    cells.append(Cell(table, "", NET, 3, exact(NET, 3), FEW, 1, 0))
    assert len({cell.identity for cell in cells}) == len(cells)
    assert Cell(table, "called otherwise", NET, 3, exact(NET, 3), FEW, None, 0).identity == cells[0].identity
    found = [cell.compare(None) for cell in cells[:2]]
    assert all(np.array_equal(a, b) for a, b in zip(found[0].y_test, found[1].y_test, strict=True))
    assert found[0].provenance["seed"] != found[1].provenance["seed"]
    (split,) = cells[-1].compare(None).y_test
    assert len(split) == 6
    assert np.isin(split, frame("sine")["y"]).all()


def test_splits_that_cannot_be_are_refused_before_any_work(tmp_path):
    for splits in (0, 1.5, True):
        with pytest.raises(ValueError, match="splits must be"):
            inference.atlas([data_set("sine")], NET, [3], tmp_path / "atlas", splits=splits)
    assert not (tmp_path / "atlas").exists()


@pytest.mark.slow
def test_a_comparison_and_its_file_are_the_same_with_a_client(client, tmp_path):
    """Bit for bit: two priors, two splits, one row by SMC."""
    data = frame("sine")
    given = with_network(NET, 3), data[["a", "b"]], data["y"]
    settings = {"splits": 2, "likelihood": NOISE, "sampler": FEW, "progress": False}
    here, there = bnn.compare(*given, **settings), bnn.compare(*given, **settings, client=client)
    pd.testing.assert_frame_equal(numbers(there.table), numbers(here.table), check_exact=True)
    for ours, theirs in zip(here.rows, there.rows, strict=True):
        assert np.array_equal(np.concatenate(ours.lpd_test), np.concatenate(theirs.lpd_test))
        assert np.array_equal(np.concatenate(ours.test_mean), np.concatenate(theirs.test_mean))
    assert str(bnn.load(there.save(tmp_path / "result.nc")).verdict) == str(here.verdict)
    with pytest.raises(ValueError, match=r"client must be a distributed\.Client"):
        bnn.compare(*given, **settings, client="tcp://127.0.0.1:8786")


def test_workers_that_are_there_already_are_used_and_left(client):
    with client_of(client.scheduler.address) as other:
        assert map_over_workers(abs, [-1, 2], other) == [1, 2]
    assert len(client.run(os.getpid)) == 2


def test_a_sweep_hands_the_client_on(monkeypatch):
    """To the comparison, which the test above is about."""

    class HandedOnError(Exception):
        pass

    def handed(*given, client):
        raise HandedOnError(client)

    monkeypatch.setattr("bayes_nn.inference.comparison.sweep.compare", handed)
    with pytest.raises(HandedOnError, match="the client"):
        inference.sweep(NET, [3], [[1.0]], [1.0], client="the client")


@pytest.mark.slow
def test_a_worker_killed_in_a_cell_changes_nothing(client, undisturbed, tmp_path):
    """The worker dies in its fourth fit of a cell; another one goes on from the checkpoint."""
    log = tmp_path / "log"

    def make_deadly():
        from bayes_nn.inference.comparison import fits

        fit, count = fits.fit_dataset, []

        def deadly(*given, **more):
            count.append(1)
            if len(count) == 4 and not log.exists():
                log.write_text(str(os.getpid()))
                os.kill(os.getpid(), signal.SIGKILL)
            return fit(*given, **more)

        fits.fit_dataset = deadly

    client.run(make_deadly)
    before = set(client.run(os.getpid).values())
    found = of_both(tmp_path / "atlas", with_network, client)
    client.wait_for_workers(2)
    killed = int(log.read_text())
    assert killed in before
    assert killed not in client.run(os.getpid).values()
    pd.testing.assert_frame_equal(numbers(found.table), numbers(undisturbed.table), check_exact=True)
    assert found.not_done == ()
    assert not list((tmp_path / "atlas" / "running").iterdir())


@pytest.mark.slow
def test_a_run_killed_goes_on_and_does_nothing_twice(client, undisturbed, tmp_path):
    """The command line with one worker, killed without notice after its first cell; then Python, with two."""
    folder = tmp_path / "atlas"
    for name in ("sine", "slope"):
        frame(name).to_csv(tmp_path / f"{name}.csv", index=False)
    program = [
        sys.executable, "-m", "bayes_nn.cli", "atlas", tmp_path / "slope.csv", tmp_path / "sine.csv", "--target", "y",
        "--depth", "1", "--width", "3", "--activation", "relu", "--weight-std", "1.4", "--bias-std", "0.1",
        "--noise-std", "0.3", "--priors", "nngp,network", "--particles", "16", "--islands", "2", "--workers", "1",
        "--out", folder,
    ]  # fmt: skip
    with subprocess.Popen([str(part) for part in program], stderr=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not list(folder.glob("cells/*.row")):
            time.sleep(0.05)
        process.kill()
        told = process.stderr.read()
    (first,) = folder.glob("cells/*.row")
    assert process.returncode == -signal.SIGKILL, told
    stamps = {path: path.stat().st_mtime_ns for path in (first, first.with_suffix(".nc"))}
    found = of_both(folder, with_network, client)
    pd.testing.assert_frame_equal(numbers(found.table), numbers(undisturbed.table), check_exact=True)
    assert {path: path.stat().st_mtime_ns for path in stamps} == stamps
    again = of_both(folder, with_network, None)  # all is done, so that no workers are started
    pd.testing.assert_frame_equal(again.table, found.table)


@pytest.mark.slow
def test_a_cell_killed_before_its_row_was_written_gets_it_from_its_comparison(undisturbed, tmp_path):
    shutil.copytree(undisturbed.folder, tmp_path / "atlas")
    folder, cell = Folder(tmp_path / "atlas"), undisturbed.table.cell[0]
    folder.row_path(cell).unlink()
    assert not folder.is_done(cell)
    assert folder.recover(cell)
    pd.testing.assert_frame_equal(folder.table(), undisturbed.table)


@pytest.mark.slow
def test_folders_of_two_machines_are_merged_by_copying(undisturbed, tmp_path):
    for place, cell in enumerate(undisturbed.table.cell):
        for path in (undisturbed.folder / "cells").glob(f"{cell}.*"):
            (tmp_path / str(place) / "cells").mkdir(parents=True, exist_ok=True)
            shutil.copy(path, tmp_path / str(place) / "cells")
    assert len(bnn.load(tmp_path / "0").table) == 1
    shutil.copytree(tmp_path / "1", tmp_path / "0", dirs_exist_ok=True)
    merged = bnn.load(tmp_path / "0")
    pd.testing.assert_frame_equal(merged.table, undisturbed.table)
    written = pd.read_csv(tmp_path / "0" / "table.csv", keep_default_na=False, na_values=["nan"])
    assert written.cell.to_list() == undisturbed.table.cell.to_list()


@pytest.mark.slow
def test_a_cell_that_fails_has_a_row_that_says_why(client, tmp_path):
    """One odd row: where it is tested on, the training rows leave nothing to explain. The other cell is done."""
    x = np.arange(20.0)
    odd = inference.DataSet("odd", x, (x == 3.0).astype(float), NOISE)
    settings = {"candidates": exact, "client": client, "progress": False}
    found = inference.atlas([odd, data_set("sine")], NET, [3], tmp_path, **settings)
    assert found.table["set"].to_list() == ["odd", "sine"]
    assert "nothing to explain" in found.table.error[0]
    assert "\n" not in found.table.error[0]
    assert found.table.error[1] == ""
    assert found.not_done == ()
    assert "failed: odd" in str(found)
    page = found.report(tmp_path / "page.html").read_text()
    assert "nothing to explain" in page
    assert len(found.plot().axes) == 1


def test_no_cell_is_begun_when_the_time_is_over(client, tmp_path):
    found = of_both(tmp_path, exact, client, seconds=1e-6)
    assert len(found.not_done) == 2
    assert not len(found.table)
    assert str(found).split() == ["2", "not", "done"]
    with pytest.raises(ValueError, match="nothing to draw"):
        found.plot()


def test_a_cell_that_another_process_has_is_left_to_it(tmp_path):
    (table,) = checked_tables([data_set("sine")], 1000, 0)
    cell, folder = Cell(table, NET.name, NET, 3, exact(NET, 3), FEW, None, 0), Folder(tmp_path)
    with locked(folder.running(cell.identity)):
        assert run_cell(CellTask(cell, folder)) == ELSEWHERE
    assert not folder.row(cell.identity)
    assert run_cell(CellTask(cell, folder)) == DONE


def test_larger_sets_are_cut_to_the_same_rows_everywhere():
    x = np.arange(500.0)
    cut, again = (checked_tables([inference.DataSet("x", x, x**2)], 100, 7)[0] for _ in range(2))
    assert cut.X.shape == (100, 1)
    assert cut.rows_before == 500
    assert cut.digest == again.digest
    assert np.array_equal(cut.y[:, 0], cut.X[:, 0] ** 2)
    assert checked_tables([inference.DataSet("x", x, x**2)], 100, 8)[0].digest != cut.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sets": []}, "sets is empty"),
        ({"sets": ["roses"]}, "no bundled data set 'roses'"),
        ({"sets": [np.ones(3)]}, "every set must be"),
        ({"sets": ["iris", "iris"]}, "several data sets are called iris"),
        ({"sets": [inference.DataSet("x", np.ones(20), np.ones(20))]}, "^x: "),
        ({"sets": [inference.DataSet("x", np.arange(5.0), np.arange(5.0))]}, "x: 5 rows are too few"),
        ({"nets": []}, "nets is empty"),
        ({"widths": [0]}, "positive integer"),
        ({"rows": 3}, "rows must be a whole number"),
        ({"seconds": 0.0}, "seconds must be positive"),
        ({"sampler": "nuts"}, "an atlas needs evidences"),
        ({"workers": 0}, "number of workers"),
        ({"client": 3}, "client must be"),
        ({"nets": bnn.mlp(1, bnn.Activation(np.sin))}, "your own code"),
    ],
)
def test_bad_settings_are_refused_before_any_work(change, message, tmp_path):
    good = {"sets": ["iris"], "nets": NET, "widths": [3], "folder": tmp_path}
    with pytest.raises(ValueError, match=message):
        inference.atlas(**good | change)
    assert not (tmp_path / "cells").exists()
