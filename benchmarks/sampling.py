"""Efficiency of samplers: ours on the collapsed posterior against NumPyro's NUTS over all weights, readout included.

Run with ``python benchmarks/sampling.py ../shared``; the folder holds the concrete data. Same network (ReLU, inferred
standard deviations and noise), data, numbers of chains, warm-up draws and draws, cores, and code around the samplers.
Efficiency is 1 / (MCSE^2 of the predictive mean of f x seconds), median over 100 test inputs; seconds are those of
warm-up and sampling, without compilation, which is shown apart. Keys are fixed. NUTS over all weights may stop at
``BUDGET`` seconds of sampling; then it is charged the fraction of its warm-up that its fraction of draws is, to its
advantage. Name cells after the folder to run some alone, as in ``concrete:2:64``.
"""

import sys
import time
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import arviz as az  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

from bayes_nn import inference  # noqa: E402
from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402
from bayes_nn.inference.sampling import nuts  # noqa: E402
from bayes_nn.inference.sampling.chains import calls as calls_of  # noqa: E402
from bayes_nn.runtime.devices import map_over_devices  # noqa: E402

CHAINS, WARMUP, DRAWS = 2, 300, 300
BUDGET = 240.0


class ReadoutSampled(bnn.Gaussian):
    """Gaussian noise without integrating the readout out: every weight is sampled."""

    conjugate = False


def load(name, shared):
    """Standardised training data and 100 test inputs."""
    if name == "diabetes":
        X, y = load_diabetes(return_X_y=True)
        rows = 200
    else:
        data = np.load(shared / "data" / "uci_regression" / "concrete.npz")
        X, y = data["X"], data["y"].ravel()
        rows = 400
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:rows], order[rows : rows + 100]
    mean, std = X[train].mean(axis=0), X[train].std(axis=0)
    scaled = (y[train] - y[train].mean()) / y[train].std()
    return jnp.asarray((X[train] - mean) / std), jnp.asarray(scaled)[:, None], jnp.asarray((X[test] - mean) / std)


@jax.jit
def predictive_means(problem, u, X_new):
    """E[f | z] at the test inputs for every draw (the readout's part is exact where it is integrated out)."""

    def one(shared, u):
        problem, X_new = shared
        values = problem.values(u)
        process = problem.process(values, X_new)
        if problem.likelihood.conjugate:
            return process.predict(problem.Y, problem.noise_variance(values))[0][:, 0]
        return process.predict_function(values["readout"])[0][:, 0]

    flat = u.reshape(-1, u.shape[-1])
    return map_over_devices(one, len(flat))((problem, X_new), flat).reshape(*u.shape[:2], -1)


def measured(run, problem, settings, X_new, budget):
    """Efficiency, seconds charged, compile seconds, gradients per draw, draws, largest R-hat over test inputs."""
    started, first, last = time.perf_counter(), [], []

    def report(fraction, text):
        last.append(time.perf_counter())
        if not first:
            first.append(time.perf_counter() - started)

    u, stats = run(problem, settings, report, budget)
    calls = np.diff(last)
    warmup = calls_of(settings.warmup)
    compile_seconds = first[0] - calls[0]  # the next call, whose tempering is nearly the same
    sampling = calls[warmup - 1 :].sum()
    kept = u.shape[1]
    charged = sampling + (calls[: warmup - 1].sum() + np.median(calls)) * kept / DRAWS
    f = np.asarray(predictive_means(problem, jnp.asarray(u), X_new))
    dataset = az.convert_to_dataset({"f": f})
    mcse = az.mcse(dataset)["f"].values
    r_hat = float(az.rhat(dataset)["f"].max())
    return 1.0 / np.median(mcse**2 * charged), charged, compile_seconds, stats["n_steps"].mean(), kept, r_hat


def ours(problem, settings, report, budget):
    """Infinite-dimensional HMC."""
    u, _, stats = settings.draw_u(problem, jax.random.key(1), report)
    return u, stats


def theirs(problem, settings, report, budget):
    """NumPyro's NUTS, stopped at the budget after whole calls of its sampling phase."""
    warmup = calls_of(settings.warmup)
    states = nuts._start(problem, jax.random.key(1), settings.kernel_settings, settings.chains)
    kept, began = [], None
    for number in range(warmup + calls_of(settings.draws)):
        states, moves = nuts._advance(problem, states, settings.kernel_settings)
        moves = jax.tree.map(np.asarray, moves)
        report(0.0, "")
        if number == warmup - 1:
            began = time.perf_counter()
        if number >= warmup:
            kept.append(moves)
            if time.perf_counter() - began > budget:
                break
    stats = {name: np.concatenate([one[name] for one in kept], axis=1) for name in kept[0]}
    return stats.pop("u"), stats


def main(shared, cells):
    print(
        f"{'data':9} {'depth':>5} {'width':>5} | {'collapsed':>10} {'seconds':>8} {'compile':>8} {'grads':>6}"
        f" {'R-hat':>6} | {'all weights':>11} {'seconds':>8} {'compile':>8} {'grads':>6} {'draws':>6} {'R-hat':>6}"
        f" | {'ratio':>6}"
    )
    for name, depth, width in cells:
        X, Y, X_new = load(name, shared)
        network = bnn.BayesianNetwork(bnn.mlp(depth), width)
        chains = {"chains": CHAINS, "warmup": WARMUP, "draws": DRAWS}
        collapsed, everything = bnn.Gaussian(), ReadoutSampled()
        a = measured(
            ours, CollapsedProblem.of(network, X, Y, collapsed), inference.InfiniteHMC(**chains), X_new, BUDGET
        )
        b = measured(theirs, CollapsedProblem.of(network, X, Y, everything), inference.NUTS(**chains), X_new, BUDGET)
        print(
            f"{name:9} {depth:5d} {width:5d} | {a[0]:10.3g} {a[1]:8.1f} {a[2]:8.1f} {a[3]:6.1f} {a[5]:6.3f}"
            f" | {b[0]:11.3g} {b[1]:8.1f} {b[2]:8.1f} {b[3]:6.1f} {b[4]:6d} {b[5]:6.3f} | {a[0] / b[0]:6.1f}",
            flush=True,
        )


if __name__ == "__main__":
    every = [
        f"{name}:{depth}:{width}" for name in ("diabetes", "concrete") for depth in (1, 2) for width in (16, 64, 256)
    ]
    cells = [cell.split(":") for cell in sys.argv[2:] or every]
    main(Path(sys.argv[1]), [(name, int(depth), int(width)) for name, depth, width in cells])
