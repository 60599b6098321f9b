"""Time to a first and to a second fit, with and without the flag by which ``bayes_nn.use_all_cores`` compiles quickly.

Run with ``python benchmarks/compilation.py``. Every line is a process of its own, which compiles everything; the second
fit compiles nothing. The lines of one fit follow each other, so that they can be compared on a machine that slows down.
"""

import os
import subprocess
import sys
import time
import warnings

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.runtime.environment import QUICK_COMPILATION

FITS = {
    "SMC, 30 rows, width 8, depth 1": (30, 8, 1, inference.SMC(particles=64)),
    "SMC, 150 rows, width 32, depth 2": (150, 32, 2, inference.SMC(particles=64)),
    "InfiniteHMC, 150 rows, width 32, depth 2": (150, 32, 2, inference.InfiniteHMC(warmup=100, draws=100)),
    "NUTS, 12 rows, width 3, depth 1": (12, 3, 1, inference.NUTS(warmup=100, draws=100)),
}


def time_fit(name):
    """Print the seconds that the first and the second of two equal fits take."""
    bnn.use_all_cores()
    import numpy as np

    rows, width, depth, sampler = FITS[name]
    rng = np.random.default_rng(0)
    X = rng.normal(size=(rows, 4))
    y = np.sin(X[:, 0]) + 0.2 * rng.normal(size=rows)
    network = bnn.BayesianNetwork(bnn.mlp(depth), width)
    warnings.simplefilter("ignore")
    for _ in range(2):
        started = time.perf_counter()
        bnn.fit(network, X, y, sampler=sampler, progress=False)
        print(f"{time.perf_counter() - started:8.1f}", end="")


def main():
    print(f"{'fit':42s} {'flag':4s}   first  second")
    for name in FITS:
        for flag, setting in {"yes": QUICK_COMPILATION, "no": QUICK_COMPILATION.replace("false", "true")}.items():
            print(f"{name:42s} {flag:4s}", end="", flush=True)
            environment = os.environ | {"XLA_FLAGS": setting}
            subprocess.run([sys.executable, __file__, name], env=environment, check=True)
            print(flush=True)


if __name__ == "__main__":
    time_fit(sys.argv[1]) if len(sys.argv) > 1 else main()
