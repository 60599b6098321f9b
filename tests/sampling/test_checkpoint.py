"""A run that is killed and started again gives the draws of one that was not."""

import contextlib
import itertools
import os
import resource
import shutil
import subprocess
import sys
import time

import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.inference.sampling.checkpoint import Checkpoint, running_in
from bayes_nn.inference.sampling.exchange import smc_first
from bayes_nn.runtime.state_file import write_state

X = np.random.default_rng(0).normal(size=(25, 2))
Y = X[:, 0] + 0.3 * np.random.default_rng(1).normal(size=25)
NETWORK = bnn.BayesianNetwork(bnn.mlp(depth=1), 4)
SAMPLERS = {
    "infinite_hmc": inference.InfiniteHMC(chains=2, warmup=50, draws=100),
    "nuts": inference.NUTS(chains=2, warmup=50, draws=100),
    "smc": inference.SMC(particles=32),
    "replica_exchange": inference.ReplicaExchange(rounds=2, particles=16),
    "smc that moves on": inference.SMC(particles=64, target_ess=0.15, accepted_moves=0.1),
}
KILLED = {
    "infinite_hmc-2": ("infinite_hmc", 2),
    "infinite_hmc-6": ("infinite_hmc", 6),
    "nuts-6": ("nuts", 6),
    "smc-3": ("smc", 3),
    "smc-8": ("smc", 8),
    "smc that moves on-10": ("smc that moves on", 10),
    "replica_exchange-8": ("replica_exchange", 8),
    "replica_exchange-16": ("replica_exchange", 16),
}
PROGRAM = """
import os, sys
import bayes_nn as bnn
bnn.use_all_cores()
import numpy as np
from bayes_nn import inference
from bayes_nn.inference.sampling.checkpoint import Checkpoint
X = np.random.default_rng(0).normal(size=(25, 2))
Y = X[:, 0] + 0.3 * np.random.default_rng(1).normal(size=25)
save, count = Checkpoint.save, 0

class Killed(BaseException):
    pass

def dies(self, name, state):
    global count
    save(self, name, state)
    count += 1
    if count == after:
        if last:
            os._exit(9)
        raise Killed

Checkpoint.save = dies
runs = {runs}
for number, (sampler, after, folder) in enumerate(runs):
    count, last = 0, number == len(runs) - 1
    try:
        bnn.fit(bnn.BayesianNetwork(bnn.mlp(depth=1), 4), X, Y, sampler=sampler, checkpoint=folder, key=5)
    except Killed:
        pass
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Folders of runs that were cut off in a process of its own, which the last of them takes down with it."""
    folders = {case: tmp_path_factory.mktemp("killed") / "run" for case in KILLED}
    runs = ", ".join(
        f"(inference.{SAMPLERS[name]!r}, {after}, {str(folders[case])!r})" for case, (name, after) in KILLED.items()
    )
    program = PROGRAM.replace("{runs}", f"[{runs}]")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=500)
    assert done.returncode == 9, done.stderr
    return folders


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
@pytest.mark.parametrize("case", KILLED)
def test_killed_and_started_again(case, killed):
    """Cut off in warm-up, or in sampling between two writes; draws equal to the last bit."""
    name, folder = KILLED[case][0], killed[case]
    whole = bnn.fit(NETWORK, X, Y, sampler=SAMPLERS[name], key=5)
    assert any(folder.iterdir())
    if name == "smc that moves on":
        assert 0 < Checkpoint(folder).load("islands")[2] < whole.sampler_evidence.details["moves_at_the_end"]
    again = bnn.fit(NETWORK, X, Y, sampler=SAMPLERS[name], key=5, checkpoint=folder)
    for site, draws in whole.values.items():
        np.testing.assert_array_equal(again.values[site], draws)
    np.testing.assert_array_equal(again.sample_stats["energy"], whole.sample_stats["energy"])
    assert again.sampler_evidence == whole.sampler_evidence
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_another_run_is_refused(tmp_path):
    settings = SAMPLERS["smc"]
    problem = bnn.fit(NETWORK, X, Y, sampler=settings).problem
    import jax

    Checkpoint.of(tmp_path / "run", problem, settings, jax.random.key(0))
    for change in ({"key": 1}, {"y": Y + 1.0}, {"sampler": inference.SMC(particles=64)}):
        arguments = {"y": Y * X[:, 1] if "y" in change else Y, "sampler": settings, "key": 0} | {
            name: value for name, value in change.items() if name != "y"
        }
        with pytest.raises(ValueError, match="another run"):
            bnn.fit(NETWORK, X, checkpoint=tmp_path / "run", **arguments)
    (tmp_path / "run" / "notes.txt").write_text("added later")
    bnn.fit(NETWORK, X, Y, sampler=settings, key=0, checkpoint=tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]
    with pytest.raises(ValueError, match="is a file"):
        bnn.fit(NETWORK, X, Y, sampler=settings, checkpoint=tmp_path / "run" / "notes.txt" / "below")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    with pytest.raises(ValueError, match="not written by bayes_nn"):
        bnn.fit(NETWORK, X, Y, sampler=settings, checkpoint=tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "precious"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_a_comparison_does_not_repeat_fits_that_had_ended(tmp_path, monkeypatch):
    candidates = [bnn.priors.ScaleMixture(NETWORK.net, 4), NETWORK]
    arguments = {"sampler": SAMPLERS["smc"], "splits": 0, "checkpoint": tmp_path / "run"}
    whole = bnn.compare(candidates, X, Y, sampler=SAMPLERS["smc"], splits=0)
    draw, ran = inference.SMC.draw, []

    def dies_at_the_network(self, problem, *rest, **settings):
        ran.append(problem.prior.name)
        if problem.prior.name == NETWORK.name and len(ran) == 2:
            raise KeyboardInterrupt
        return draw(self, problem, *rest, **settings)

    monkeypatch.setattr(inference.SMC, "draw", dies_at_the_network)
    with pytest.raises(KeyboardInterrupt):
        bnn.compare(candidates, X, Y, **arguments)
    _, seconds = Checkpoint(tmp_path / "run" / "split_0_prior_0").load("fit")
    again = bnn.compare(candidates, X, Y, **arguments)
    assert ran == [candidates[0].name, NETWORK.name, NETWORK.name]
    assert again.table["log_evidence"].equals(whole.table["log_evidence"])
    assert again.table["seconds"][candidates[0].name] == seconds  # those it took, not those of reading it back
    assert not (tmp_path / "run").exists()


@contextlib.contextmanager
def stopping(when):
    """Ctrl-C after that write of a run's state, given by its name and the state."""
    save = Checkpoint.save

    def stops(self, name, state):
        save(self, name, state)
        if when(name, state):
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoint, "save", stops)
        with pytest.raises(KeyboardInterrupt) as stopped:
            yield stopped


def writes(count):
    """The condition of a number of writes."""
    numbers = itertools.count(1)
    return lambda name, state: next(numbers) == count


def fit(sampler, folder=None):
    return bnn.fit(NETWORK, X, Y, sampler=sampler, key=5, checkpoint=folder)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The state of a run that was stopped while it drew."""
    folder = tmp_path_factory.mktemp("stopped") / "run"
    with stopping(writes(9)) as reason:
        fit(SAMPLERS["infinite_hmc"], folder)
    assert reason.value.__notes__ == [f"The state of the run is in {folder}: the same call goes on from there."]
    return folder


@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_damaged_missing_and_older_states_are_refused(stopped, tmp_path, flip_bits):
    """Single bits of every file, drawn at random; then a file that is not there; the rest stays as it is."""
    settings = SAMPLERS["infinite_hmc"]
    names = sorted(path.name for path in stopped.iterdir())
    assert names == ["chains.npz", "draws_2.npz", "draws_3.npz", "draws_4.npz", "fingerprint.npz", "seconds.npz"]
    folder = shutil.copytree(stopped, tmp_path / "run")
    for path in sorted(folder.iterdir()):
        whole = path.read_bytes()
        for damaged in flip_bits(whole, 5):
            path.write_bytes(damaged)
            with pytest.raises(ValueError, match=f"{path} .*remove the folder {folder}, and this run starts anew"):
                fit(settings, folder)
        path.write_bytes(whole)
    (folder / "draws_3.npz").unlink()
    with pytest.raises(ValueError, match=r"draws_3\.npz is missing in the checkpoint .*starts anew"):
        fit(settings, folder)
    np.savez(folder / "fingerprint.npz", np.array("as the version before wrote it"))
    with pytest.raises(ValueError, match="an earlier version wrote it; remove the folder"):
        fit(settings, folder)


@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_a_full_disk_is_named_and_the_run_goes_on_with_more_space(stopped, tmp_path):
    folder, limits = shutil.copytree(stopped, tmp_path / "run"), resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, ((folder / "draws_2.npz").stat().st_size - 1, limits[1]))
    try:
        with pytest.raises(OSError, match=f"cannot write to the folder {folder} .*too large"):
            fit(SAMPLERS["infinite_hmc"], folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    again, whole = fit(SAMPLERS["infinite_hmc"], folder), fit(SAMPLERS["infinite_hmc"])
    np.testing.assert_array_equal(again.log_likelihood, whole.log_likelihood)
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
@pytest.mark.parametrize("name", ["infinite_hmc", "smc", "replica_exchange"])
def test_seconds_are_those_of_all_parts(name, tmp_path):
    with stopping(writes(5)):
        fit(SAMPLERS[name], tmp_path / "run")
    before = Checkpoint(tmp_path / "run").load("seconds")
    assert before > 0.0
    write_state(tmp_path / "run" / "seconds.npz", 1000.0)
    began = time.perf_counter()
    assert 1000.0 < fit(SAMPLERS[name], tmp_path / "run").seconds < 1000.0 + time.perf_counter() - began


def test_two_runs_in_one_folder(tmp_path):
    with running_in(tmp_path / "run"):
        for run in (
            lambda: fit("smc", tmp_path / "run"),
            lambda: bnn.compare([NETWORK], X, Y, checkpoint=tmp_path / "run"),
        ):
            with pytest.raises(ValueError, match=f"is in use by process {os.getpid()} on .*choose another folder"):
                run()
    assert not (tmp_path / "run").exists()


STOPS = {
    "among the moves": lambda name, state: name == "islands" and state[2] == 2,
    "behind them": lambda name, state: name == "exchange",
}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_moves_at_the_end_are_not_made_again(tmp_path, monkeypatch):
    """SMC is moved on at most 5 times before replica exchange begins, whatever was made of them before a stop."""
    monkeypatch.setattr(smc_first, "LONGEST_PATH", 1e9)
    settings = smc_first.SMCFirst(SAMPLERS["smc that moves on"], SAMPLERS["replica_exchange"], max_seconds=1e9)
    made, save = [], Checkpoint.save

    def noted(self, name, state):
        made.extend([state[2]] if name == "islands" else [])
        save(self, name, state)

    monkeypatch.setattr(Checkpoint, "save", noted)
    whole, most = fit(settings), max(made)
    assert most > 2
    for case, when in STOPS.items():
        with stopping(when):
            fit(settings, tmp_path / case)
        made.clear()
        again = fit(settings, tmp_path / case)
        assert max(made, default=most) == most
        np.testing.assert_array_equal(again.log_likelihood, whole.log_likelihood)
        assert again.sampler_evidence == whole.sampler_evidence
