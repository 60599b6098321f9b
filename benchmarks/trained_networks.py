"""Which prior over functions predicts like trained networks do? Accounts against ensembles trained by SGD and Adam.

Run with ``python benchmarks/trained_networks.py``; seeds are fixed. Two tasks of 200 training rows: scikit-learn's
diabetes, and one direction in 20 dimensions seen through the second Hermite polynomial, where features pay.
"""

import sys
import time
import warnings

import numpy as np
import pandas as pd
from sklearn.datasets import load_diabetes

import bayes_nn as bnn
from bayes_nn import inference, priors

WIDTH = 64
ROWS = 200
STEPS = 4000
#: Draws of a handful of hyperparameters: enough for predictions, too few to quote evidences.
FEW = inference.SMC(particles=32, islands=2)


def diabetes():
    X, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))
    return X[rows], y[rows]


def single_index():
    """``(t^2 - 1) / sqrt(2)`` of t, the inputs along a unit vector, with noise of standard deviation 0.3."""
    rng = np.random.default_rng(0)
    X, direction = rng.normal(size=(1200, 20)), rng.normal(size=20)
    t = X @ direction / np.linalg.norm(direction)
    return X, (t**2 - 1.0) / 2**0.5 + 0.3 * rng.normal(size=len(X))


def accounts(net, X, y, X_test):
    """Predictive distributions of the Bayesian accounts."""
    initial = bnn.train(net, X, y, WIDTH, steps=1, stop="steps", noise_std=1.0).initial
    without_hidden_weights = [
        priors.NNGP(net),
        priors.NTK(net, output_scale=1.0),
        priors.ScaleMixture(net, WIDTH),
        priors.StudentT(net),
        priors.RenormalisedKernel(net, WIDTH),
        priors.EmpiricalNTK(net, initial, peeks=False),
    ]
    for prior in [*without_hidden_weights, priors.FrozenFeatures(net, WIDTH)]:
        yield prior.name, bnn.fit(prior, X, y, sampler=FEW).predict(X_test)
    network, chains = bnn.BayesianNetwork(net, WIDTH), inference.InfiniteHMC(chains=2, warmup=250, draws=250)
    yield network.name, bnn.fit(network, X, y, sampler=chains).predict(X_test)


def main():
    bnn.use_all_cores()
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    net = bnn.mlp(depth=2, activation="relu")
    for task in [task for task in (diabetes, single_index) if task.__name__ in sys.argv[1:] or len(sys.argv) == 1]:
        X, y = task()
        X, y, X_test, y_test = X[:ROWS], y[:ROWS], X[ROWS:], y[ROWS:]
        started = time.perf_counter()
        bayesian = {}
        for name, predictive in accounts(net, X, y, X_test):
            bayesian[name] = predictive
            print(f"{task.__name__}: {name} after {time.perf_counter() - started:.0f} s", flush=True)
        for optimizer in ("sgd", "adam"):
            ensemble = bnn.train(net, X, y, WIDTH, optimizer=optimizer, steps=STEPS)
            print(f"\n{task.__name__}, {optimizer}: {ensemble.convergence}", flush=True)
            after = priors.EmpiricalNTK(net, ensemble.parameters)
            same = {"optimizer": optimizer, "steps": ensemble.steps, "stop": "steps", "noise_std": ensemble.noise_std}
            linear = bnn.train(net, X, y, WIDTH, linearized=True, **same)
            again = bnn.train(net, X, y, WIDTH, key=1, **same)
            rows = bayesian | {
                after.name: bnn.fit(after, X, y, sampler=FEW),
                "linearized networks, same start and steps": linear,
                "the same ensemble, another key": again,
            }
            table = inference.agreement(rows, ensemble, X_test, y_test)
            with pd.option_context("display.width", 250, "display.max_columns", 20):
                print(table.round(3).to_string(), f"\n{time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
