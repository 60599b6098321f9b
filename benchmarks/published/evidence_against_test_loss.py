"""Evidence and conditional evidence of many models: which of the two ranks them as the test does.

Run with ``python benchmarks/published/evidence_against_test_loss.py ../shared`` (the folder that holds ``data``);
``--out FOLDER`` saves the figure there, ``--no-networks`` leaves the finite networks out. Seeds fixed.

Published: the conditional evidence ``log p(y_(m+1..N) | y_(1..m))`` agrees with the test better than the evidence does,
which also pays for how little a prior says before any data (Lotfi, Izmailov, Benton, Goldblum and Wilson 2022,
ICML, arXiv:2202.11678; no one number stands for the claim, its figures show correlations for many families of models).

Measured: Spearman's correlation over models of either score with the mean log density of test points, given all N
rows. Models: exact NNGPs of fixed hyperparameters (activation, depth, stds of weights, biases and noise), on random
splits of UCI sets; and beside them finite networks, their evidence by SMC, on the first split of the first set.
"""

import argparse
import itertools
import time
from dataclasses import replace
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from jax.scipy.stats import norm  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from scipy.stats import spearmanr  # noqa: E402

from bayes_nn import inference, priors  # noqa: E402
from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402
from bayes_nn.runtime.devices import map_over_devices  # noqa: E402

SETS, SPLITS, ROWS, TEST_ROWS = ("energy", "concrete", "wine"), 8, 150, 300
#: Rows that the conditional evidence is given.
GIVEN = (75, 120)
ACTIVATIONS, DEPTHS = ("relu", "erf"), (1, 2, 4)
WEIGHT_STDS, BIAS_STDS, NOISE_STDS = (0.5, 1.0, 1.5, 2.5, 5.0), (0.05, 0.3, 1.0, 3.0), (0.03, 0.1, 0.3, 0.6)
#: Of the finite networks: depths, widths, stds of weights; noise and biases are common to all.
NETWORKS = tuple(itertools.product((1, 2), (8, 64), (0.7, 1.5, 4.0)))
NETWORK_NOISE, NETWORK_BIAS, NETWORK_ROWS, NETWORK_GIVEN = 0.3, 0.3, 80, 40
SCORES = ("evidence", *(f"given {given}" for given in GIVEN))


def split(X, y, number, rows):
    """Training and test rows of a random split, on the scale of the training rows."""
    order = np.random.default_rng(number).permutation(len(y))
    train, test = order[:rows], order[rows : rows + TEST_ROWS]
    spread = X[train].std(axis=0)
    X = (X - X[train].mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    y = (y - y[train].mean()) / y[train].std()
    return X[train], y[train], X[test], y[test]


@jax.jit
def scores_of(problem, stds, X_test, y_test):
    """Evidence, conditional evidences, and mean log density of the test points, of every model; nats."""

    def one(shared, stds):
        problem, X_test, y_test = shared
        problem = replace(problem, fixed=stds)
        process, v = problem.process({}, X_test), problem.noise_variance({})
        by_row = process.prequential(problem.Y, v)
        mean, variance = process.predict(problem.Y, v)
        test = norm.logpdf(y_test, mean[:, 0], jnp.sqrt(variance + v))
        return jnp.stack([jnp.sum(by_row), *(jnp.sum(by_row[given:]) for given in GIVEN), jnp.mean(test)])

    return map_over_devices(one, len(stds["noise_std"]))((problem, X_test, y_test), stds)


def of_kernels(X, y, X_test, y_test):
    """Scores of all NNGPs, (models, scores and the test)."""
    found = []
    for activation, depth in itertools.product(ACTIVATIONS, DEPTHS):
        problems = [
            CollapsedProblem.of(
                priors.NNGP(bnn.mlp(depth, activation, weight_std, bias_std)),
                jnp.asarray(X),
                jnp.asarray(y)[:, None],
                bnn.Gaussian(noise_std),
            )
            for weight_std, bias_std, noise_std in itertools.product(WEIGHT_STDS, BIAS_STDS, NOISE_STDS)
        ]
        stds = jax.tree.map(lambda *each: jnp.stack(each), *(problem.fixed for problem in problems))
        found.append(np.asarray(scores_of(problems[0], stds, jnp.asarray(X_test), jnp.asarray(y_test))))
    return np.concatenate(found)


def of_networks(X, y, X_test, y_test):
    """Evidence, conditional evidence and test score of finite networks by SMC, and which of them are reliable."""
    found, reliable = [], []
    settings = inference.SMC(particles=48)
    for depth, width, weight_std in NETWORKS:
        network = bnn.BayesianNetwork(bnn.mlp(depth, "relu", weight_std, NETWORK_BIAS), width)
        part, whole = (
            bnn.fit(network, X[:rows], y[:rows], bnn.Gaussian(NETWORK_NOISE), settings, False, key=rows, progress=False)
            for rows in (NETWORK_GIVEN, NETWORK_ROWS)
        )
        first, all_rows = part.log_evidence, whole.log_evidence
        test = np.mean(whole.predict(X_test).log_prob(y_test))
        found.append((all_rows.value, all_rows.value - first.value, test))
        reliable.append(first.reliable and all_rows.reliable)
        print(f"  depth {depth}, width {width:3d}, weight_std {weight_std:.1f}: evidence {all_rows.value:8.2f} +- "
              f"{all_rows.mcse:.2f}, given {NETWORK_GIVEN} rows {all_rows.value - first.value:8.2f}, test {test:7.3f}"
              f"{'' if reliable[-1] else '  (not reliable)'}", flush=True)  # fmt: skip
    return np.array(found), np.array(reliable)


def correlations(found):
    """Spearman's correlation of every score with the test, which is the last column."""
    return np.array([spearmanr(found[:, column], found[:, -1]).statistic for column in range(found.shape[1] - 1)])


def better_half(found):
    """The models that the test puts in the better half, which favours neither score."""
    return found[found[:, -1] >= np.median(found[:, -1])]


def regret(found):
    """What the model that a score likes best loses on a test point against the best model, nats."""
    best = np.argmax(found[:, :-1], axis=0)
    return found[:, -1].max() - found[best, -1]


def with_error(values):
    """Mean over splits and its standard error."""
    values = np.asarray(values)
    return f"{values.mean():6.3f} +- {values.std(ddof=1) / len(values) ** 0.5:.3f}"


def main():
    """All sets, then the networks; and the figure where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds data")
    parser.add_argument("--out", type=Path, help="folder for the figure")
    parser.add_argument("--no-networks", action="store_true")
    given = parser.parse_args()
    began = time.perf_counter()
    figure = Figure(figsize=(3.2 * len(SCORES), 3.0 * len(SETS)), layout="constrained")
    panels = figure.subplots(len(SETS), len(SCORES))
    data = {}
    for name in SETS:
        with np.load(given.shared / "data" / "uci_regression" / f"{name}.npz") as arrays:
            rows = np.unique(np.column_stack([arrays["X"], arrays["y"]]), axis=0)
            data[name] = rows[:, :-1], rows[:, -1]
    for (name, (X, y)), row in zip(data.items(), panels, strict=True):
        splits = [of_kernels(*split(X, y, number, ROWS)) for number in range(SPLITS)]
        rho = np.array([correlations(found) for found in splits])
        of_better = np.array([correlations(better_half(found)) for found in splits])
        lost = np.array([regret(found) for found in splits])
        print(f"{name}: {len(splits[0])} NNGPs, {ROWS} rows, {SPLITS} splits")
        for column, score in enumerate(SCORES):
            print(f"  {score:>10}: rank correlation with the test {with_error(rho[:, column])}, over the better half of"
                  f" models {with_error(of_better[:, column])}; its choice loses {with_error(lost[:, column])} nats a"
                  " test point")  # fmt: skip
            if column:
                differences = (one[:, column] - one[:, 0] for one in (rho, of_better, lost))
                print(f"{'':14}minus those of the evidence: {'; '.join(map(with_error, differences))}", flush=True)
            row[column].plot(splits[0][:, column], splits[0][:, -1], ".", ms=3)
            row[column].set_title(f"{name}, {score}: {rho[0, column]:.2f}", fontsize=9)
            row[column].set_xscale("symlog", linthresh=100.0)
            row[column].set_yscale("symlog", linthresh=1.0)
            row[column].set(xlabel=f"{score}, nats", ylabel="test log density")
    print("published: conditional evidence correlates better with the test than evidence does (Lotfi et al. 2022)")
    if not given.no_networks:
        print(f"{SETS[0]}: finite networks, {NETWORK_ROWS} rows")
        found, reliable = of_networks(*split(*data[SETS[0]], 0, NETWORK_ROWS))
        for label, some in (("all", np.full(len(found), True)), ("reliable", reliable)):
            of_evidence, conditional = correlations(found[some])
            print(f"  {label} {some.sum()} networks: evidence {of_evidence:.3f}, conditional {conditional:.3f}")
    print(f"{time.perf_counter() - began:.0f} s")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        figure.savefig(given.out / "evidence_against_test_loss.png", dpi=130)


if __name__ == "__main__":
    main()
