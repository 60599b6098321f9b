"""Five ways to estimate one evidence, on three real data sets.

Run with ``python benchmarks/evidence_methods.py ../shared``; the folder holds two of the data sets. A network of one
hidden layer of 4 ReLU units, 60 rows, noise 0.5, fixed standard deviations: small enough for nested sampling. z is the
difference from SMC over the errors of both. Keys are fixed.
"""

import sys
import time
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import numpy as np  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

from bayes_nn import inference  # noqa: E402

ROWS = 60


def main(shared):
    network = bnn.BayesianNetwork(bnn.mlp(1, "relu", 2**0.5, 0.3), 4)
    sets = {"diabetes": load_diabetes(return_X_y=True)}
    for name in ("yacht", "concrete"):
        with np.load(shared / "data" / "uci_regression" / f"{name}.npz") as file:
            sets[name] = file["X"], file["y"].ravel()
    print(f"{'data':10} {'method':14} {'estimate':>10} {'mcse':>6} {'z':>6} {'seconds':>8}  reliable")
    for name, (X, y) in sets.items():
        rows = np.random.default_rng(0).permutation(len(y))[:ROWS]
        first = None
        for method in ("smc", "thermodynamic", "bridge", "nested", "importance"):
            started = time.perf_counter()
            found = inference.log_evidence(
                network, X[rows], y[rows], method, bnn.Gaussian(0.5), key=1, max_seconds=120.0, progress=False
            )
            first = first or found
            z = (found.value - first.value) / np.hypot(found.mcse, first.mcse)
            print(
                f"{name:10} {method:14} {found.value:10.3f} {found.mcse:6.3f} {z:6.2f}"
                f" {time.perf_counter() - started:8.1f}  {'yes' if found.reliable else found.reasons}",
                flush=True,
            )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
