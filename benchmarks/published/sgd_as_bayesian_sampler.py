"""Is SGD a Bayesian sampler? Boolean functions of five inputs: P_SGD(f | S) against P_B(f | S).

Run with ``python benchmarks/published/sgd_as_bayesian_sampler.py``. Mingard, Valle-Perez, Skalse and Louis 2021 (JMLR
22(79), arXiv:2006.15191) train many networks until they fit a training set S, count the functions f on a finite test
set that they end on, and find that P_SGD(f | S) "correlates remarkably well" (abstract) with the probability P_B(f | S)
by Bayes, with differences of second order that depend on the optimiser: their scatter plots, of images with binary
labels, lie along the diagonal of a logarithmic plot over orders of magnitude. The figure to reach is a slope of 1.

Here a target of simple structure, half of its truth table S, the other half the test inputs: 65,536 functions. ReLU
networks, squared error on labels -1 and 1; P_B by 100,000 draws of the posterior under Gaussian noise of 0.1 (infinite
width, and the network itself), or of the NTK for contrast. *Exact sampler* is what as many independent draws of that
posterior as there are networks would give: the best that can be reached. Two keys are two training sets.

Differs from the paper: five inputs and no images, so that the posterior can be drawn from instead of approximated; full
batches; training to the end rather than to the first step without a training error.
"""

import argparse
import itertools
import sys
import time
import warnings
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np

import bayes_nn as bnn
from bayes_nn import inference, priors

BITS = 5
NOISE_STD = 0.1


def target(X):
    """A vote of three inputs, turned around by a fourth where the fifth is on."""
    return np.where((X[:, 0] + X[:, 1] + X[:, 2] > 1.5) ^ (X[:, 3] * X[:, 4] > 0.5), 1.0, -1.0)


def row(name, found, seconds=np.nan):
    """One line of the table."""
    slope, error = found.slope
    wrong = np.average(found.table.wrong, weights=found.table.members)
    took = "" if np.isnan(seconds) else f"{seconds:6.0f} s"
    bayes, sgd = found.covered
    print(
        f"  {name:32}  {slope:5.2f} +- {error:.2f}  {found.correlation:6.2f}  {len(found.compared):6}  "
        f"{found.common:6}  {100.0 * bayes:5.1f} %  {100.0 * sgd:5.1f} %  {wrong:5.2f}  {took}",
        flush=True,
    )


def exact_sampler(found, again, seed):
    """The result with as many independent draws of the posterior in place of the trained networks."""
    draws = again.table.draws.reindex(found.table.index.union(again.table.index), fill_value=0)
    table = found.table.reindex(draws.index).fillna({"draws": 0, "wrong": 0})
    members = np.random.default_rng(seed).multinomial(found.members, draws / draws.sum())
    return replace(found, table=table.assign(members=members))


def main():
    """P_SGD against P_B for two training sets, two optimisers, and three posteriors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1500, help="networks that every optimiser trains")
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--width", type=int, default=64)
    parser.add_argument("--depth", type=int, default=2)
    parser.add_argument("--keys", type=int, default=2, help="training sets")
    parser.add_argument("--plot", type=Path, help="PNG of SGD against the NNGP for the first training set")
    given = parser.parse_args()
    bnn.use_all_cores()
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    net = bnn.mlp(given.depth, "relu", weight_std=2**0.5, bias_std=0.3)
    table = np.array(list(itertools.product([0.0, 1.0], repeat=BITS)))
    began = time.perf_counter()
    print(f"{given.members} networks of {shape}, {given.steps} steps; published: slope 1\n")
    print("  P_SGD against P_B                     slope       rank   of f's    both   P_B of   P_SGD of  test")
    print("                                                   corr.                   common    common  errors")
    slopes = []
    for key in range(given.keys):
        rows = np.random.default_rng(key).permutation(2**BITS)
        seen, unseen = table[rows[: 2 ** (BITS - 1)]], table[rows[2 ** (BITS - 1) :]]
        accounts = {"NNGP": priors.NNGP(net), "network": bnn.BayesianNetwork(net, given.width)}
        accounts["NTK"] = priors.NTK(net, output_scale=1.0)
        posteriors = {
            name: bnn.fit(prior, seen, target(seen), bnn.Gaussian(NOISE_STD), progress=False, key=key)
            for name, prior in accounts.items()
        }
        print(f"training set {key}; network's posterior: {posteriors['network'].convergence.outcome}")
        for optimizer in ("sgd", "adam"):
            start = time.perf_counter()
            ensemble = bnn.train(
                net, seen, target(seen), given.width, optimizer=optimizer, members=given.members, steps=given.steps,
                stop="steps", noise_std=NOISE_STD, progress=False, key=key,
            )  # fmt: skip
            seconds = time.perf_counter() - start
            for name, posterior in posteriors.items():
                found = inference.function_probabilities(posterior, ensemble, unseen, target(unseen))
                row(f"{optimizer}, {name}", found, seconds)
                if optimizer == "sgd":
                    again = inference.function_probabilities(posterior, ensemble, unseen, target(unseen), key=1)
                    row(f"exact sampler, {name}", exact_sampler(found, again, key))
                if name == "NNGP":
                    slopes.append(found.slope[0])
                if given.plot and (optimizer, name, key) == ("sgd", "NNGP", 0):
                    found.plot().savefig(given.plot, dpi=120)
        jax.clear_caches()
    print("\nMingard, Valle-Perez, Skalse and Louis 2021, JMLR 22(79): P_SGD near P_B, slope 1")
    print(f"reached: slope {min(slopes):.2f} to {max(slopes):.2f} against the NNGP, {len(slopes)} runs")
    print(f"{time.perf_counter() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
