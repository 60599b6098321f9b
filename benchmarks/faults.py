"""Faults: processes killed at random moments, flipped bits, a full disk, a read-only folder, two runs in one folder.

Run with ``python benchmarks/faults.py``, or with the faults to try, ``--kills`` and ``--flips`` for how many. Prints
how often every fault was tried, and then resumed to the same numbers as the undisturbed run, refused with an error that
says why, or wrong, which must be 0. A run of the infinite-dimensional sampler, a comparison and a sweep are killed
again and again before they end, at moments drawn evenly from the seconds that they take.
"""

import argparse
import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.inference.sampling.checkpoint import Checkpoint
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst
from bayes_nn.runtime.compilation_cache import use_compilation_cache
from bayes_nn.runtime.provenance import digest_of

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.2)
NOISE = bnn.Gaussian(0.3)
#: So long that the clock decides nothing, since a run that is killed takes longer.
ALL_THE_TIME = 1e9
SMALL = inference.SMC(particles=32, islands=2, target_ess=0.3, accepted_moves=0.2)
BOTH = inference.ReplicaExchange(rounds=3, particles=16)
CHAINS = inference.InfiniteHMC(chains=2, warmup=200, draws=400)


def data():
    """30 rows to fit, 10 to test."""
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = np.sin(2.0 * X[:, 0]) + 0.3 * np.random.default_rng(1).normal(size=40)
    return X[:30], y[:30], X[30:], y[30:]


def fit(folder, sampler=CHAINS):
    """Digest of the draws of a network."""
    X, y, *_ = data()
    found = bnn.fit(bnn.BayesianNetwork(NET, 4), X, y, NOISE, sampler, key=3, checkpoint=folder, progress=False)
    return digest_of(*found.values.values(), found.log_likelihood)


def compare(folder):
    """Digest of the rows of a comparison, by SMC and replica exchange in turn."""
    return rows_digest(comparison(folder, SMCFirst(SMALL, BOTH, ALL_THE_TIME, confirm_kernels=True)))


def sweep(folder):
    """Digest of the rows of a sweep, by SMC alone."""
    found = inference.sweep(
        NET, [2, 3], *data(), likelihood=NOISE, sampler=SMALL, key=3, checkpoint=folder, progress=False
    )
    return "".join(rows_digest(one) for one in found.comparisons.values())


def comparison(folder=None, sampler=SMALL):
    """Four rungs of the ladder."""
    candidates = [
        bnn.priors.NNGP(NET), bnn.priors.ScaleMixture(NET, 4), bnn.priors.InputMetric(NET), bnn.BayesianNetwork(NET, 4)
    ]  # fmt: skip
    return bnn.compare(
        candidates, *data(), 3, likelihood=NOISE, sampler=sampler, checkpoint=folder, progress=False
    )  # fmt: skip


def rows_digest(result):
    """Of all numbers but the seconds."""
    numbers = [result.table.drop(columns="seconds").to_numpy(dtype=float)]
    return digest_of(*numbers, *(array for row in result.rows for array in (*row.lpd_test, *row.test_mean)))


RUNS = {"fit": fit, "compare": compare, "sweep": sweep}


def child(kind, folder):
    """A process that makes one run: it says when it begins, and the digest in the end."""
    return subprocess.Popen([sys.executable, __file__, "--run", kind, str(folder)], stdout=subprocess.PIPE, text=True)


def killed(kind, kills, folder, rng):
    """A run killed that often, or until it ends by itself before."""
    with child(kind, folder / "undisturbed") as process:
        process.stdout.readline()
        began = time.perf_counter()
        whole = process.stdout.readline()
        seconds = time.perf_counter() - began
    assert whole, f"the undisturbed {kind} failed"
    count = Counter()
    while count["tried"] < kills:
        before, again = count["tried"], ""
        while not again:
            with child(kind, folder / "run") as process:
                process.stdout.readline()
                if count["tried"] < kills:
                    with contextlib.suppress(subprocess.TimeoutExpired):
                        process.wait(rng.uniform(0.0, seconds))
                    count["tried"] += process.poll() is None
                    process.kill()
                again = process.stdout.read()
            if not again and process.returncode != -9:
                raise RuntimeError(f"a killed {kind} did not go on")
        right = again == whole and not (folder / "run").exists()
        count["resumed"] += right * (count["tried"] - before)
        count["wrong"] += not right
    return count


def interrupted(folder, sampler, saves):
    """A folder with the state of a run that stopped after so many writes."""
    save, left = Checkpoint.save, saves

    def stops(self, name, state):
        nonlocal left
        save(self, name, state)
        left -= 1
        if not left:
            raise KeyboardInterrupt

    Checkpoint.save = stops
    try:
        fit(folder, sampler)
    except KeyboardInterrupt:
        pass
    else:
        raise RuntimeError(f"the run ended before {saves} writes")
    finally:
        Checkpoint.save = save
    return folder


def tried(count, run, whole, named=""):
    """Count how a run ends: refused in words that hold a name, with the right numbers, or wrong."""
    count["tried"] += 1
    try:
        found = run()
    except (ValueError, OSError) as error:
        count["refused" if str(named) in str(error) else "wrong"] += 1
    else:
        count["resumed" if found == whole else "wrong"] += 1


def flipped(flips, folder, rng):
    """One bit of one file of a checkpoint, or of a saved result, is another."""
    count = Counter()
    saved = comparison().save(folder / "result.nc")
    saves = {CHAINS: 12, SMALL: 3}
    states = [(sampler, interrupted(folder / sampler.name, sampler, count)) for sampler, count in saves.items()]
    whole = {sampler: fit(None, sampler) for sampler, _ in states}
    table = rows_digest(bnn.load(saved))
    for number in range(flips):
        if number % 2:
            sampler, state = states[number // 2 % 2]
            copy = shutil.copytree(state, folder / "copy")
            path = flip(rng.choice(sorted(copy.iterdir())), rng)
            tried(count, lambda: fit(copy, sampler), whole[sampler], path.name)  # noqa: B023
            shutil.rmtree(copy, ignore_errors=True)
        else:
            path = flip(shutil.copy(saved, folder / "flipped.nc"), rng)
            tried(count, lambda: rows_digest(bnn.load(path)), table, path.name)  # noqa: B023
    return count


def flip(path, rng):
    """Change one bit of a file."""
    content = bytearray(Path(path).read_bytes())
    content[rng.integers(len(content))] ^= 1 << rng.integers(8)
    Path(path).write_bytes(content)
    return Path(path)


def full_disk(folder):
    """Too little space for the next state: it is refused, and with space the run goes on from the last one."""
    count, whole = Counter(), fit(None)
    state = interrupted(folder / "run", CHAINS, 12)
    largest = max(path.stat().st_size for path in state.iterdir())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    for limit in (largest - 1, largest // 2, 100):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limits[1]))
        try:
            tried(count, lambda: fit(state), whole, state)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    tried(count, lambda: fit(state), whole)
    with small_disk(folder / "disk") as disk:
        if disk:
            tried(count, lambda: fit(disk / "run"), whole, disk)
            for path in disk.iterdir():
                shutil.copytree(path, folder / "saved")
            tried(count, lambda: fit(folder / "saved"), whole)
    return count


@contextlib.contextmanager
def small_disk(folder):
    """A file system of 64 kB, or None where this user may not make one."""
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", folder], capture_output=True).returncode
    try:
        yield None if made else folder
    finally:
        if not made:
            subprocess.run(["umount", folder], check=True)


def read_only(folder):
    """A folder that may not be written to: refused, and with permission the run goes on."""
    count, whole = Counter(), fit(None)
    folder.chmod(0o755)
    state = interrupted(folder / "run", CHAINS, 12)
    state.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    tried(count, lambda: fit(state), whole, state)
    os.seteuid(user)
    state.chmod(0o755)
    tried(count, lambda: fit(state), whole)
    return count


def two_runs(folder):
    """The second is refused by the number of the first, which goes on."""
    count = Counter()
    with child("fit", folder / "run") as process:
        process.stdout.readline()
        while not (folder / "run" / "fingerprint.npz").exists():
            time.sleep(0.01)
        process.send_signal(signal.SIGSTOP)  # so that it is there for long enough
        whole = fit(None)
        tried(count, lambda: fit(folder / "run"), "never", f"process {process.pid} on")
        process.send_signal(signal.SIGCONT)
        tried(count, process.stdout.readline, whole + "\n")
    return count


def main():
    """A line for every fault."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("faults", nargs="*", help="which, by the beginnings of their names; all when left out")
    parser.add_argument("--kills", type=int, default=6, help="of every kind of run")
    parser.add_argument("--flips", type=int, default=200, help="bits of checkpoints and of saved results")
    parser.add_argument("--seed", type=int, default=0, help="of the moments and the bits")
    parser.add_argument("--run", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    bnn.use_all_cores()
    use_compilation_cache(Path(tempfile.gettempdir()) / "bayes_nn_faults_cache")
    if given.run:
        print("begun", flush=True)
        print(RUNS[given.run[0]](given.run[1]), flush=True)
        return 0
    rng, wrong = np.random.default_rng(given.seed), 0
    faults = {f"{kind} killed": lambda folder, kind=kind: killed(kind, given.kills, folder, rng) for kind in RUNS}
    faults |= {
        "flipped bits": lambda folder: flipped(given.flips, folder, rng),
        "full disk": full_disk,
        "read-only folder": read_only,
        "two runs in one folder": two_runs,
    }
    print(f"{'fault':24} {'tried':>6} {'resumed':>8} {'refused':>8} {'wrong':>6} {'seconds':>8}")
    chosen = tuple(given.faults) or ("",)
    for name, fault in ((name, fault) for name, fault in faults.items() if name.startswith(chosen)):
        began = time.perf_counter()
        with tempfile.TemporaryDirectory() as folder:
            count = fault(Path(folder))
        columns = " ".join(f"{count[key]:>{width}}" for key, width in (("tried", 6), ("resumed", 8), ("refused", 8)))
        print(f"{name:24} {columns} {count['wrong']:>6} {time.perf_counter() - began:8.0f}", flush=True)
        wrong += count["wrong"]
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
