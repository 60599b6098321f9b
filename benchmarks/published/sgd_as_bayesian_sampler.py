"""Is SGD a Bayesian sampler? Boolean functions of five inputs: P_SGD(f | S) against P_B(f | S).

Run with ``python benchmarks/published/sgd_as_bayesian_sampler.py``. Mingard, Valle-Perez, Skalse and Louis 2021 (JMLR
22(79), arXiv:2006.15191) train many networks until they fit a training set S, count the functions f on a finite test
set that they end on, and find that P_SGD(f | S) "correlates remarkably well" (abstract) with the probability P_B(f | S)
by Bayes, with differences of second order that depend on the optimiser: their scatter plots, of images with binary
labels, lie along the diagonal of a logarithmic plot over orders of magnitude. The figure to reach is a slope of 1.

Here half of the truth table of a target is S, the other half the test inputs: 65,536 functions. ReLU networks, squared
error on labels -1 and 1. P_B by draws of four posteriors:

* ``0-1``: the NNGP given that it labels S correctly, which is how the paper defines P_B; by Gibbs sampling
* ``NNGP`` and ``network``: under Gaussian noise of 0.1, of infinite width and of the network's own, which belong to
  squared error
* ``NTK``: likewise with the NTK as the prior, for contrast.

*Exact sampler* is what as many independent draws of the posterior as there are networks would give: the best that can
be reached. The target is a vote, or with ``--target switched`` one that networks guess worse than a coin. Every key is
another training set.

Differs from the paper: five inputs and no images, so that the posterior can be drawn from instead of approximated; full
batches; training to the end rather than to the first step without a training error.
"""

import argparse
import itertools
import sys
import time
import warnings
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

import bayes_nn as bnn
from bayes_nn import inference, priors

BITS = 5
NOISE_STD = 0.1


def vote(X):
    """The majority of three inputs."""
    return np.where(X[:, :3].sum(axis=1) > 0.0, 1.0, -1.0)


def switched(X):
    """The same, turned around where both other inputs are on."""
    return vote(X) * np.where((X[:, 3] > 0.0) & (X[:, 4] > 0.0), -1.0, 1.0)


def row(name, found):
    """One line of the table."""
    slope, error = found.slope
    bayes, sgd = (100.0 * one for one in found.covered)
    print(
        f"  {name:22}  {slope:5.2f} +- {error:.2f}  {found.correlation:5.2f}  {len(found.compared):8}  "
        f"{found.common:4}  {bayes:5.1f} %  {sgd:5.1f} %",
        flush=True,
    )


def draws_of_zero_one(K, y, rng, chains=4000, sweeps=500, kept=25):
    """f at all inputs, (draws, inputs), of a Gaussian process whose signs at the first ones are those of y.

    Gibbs sampling, one training input after another from its truncated normal law; every tenth sweep of the last ones
    is kept.
    """
    rows = len(y)
    precision = np.linalg.inv(K[:rows, :rows])
    to_test = K[rows:, :rows] @ precision
    factor = np.linalg.cholesky(K[rows:, rows:] - to_test @ K[:rows, rows:] + 1e-10 * np.eye(len(K) - rows))
    f, found = np.tile(y[:, None], chains) * np.sqrt(np.diag(K)[:rows, None]), []
    for sweep in range(sweeps):
        for i in range(rows):
            std = precision[i, i] ** -0.5
            mean = f[i] - (precision[i] @ f) * std**2
            # The law of y f / std, above 0: the upper tail of a normal law, by its survival function.
            shift = y[i] * mean / std
            f[i] = y[i] * std * (shift - ndtri(rng.uniform(size=chains) * ndtr(shift)))
        if sweep % 10 == 9 and sweep >= sweeps - 10 * kept:
            new = to_test @ f + factor @ rng.normal(size=(len(factor), chains))
            found.append(np.concatenate([f, new]).T)
    return np.concatenate(found)


def under_zero_one(found, net, X, y, X_test, seed):
    """The result with draws of that law in place of the posterior's, and an independent one with another seed."""
    K = np.asarray(priors.NNGP(net).kernel.gram(jnp.asarray(np.vstack([X, X_test]))).as_matrix())
    results = []
    for stream in np.random.default_rng(seed).spawn(2):
        labels = draws_of_zero_one(K, y, stream)[:, len(y) :] > 0.0
        functions, counts = np.unique(labels, axis=0, return_counts=True)
        names = ["".join(map(str, one)) for one in functions.astype(int)]
        draws = pd.Series(counts, names)
        table = found.table.reindex(found.table.index.union(draws.index)).fillna(0)
        results.append(
            replace(found, table=table.assign(draws=draws.reindex(table.index, fill_value=0)), draws=len(labels))
        )
    return results


def exact_sampler(found, again, seed):
    """The result with as many independent draws of the posterior in place of the trained networks."""
    draws = again.table.draws.reindex(found.table.index.union(again.table.index), fill_value=0)
    table = found.table.reindex(draws.index).fillna(0)
    members = np.random.default_rng(seed).multinomial(found.members, draws / draws.sum())
    return replace(found, table=table.assign(members=members))


def main():
    """P_SGD against P_B, for every training set by two optimisers and under four posteriors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--target", choices=("vote", "switched"), default="vote")
    parser.add_argument("--members", type=int, default=1000, help="networks that every optimiser trains")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--keys", type=int, default=3, help="training sets")
    parser.add_argument("--plot", type=Path, help="PNG of SGD against the NNGP for the first training set")
    given = parser.parse_args()
    bnn.use_all_cores()
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    net = bnn.mlp(given.depth, "relu", weight_std=2**0.5, bias_std=0.3)
    X = np.array(list(itertools.product([-1.0, 1.0], repeat=BITS)))
    y = vote(X) if given.target == "vote" else switched(X)
    began, slopes = time.perf_counter(), defaultdict(list)
    shape = f"depth {given.depth} and width {given.width}"
    print(f"{given.members} networks of {shape}, {given.steps} steps; target: {given.target}\n")
    print("  P_SGD against P_B       slope           rank  functions  by    common mass of")
    print("                                         corr.   compared  both  P_B      P_SGD")
    for key in range(given.keys):
        train, test = np.split(np.random.default_rng(key).permutation(len(X)), 2)
        accounts = {"NNGP": priors.NNGP(net), "network": bnn.BayesianNetwork(net, given.width)}
        accounts["NTK"] = priors.NTK(net, output_scale=1.0)
        posteriors = {
            name: bnn.fit(
                prior, X[train], y[train], bnn.Gaussian(NOISE_STD), standardize=False, progress=False, key=key
            )
            for name, prior in accounts.items()
        }
        print(f"training set {key}; network's posterior: {posteriors['network'].convergence.outcome}")
        for optimizer, names in (("sgd", ("NNGP", "network", "NTK")), ("adam", ("NNGP", "network"))):
            ensemble = bnn.train(
                net, X[train], y[train], given.width, optimizer=optimizer, members=given.members, steps=given.steps,
                stop="steps", noise_std=NOISE_STD, standardize=False, progress=False, key=key,
            )  # fmt: skip
            for name in names:
                found = inference.function_probabilities(posteriors[name], ensemble, X[test], y[test])
                row(f"{optimizer}, {name}", found)
                if name == "NNGP":
                    strict, other = under_zero_one(found, net, X[train], y[train], X[test], key)
                    row(f"{optimizer}, 0-1", strict)
                    if optimizer == "sgd":
                        row("exact sampler, 0-1", exact_sampler(strict, other, key))
                    slopes[f"{optimizer}, 0-1"].append(strict.slope[0])
                    slopes[f"{optimizer}, NNGP"].append(found.slope[0])
                if optimizer == "sgd":
                    again = inference.function_probabilities(posteriors[name], ensemble, X[test], y[test], key=1)
                    row(f"exact sampler, {name}", exact_sampler(found, again, key))
                if given.plot and (optimizer, name, key) == ("sgd", "NNGP", 0):
                    found.plot().savefig(given.plot, dpi=120)
    print("\npublished (Mingard, Valle-Perez, Skalse and Louis 2021, JMLR 22(79)): P_SGD near P_B, so a slope near 1")
    for name, reached in slopes.items():
        print(f"reached: {name}: {', '.join(f'{slope:.2f}' for slope in reached)}")
    print(f"{time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
