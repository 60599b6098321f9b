"""How often the verdict is right, by what the data were drawn from.

Run with ``python benchmarks/verdict_calibration.py FOLDER [--rows 60] [--sets 60] [truth ...]``. Every data set is
compared once with 4,000 test points and saved in the folder, so that a run that was stopped goes on and several runs
may be joined; it is judged at its first 100, its first 500 and all test points. A right outcome names the rung of the
truth, or a lower one where truth or network are not worth 3 nats of evidence more than those up to it. Printed for
every truth and number of test points: the fractions of right outcomes, of "needs hidden features" where it is false,
and of undecided ones, each with a 95 % interval (Clopper and Pearson).
"""

import argparse
import time
import warnings
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from scipy import stats  # noqa: E402

from bayes_nn import inference, priors, tasks  # noqa: E402
from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402

#: Islands of 64 particles are enough for rows as small as these, and several times as fast as the default.
FAST = inference.SMC(particles=64)
TEST_POINTS = (100, 500, 4000)
NOISE = 0.3
#: Nats by which the truth must be worth more than the rows below it.
WORTH = 3.0
RELU, LINEAR = bnn.mlp(1, "relu", 2**0.5, 0.3), bnn.mlp(2, "identity", 1.0, 0.0)
DEEP, FREE = bnn.mlp(2, "relu", 2**0.5, 0.1), bnn.mlp(1, "relu")
ORDER = ("no finite-width gain", "explained by scale", "explained by a learned input metric", "needs hidden features")


def drawn(prior, rows, inputs, key):
    """A draw of y from a prior with fixed standard deviations, and 4,000 test points."""
    X = jax.random.normal(jax.random.fold_in(jax.random.key(key), 0), (rows + TEST_POINTS[-1], inputs))
    problem = CollapsedProblem.of(prior, X, jnp.zeros((len(X), 1)), bnn.Gaussian(NOISE))
    u = problem.sample_prior(jax.random.fold_in(jax.random.key(key), 1))
    process = problem.process(problem.values(u))
    y = process.draw_prior(jax.random.fold_in(jax.random.key(key), 2), 1, jnp.array(NOISE**2))
    return np.asarray(X), np.asarray(y[:, 0])


def function_of(function, rows, inputs, key):
    """A function of standard-normal inputs with noise of 0.3 of its spread."""
    rng = np.random.default_rng(key)
    X = rng.normal(size=(rows + TEST_POINTS[-1], inputs))
    f = function(X, rng)
    return X, f + NOISE * f.std() * rng.normal(size=len(X))


def linear(X, rng):
    return X @ rng.normal(size=X.shape[1])


def ard_draw(X, rng):
    """A draw from an RBF kernel of the first 3 inputs, by 2,000 random Fourier features (Rahimi and Recht 2007)."""
    frequencies, phases = rng.normal(size=(3, 2000)) / 1.5, rng.uniform(0.0, 2.0 * np.pi, 2000)
    return np.cos(X[:, :3] @ frequencies + phases) @ rng.normal(size=2000) * (2.0 / 2000) ** 0.5


#: By name: rung of the truth, architecture, width, whether everything is fixed at the truth, and a maker of data.
TRUTHS = {
    "NNGP": (0, RELU, 16, True, lambda rows, key: drawn(priors.NNGP(RELU), rows, 4, key)),
    "scale mixture": (1, RELU, 4, True, lambda rows, key: drawn(priors.ScaleMixture(RELU, 4), rows, 4, key)),
    "deep linear": (1, LINEAR, 4, True, lambda rows, key: drawn(bnn.BayesianNetwork(LINEAR, 4), rows, 6, key)),
    "linear function": (2, FREE, 16, False, lambda rows, key: function_of(linear, rows, 8, key)),
    "ARD kernel": (2, FREE, 16, False, lambda rows, key: function_of(ard_draw, rows, 12, key)),
    "single index": (
        2, FREE, 16, False,
        lambda rows, key: (lambda t: (np.vstack([t.X, t.X_test]), np.concatenate([t.y, t.y_test])))(
            tasks.single_index(rows=rows, inputs=8, test_rows=TEST_POINTS[-1], key=key)
        ),
    ),
    "network": (3, DEEP, 4, True, lambda rows, key: drawn(bnn.BayesianNetwork(DEEP, 4), rows, 4, key)),
}  # fmt: skip


def compared(truth, rows, key, path):
    """The comparison of one data set, from file where it was made before."""
    if path.exists():
        return bnn.load(path)
    _, net, width, fixed, make = TRUTHS[truth]
    X, y = make(rows, key)
    candidates = [
        priors.NNGP(net), priors.NTK(net), priors.ScaleMixture(net, width), priors.InputMetric(net),
        priors.InputMetric(net, rank=2), bnn.BayesianNetwork(net, width),
    ]  # fmt: skip
    result = bnn.compare(
        candidates, X[:rows], y[:rows], X[rows:], y[rows:], key=key, sampler=FAST, standardize=not fixed,
        likelihood=bnn.Gaussian(NOISE) if fixed else bnn.Gaussian(), progress=False,
    )  # fmt: skip
    result.save(path)
    return result


def at_points(result, points):
    """The comparison with its first test points only."""
    rows = [
        replace(row, lpd_test=[row.lpd_test[0][:points]], test_mean=[row.test_mean[0][:points]],
                test_std=[row.test_std[0][:points]])
        for row in result.rows
    ]  # fmt: skip
    return replace(result, rows=rows, y_test=[result.y_test[0][:points]])


def right_outcomes(truth, result):
    """Outcomes that are right for a data set: the truth's, and those of lower rungs that do as well.

    A lower rung does as well as the truth, or as the network, where neither is worth 3 nats of evidence more.
    """
    rung = TRUTHS[truth][0]
    best = {at: max((row.log_evidence for row in result.rows if row.rung == at), default=-np.inf) for at in range(4)}
    right = {ORDER[rung]}
    for lower in range(rung - 1, -1, -1):
        if min(best[rung], best[3]) < max(best[at] for at in range(lower + 1)) + WORTH:
            right.add(ORDER[lower])
    return right


def interval(count, total):
    low, high = stats.beta.ppf([0.025, 0.975], [count, count + 1], [total - count + 1, total - count])
    return f"{count / total:4.0%} [{0.0 if count == 0 else low:.0%}, {1.0 if count == total else high:.0%}]"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--rows", type=int, default=60)
    parser.add_argument("--sets", type=int, default=60)
    parser.add_argument("--first", type=int, default=0, help="key of the first data set")
    parser.add_argument("--seconds", type=float, default=np.inf, help="begin no data set after so long")
    parser.add_argument("truths", nargs="*", default=list(TRUTHS))
    asked = parser.parse_args()
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    started, cells = time.perf_counter(), defaultdict(Counter)
    for key in range(asked.first, asked.first + asked.sets):
        for truth in asked.truths:
            path = asked.folder / f"{truth.replace(' ', '_')}_{asked.rows}_{key}.nc"
            if not path.exists() and time.perf_counter() - started > asked.seconds:
                continue
            result = compared(truth, asked.rows, key, path)
            for points in TEST_POINTS:
                part = at_points(result, points)
                outcome, right = part.verdict.outcome, right_outcomes(truth, result)
                cell = cells[truth, points]
                cell["sets"] += 1
                cell["right"] += outcome in right
                cell["false"] += outcome == "needs hidden features" and TRUTHS[truth][0] < 3
                cell[outcome] += 1
    print(f"{time.perf_counter() - started:.0f} s, {asked.rows} rows")
    print(f"{'truth':16} {'points':>6} {'sets':>4} {'right':>18} {'false features':>18} {'undecided':>18}  outcomes")
    for truth in asked.truths:
        for points in TEST_POINTS:
            cell = cells[truth, points]
            if cell["sets"]:
                shown = " ".join(
                    f"{interval(cell[what], cell['sets']):>18}" for what in ("right", "false", "undecided")
                )
                outcomes = ", ".join(f"{name} {cell[name]}" for name in (*ORDER, "undecided") if cell[name])
                print(f"{truth:16} {points:6d} {cell['sets']:4d} {shown}  {outcomes}")


if __name__ == "__main__":
    main()
