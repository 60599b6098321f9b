"""Fourteen small UCI sets: kernels of infinitely wide networks against random forests and Gaussian kernels.

Run with ``python benchmarks/published/small_classification.py ../shared``. The protocol of Arora et al. 2020 (ICLR,
arXiv:1910.01663, section 4) on 14 of its 90 sets, in the form of Fernandez-Delgado et al. 2014: hyperparameters by
accuracy on one division of the rows into two halves, then test accuracy over four divisions of 75 to 25. Support-vector
machines, one against one, with the NTK or NNGP of ReLU networks of 1 to 5 hidden layers without biases, and regression
on labels with the same kernels and a constant. The published claim, over all 90, is that the NTK is ahead of the
random forest.
"""

import argparse
import sys
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestClassifier
from sklearn.svm import SVC

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.runtime.compilation_cache import use_compilation_cache

DEPTHS = (1, 2, 3, 4, 5)
COSTS = 10.0 ** np.arange(-2, 5)
RIDGES = 10.0 ** np.arange(-5, 2)


class KernelMachine:
    """A classifier that is given kernel matrices by name: one to choose, with a cost or a ridge."""

    def __init__(self, matrices, by_regression):
        self.matrices, self.by_regression = matrices, by_regression
        self.choices = list(product(matrices, RIDGES if by_regression else COSTS))

    def predict(self, choice, train, y, test):
        """Labels at the rows ``test``, trained on the rows ``train`` and their labels."""
        K = self.matrices[choice[0]]
        within, between = K[np.ix_(train, train)], K[np.ix_(test, train)]
        if not self.by_regression:
            return SVC(C=choice[1], kernel="precomputed", cache_size=500).fit(within, y).predict(between)
        classes, targets = np.unique(y, return_inverse=True)
        targets = np.where(np.eye(len(classes))[targets] > 0, 1.0, -1.0)
        weights = np.linalg.solve(within + 1.0 + choice[1] * np.eye(len(train)), targets)
        return classes[np.argmax((between + 1.0) @ weights, axis=1)]


class Forest:
    """500 trees; the inputs of a split are chosen."""

    choices = ("sqrt", 0.33, 0.66, 1.0)

    def __init__(self, X):
        self.X = X

    def predict(self, choice, train, y, test):
        """Labels at the rows ``test``, trained on the rows ``train`` and their labels."""
        forest = RandomForestClassifier(500, max_features=choice, random_state=0, n_jobs=2)
        return forest.fit(self.X[train], y).predict(self.X[test])


def machines(X):
    """The classifiers by name; kernels are scaled to a mean diagonal of 1."""
    matrices = {"NNGP": {}, "NTK": {}}
    for depth in DEPTHS:
        net = bnn.mlp(depth=depth, weight_std=2**0.5, bias_std=0.0)
        for name, K in zip(matrices, priors.NNGP(net).kernel.both(X), strict=True):
            matrices[name][depth] = np.asarray(K) / np.trace(K) * len(K)
    squares = np.sum((X[:, None] - X) ** 2, axis=2) / X.shape[1]
    matrices["Gaussian kernel"] = {gamma: np.exp(-gamma * squares) for gamma in 4.0 ** np.arange(-4, 4)}
    for name, by_name in matrices.items():
        for by_regression in (False, True):
            yield f"{name}, {'regression' if by_regression else 'SVM'}", KernelMachine(by_name, by_regression)
    yield "random forest", Forest(X)


def test_accuracy(machine, arrays, y):
    """Of the first of the best choices on the validation rows, the mean over the four divisions; and the choice."""

    def accuracy(choice, train, test):
        return np.mean(machine.predict(choice, arrays[train], y[arrays[train]], arrays[test]) == y[arrays[test]])

    validation = [accuracy(choice, "val_train", "val_valid") for choice in machine.choices]
    best = machine.choices[int(np.argmax(validation))]
    return np.mean([accuracy(best, f"fold{k}_train", f"fold{k}_test") for k in range(4)]), best


def chosen(best):
    """What was chosen, in print: depth or inverse lengthscale and cost or ridge, or the inputs of a split."""
    return ", ".join(f"{one:g}" for one in best) if isinstance(best, tuple) else str(best)


def measures(table):
    """By classifier: mean and spread of accuracy, sets near the best, share of the best, mean rank; all but it in %."""
    best = table.max(axis=1)
    share = table.div(best, axis=0)
    return pd.DataFrame(
        {
            "accuracy": 100 * table.mean(),
            "sd": 100 * table.std(),
            "P90": 100 * (share >= 0.90).mean(),
            "P95": 100 * (share >= 0.95).mean(),
            "PMA": 100 * share.mean(),
            "rank": rankdata(-table.to_numpy(), axis=1).mean(axis=0),
        }
    ).sort_values("rank")


def main():
    """A line for every set, the measures over all, and paired differences with their errors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds data")
    parser.add_argument("--sets", help="names, separated by commas; all when left out")
    given = parser.parse_args()
    use_compilation_cache()
    warnings.simplefilter("ignore")
    table = {}
    for path in sorted((given.shared / "data" / "uci_classification").glob("*.npz")):
        if given.sets and path.stem not in given.sets.split(","):
            continue
        started = time.perf_counter()
        with np.load(path) as arrays:
            arrays = dict(arrays)
        X, y = arrays["X"].astype(np.float64), arrays["y"]
        reached = {name: test_accuracy(machine, arrays, y) for name, machine in machines(X)}
        table[path.stem] = {name: accuracy for name, (accuracy, _) in reached.items()}
        print(
            f"{path.stem}, {len(X)} x {X.shape[1]}: "
            + ", ".join(f"{name} {100 * accuracy:.1f} ({chosen(best)})" for name, (accuracy, best) in reached.items())
            + f"; {time.perf_counter() - started:.0f} s",
            flush=True,
        )
    table = pd.DataFrame(table).T
    found = measures(table)
    with pd.option_context("display.width", 250, "display.max_columns", 20):
        print(found.round(2).to_string(na_rep=""))
    for other in ("random forest", "Gaussian kernel, SVM", "NNGP, SVM"):
        gain = 100 * (table["NTK, SVM"] - table[other])
        print(
            f"NTK minus {other}: {gain.mean():+.2f} +- {gain.std() / len(gain) ** 0.5:.2f} (error over the sets), "
            f"better on {(gain > 0).sum()}, worse on {(gain < 0).sum()}"
        )
    print("published, over 90 sets: the NTK is ahead of the random forest")


if __name__ == "__main__":
    sys.exit(main())
