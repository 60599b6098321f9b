"""Faults of an atlas: a worker killed half way, and the whole run killed once; and what a second worker is worth.

Run with ``python benchmarks/atlas_faults.py``. Twelve cells, of six small data sets at two widths, are computed on two
workers by a run that is left alone. A second run of the same cells loses a worker, killed by its process id, when a
third of the cells are done, and is killed as a whole, workers and all, when two thirds are; a third run goes on. Prints
how many cells were lost, were done twice, and have other numbers than those of the run left alone, which all must
be 0. With ``--speed`` the same cells are computed by one worker too, to print the ratio of the times and what a cell
costs beyond its fits. A first run, whose time is not counted, compiles.
"""

import argparse
import os
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
from distributed import WorkerPlugin

import bayes_nn as bnn
from bayes_nn import inference, priors
from bayes_nn.inference.atlases.folder import Folder
from bayes_nn.runtime.compilation_cache import use_compilation_cache
from bayes_nn.runtime.workers import local_workers

NET, NOISE = bnn.mlp(1, "relu", 1.4, 0.1), bnn.Gaussian(0.3)
WIDTHS, SETS = (3, 4), 6
FEW = inference.SMC(particles=32, islands=2)


def candidates(net, width):
    """A row without sampling, and two with."""
    return [priors.NNGP(net), priors.InputMetric(net), bnn.BayesianNetwork(net, width)]


def data_sets():
    """Thirty rows each, of sines of other frequencies."""
    sets = []
    for number in range(SETS):
        rng = np.random.default_rng(number)
        X = rng.normal(size=(30, 2))
        y = np.sin((1.0 + 0.3 * number) * X[:, 0]) + 0.3 * rng.normal(size=30)
        sets.append(inference.DataSet(f"sine {number}", X, y, NOISE))
    return sets


def atlas(folder, client):
    """All cells."""
    return inference.atlas(
        data_sets(), NET, WIDTHS, folder, candidates=candidates, sampler=FEW, client=client, progress=False
    )


def child(folder, workers):
    """A run in a process of its own, which writes the process ids of its workers, and seconds in the end."""
    command = [sys.executable, __file__, "--run", str(folder), "--workers", str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def run(folder, workers):
    """What a child does: it logs every cell that a worker begins and ends."""
    with local_workers(workers) as client:
        client.register_plugin(Log(folder))
        print(*client.run(os.getpid).values(), flush=True)
        began = time.perf_counter()
        found = atlas(folder, client)
        print(f"{time.perf_counter() - began:.3f} {found.table.seconds.sum():.3f}", flush=True)


class Log(WorkerPlugin):
    """On every worker, new ones among them: a line in ``log`` for every cell whose comparison is written."""

    name = "log"

    def __init__(self, folder):
        self.path = Path(folder) / "log"

    def setup(self, worker):
        """Have the folder tell when a comparison is saved."""
        save, path = Folder.save, self.path

        def told(self, identity, found):
            save(self, identity, found)
            with path.open("a") as file:
                file.write(f"{identity}\n")

        Folder.save = told


def rows(folder):
    """Cells with a row."""
    return len(list(Path(folder).glob("cells/*.row")))


def wait_for(process, folder, count):
    """Until so many cells are done."""
    while rows(folder) < count:
        if process.poll() is not None:
            raise RuntimeError("the run ended before it could be killed")
        time.sleep(0.05)


def left_alone(folder, workers):
    """Seconds of a run, and of its fits."""
    folder.mkdir()
    with child(folder, workers) as process:
        process.stdout.readline()
        return tuple(map(float, process.stdout.readline().split()))


def killed(folder, cells):
    """A run that loses a worker and is killed, and the run that goes on; the process id of the worker, and seconds."""
    folder.mkdir()
    with child(folder, 2) as process:
        victim = int(process.stdout.readline().split()[0])
        wait_for(process, folder, cells // 3)
        os.kill(victim, signal.SIGKILL)
        wait_for(process, folder, 2 * cells // 3)
        process.kill()
    at_death = rows(folder)
    with child(folder, 2) as process:
        process.stdout.readline()
        seconds = float(process.stdout.readline().split()[0])
    return victim, at_death, seconds


def main():
    """Counts, and times where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--speed", action="store_true", help="compare with one worker")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    use_compilation_cache(Path(tempfile.gettempdir()) / "bayes_nn_faults_cache")
    if given.run:
        run(Path(given.run), given.workers)
        return 0
    folder = Path(tempfile.mkdtemp())
    try:
        left_alone(folder / "compiles", 2)
        two, fits = left_alone(folder / "two", 2)
        whole = bnn.load(folder / "two").table
        victim, at_death, seconds = killed(folder / "killed", len(whole))
        found = bnn.load(folder / "killed").table
        done = Counter((folder / "killed" / "log").read_text().split())
        lost = sorted(set(whole.cell) - set(found.loc[found.error == "", "cell"]))
        other = 0
        for name in set(whole.cell) - set(lost):
            pair = [
                table[table.cell == name].drop(columns="seconds").reset_index(drop=True) for table in (whole, found)
            ]
            other += not pair[0].equals(pair[1])
        twice = sum(count > 1 for count in done.values())
        print(f"{len(whole)} cells, two workers, left alone: {two:.0f} s")
        print(
            f"worker {victim} killed after {len(whole) // 3} cells, the run after {at_death}; the rest: {seconds:.0f} s"
        )
        print(f"cells lost {len(lost)}, done twice {twice}, with other numbers {other}")
        if given.speed:
            one, _ = left_alone(folder / "one", 1)
            beyond = (2 * two - fits) / len(whole)
            print(f"one worker: {one:.0f} s; ratio {one / two:.2f}; beyond the fits {beyond:.1f} s a cell")
        return int(bool(lost or twice or other))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
