"""How often the residuals of a fit are said to contradict Gaussian noise: falsely, and where they do.

Data of an NNGP on [-2, 2] with noise of standard deviation 0.3, fitted by the same NNGP with noise fixed at 0.3,
exactly. Prints for every kind of noise the share of fits with a note on spread, and with one on tails.

Usage: python benchmarks/noise_notes.py [DATA_SETS_OF_GAUSSIAN_NOISE] [DATA_SETS_OF_OTHER_NOISE]
"""

import sys
import time
from collections import Counter

import jax.numpy as jnp
import numpy as np

import bayes_nn as bnn
from bayes_nn.inference.posterior.noise_check import noise_notes

NET, STD = bnn.mlp(1, "relu", 1.4, 1.0), 0.3


def gaussian(x, rng):
    """Noise as assumed."""
    return rng.normal(size=len(x))


def growing(x, rng):
    """0.2 to 1.2 of the assumed standard deviation."""
    return np.interp(x, [-2.0, 2.0], [0.2, 1.2]) * rng.normal(size=len(x))


def heavy_tailed(x, rng):
    """Student's t with 3 degrees of freedom."""
    return rng.standard_t(3.0, size=len(x))


def three_outliers(x, rng):
    """Three rows 6 standard deviations off."""
    noise = rng.normal(size=len(x))
    noise[rng.choice(len(x), 3, replace=False)] += 6.0 * rng.choice([-1.0, 1.0], 3)
    return noise


def main():
    """Print a line for every kind of noise and number of rows."""
    null, others = (int(one) for one in (*sys.argv[1:3], *("1000", "100")[len(sys.argv) - 1 :]))
    cases = [(gaussian, 60, null), (growing, 60, others), (growing, 200, others)]
    cases += [(heavy_tailed, rows, others) for rows in (60, 100, 200)] + [(three_outliers, 100, others)]
    prior = bnn.priors.NNGP(NET)
    for noise, rows, count in cases:
        x, rng, found, start = np.linspace(-2.0, 2.0, rows), np.random.default_rng(0), Counter(), time.perf_counter()
        K = np.asarray(prior.kernel.gram(jnp.asarray(x[:, None])).as_matrix())
        factor = np.linalg.cholesky(K + 1e-9 * np.eye(rows))
        for _ in range(count):
            y = factor @ rng.normal(size=rows) + STD * noise(x, rng)
            found.update(list(noise_notes(bnn.fit(prior, x, y, bnn.Gaussian(STD), standardize=False, progress=False))))
        shares = ", ".join(f"{kind} {found[kind] / count:.3f}" for kind in ("spread", "tails"))
        seconds = (time.perf_counter() - start) / count
        print(f"{noise.__name__:15s} {rows:4d} rows, {count} data sets: {shares} ({seconds:.2f} s each)", flush=True)


if __name__ == "__main__":
    main()
