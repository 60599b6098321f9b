"""Regression on labels, by kernels and by trained networks: what the scripts beside this file share.

Targets are 0.9 for the class and -0.1 for the others, over ten classes, as in Lee et al. 2018 (arXiv:1711.00165).
"""

from typing import NamedTuple

import jax
import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

import bayes_nn as bnn
from bayes_nn import priors

#: Variances of the noise that are tried, in units of the kernel's mean diagonal, until the evidence falls.
NOISES = 10.0 ** np.arange(0.5, -6.1, -0.5)
#: Standard deviation of the readout of networks that are trained, before training.
START = 0.1
#: Test rows of one block of a cross-covariance.
BLOCK = 500


def one_hot(labels, classes=10):
    return np.eye(classes)[labels] - 1.0 / classes


class Fitted(NamedTuple):
    """Log evidence per row and target, the noise it chose, and predictions: those of the targets at the test rows."""

    log_evidence: float
    noise: float
    f: np.ndarray


def regress(K, K_test, Y):
    """Scale and noise at the maximum of the evidence: the scale in closed form, the noise on a grid."""
    diagonal = np.trace(K) / len(K)
    K, K_test = np.asarray(K, np.float64) / diagonal, np.asarray(K_test, np.float64) / diagonal
    best = None
    for noise in NOISES:
        try:
            factor = cho_factor(K + noise * np.eye(len(K)), lower=True, check_finite=False)
        except LinAlgError:  # the kernel is singular without more noise
            break
        weights = cho_solve(factor, Y, check_finite=False)
        scale = np.mean(Y * weights)
        log_evidence = -0.5 * (np.log(2.0 * np.pi * scale) + 1.0) - np.mean(np.log(np.diag(factor[0])))
        if best is not None and log_evidence < best[0]:
            break
        best = float(log_evidence), float(noise), weights
    return Fitted(best[0], best[1], K_test @ best[2])


def infinite(net, X, labels, X_test, dtype=np.float64):
    """Regression by the NNGP and by the NTK of an architecture."""
    kernel = priors.NNGP(net).kernel
    X, X_test = X.astype(dtype), X_test.astype(dtype)
    K = kernel.both(X)
    parts = [kernel.both(X_test[start : start + BLOCK], X) for start in range(0, len(X_test), BLOCK)]
    K_test = [np.concatenate([part[kind] for part in parts]) for kind in (0, 1)]
    return [regress(np.asarray(K[kind]), K_test[kind], one_hot(labels)) for kind in (0, 1)]


def accuracy(f, labels):
    return float(np.mean(np.argmax(f, axis=-1) == labels))


def trained(net, X, labels, X_test, labels_test, width, steps, members=3, key=0, step_size=None):
    """Accuracies of single networks trained on squared error by Adam in batches, of their mean, and on training rows.

    The readout starts small: what a network computes before training is noise that training leaves at other inputs.
    """
    ensemble = bnn.train(
        net, X, one_hot(labels), width, steps=steps, stop="steps", batch_size=min(100, len(X) // 2), members=members,
        noise_std=0.1, standardize=False, duplicates="keep", key=jax.random.key(key), progress=False,
        learning_rate=step_size, values={f"{kind}_std_{net.depth}": START for kind in ("weight", "bias")},
    )  # fmt: skip
    f, at_training_rows = (ensemble.predict(inputs).component_means for inputs in (X_test, X))
    single = np.array([accuracy(one, labels_test) for one in f])
    return single, accuracy(f.mean(axis=0), labels_test), [accuracy(one, labels) for one in at_training_rows]


def interval(accuracy, points):
    """Twice the binomial standard error, in per cent."""
    return 200.0 * np.sqrt(accuracy * (1.0 - accuracy) / points)
