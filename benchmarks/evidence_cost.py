"""How the cost of an evidence grows with the rows N, the width n and the depth L.

Run with ``python benchmarks/evidence_cost.py``. One SMC run (4 islands of 64 particles) on the first N rows of the
diabetes data, fixed standard deviations; the second of two runs is timed, so that compilation is left out. One of
N = 200, n = 64 and L = 2 is varied at a time. Writes docs/evidence_cost.png. Key fixed.
"""

import time
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

from bayes_nn.inference import SMC  # noqa: E402
from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402
from bayes_nn.inference.sampling.smc_run import run_smc  # noqa: E402

SETTINGS = SMC(particles=64)
SWEEPS = {"rows N": (50, 100, 200, 400), "width n": (16, 32, 64, 128, 256), "depth L": (1, 2, 3, 4)}


def measured(N, n, L):
    """Seconds, gradients, and microseconds per gradient and core."""
    X, y = load_diabetes(return_X_y=True)
    X, y = X[:N], y[:N]
    X, y = (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()
    network = bnn.BayesianNetwork(bnn.mlp(L, "relu", 2**0.5, 0.1), n)
    problem = CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian(0.7))
    for _ in range(2):
        started = time.perf_counter()
        run = run_smc(problem, SETTINGS, jax.random.key(0))
        seconds = time.perf_counter() - started
    gradients = run.evidence.details["gradient_evaluations"]
    return seconds, gradients, 1e6 * seconds * jax.local_device_count() / gradients


def main():
    figure = Figure(figsize=(9.5, 3.2), layout="constrained")
    print(f"{'varied':8} {'value':>5} {'seconds':>8} {'gradients':>10} {'microseconds/gradient':>22}")
    for panel, (varied, values) in zip(figure.subplots(1, 3, sharey=True), SWEEPS.items(), strict=True):
        found = []
        for value in values:
            sizes = {"rows N": 200, "width n": 64, "depth L": 2} | {varied: value}
            found.append(measured(*sizes.values()))
            print(f"{varied:8} {value:5d} {found[-1][0]:8.2f} {found[-1][1]:10d} {found[-1][2]:22.0f}", flush=True)
        seconds, gradients, each = np.array(found).T
        slopes = [np.polyfit(np.log(values), np.log(what), 1)[0] for what in (seconds, gradients, each)]
        print("  exponents of seconds, gradients, and seconds of one gradient: {:.2f}, {:.2f}, {:.2f}".format(*slopes))
        panel.loglog(values, seconds, "o-", label=f"one run, s (exponent {slopes[0]:.2f})")
        panel.loglog(values, each / 1e3, "s--", label=f"one gradient, ms (exponent {slopes[2]:.2f})")
        panel.set_xticks(values, [str(value) for value in values])
        panel.minorticks_off()
        panel.set(xlabel=varied)
        panel.legend(frameon=False, fontsize=8)
    figure.suptitle("Cost of an evidence by SMC, diabetes data; N = 200, n = 64, L = 2 unless varied", fontsize=10)
    figure.savefig(Path(__file__).parent.parent / "docs" / "evidence_cost.png", dpi=150)


if __name__ == "__main__":
    main()
