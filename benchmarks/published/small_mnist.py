"""A hundred to a thousand MNIST digits: infinite-width kernels against trained networks, with and without pooling.

Run with ``python benchmarks/published/small_mnist.py ../shared``. Training and test digits **both come from the
official test set**, 10,000 digits. Published: Lee et al. 2018 (arXiv:1711.00165, table 1; 1,000 digits of the official
training set, hyperparameters tuned, all 10,000 test digits), and the findings of Lee et al. 2020 (arXiv:2007.15801,
abstract; on CIFAR-10): kernels do better than fully connected networks and worse than convolutional ones, the NNGP
often better than the NTK. Targets are those of Lee et al. 2018; noise and depth of the kernels are set by the evidence.
"""

import argparse
import sys
import time
import warnings
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import numpy as np  # noqa: E402
from label_regression import accuracy, infinite, interval, trained  # noqa: E402

from bayes_nn.runtime.compilation_cache import use_compilation_cache  # noqa: E402

STDS = {"weight_std": 2**0.5, "bias_std": 0.3}
DEPTHS = (1, 2, 3)
#: Digits that convolutional networks are tested on.
CONVOLUTIONAL_TEST = 500


def convolutional(pooling):
    """Two convolutions of 3 x 3, read out at every position or after their mean."""
    head = bnn.GlobalAvgPool() if pooling else bnn.Flatten()
    layers = (bnn.Conv((3, 3), **STDS), bnn.Relu(), bnn.Conv((3, 3), **STDS), bnn.Relu())
    return bnn.Serial(*layers, head, bnn.Dense(**STDS))


def digits(shared, test_rows):
    """Shuffled digits with pixels of mean 0 and standard deviation 1: those to train on, those to test, labels."""
    with np.load(shared / "data" / "mnist_t10k.npz") as arrays:
        X, labels = arrays["X"].astype(np.float64), arrays["y"].astype(int)
    order = np.random.default_rng(0).permutation(len(labels))
    X, labels = (X[order] - X.mean()) / X.std(), labels[order]
    return X[:1000], labels[:1000], X[1000 : 1000 + test_rows], labels[1000 : 1000 + test_rows]


def row(text, limits, networks, test):
    """Print accuracies of the limits, and of single networks and their ensemble by width."""
    parts = [f"NNGP {100 * limits[0]:.1f}, NTK {100 * limits[1]:.1f}"]
    for width, (single, ensemble, fits) in networks.items():
        error = 100 * single.std(ddof=1) / len(single) ** 0.5
        parts.append(
            f"width {width}: {100 * single.mean():.1f} +- {error:.1f}, ensemble {100 * ensemble:.1f} (training rows "
            f"{100 * np.mean(fits):.0f})"
        )
    print(f"{text}: {'; '.join(parts)}; two errors of a test accuracy {interval(limits[0], test):.1f}", flush=True)


def fully_connected(X, labels, X_test, labels_test, widths, steps):
    """A line for every number of training digits; the last one's figures are returned, those of the widest network."""
    for rows in (100, 300, 1000):
        started = time.perf_counter()
        flat = X[:rows].reshape(rows, -1), labels[:rows], X_test.reshape(len(X_test), -1)
        fits = [infinite(bnn.mlp(depth=depth, **STDS), *flat) for depth in DEPTHS]
        best = [max((fit[kind] for fit in fits), key=lambda one: one.log_evidence) for kind in (0, 1)]
        depth = DEPTHS[[fit[0] for fit in fits].index(best[0])]
        limits = [accuracy(fit.f, labels_test) for fit in best]
        net = bnn.mlp(depth=2, **STDS)
        networks = {
            width: trained(net, *flat, labels_test, width, steps, step_size=0.3 / width, key=rows) for width in widths
        }
        row(f"{rows} digits, fully connected (NNGP of depth {depth})", limits, networks, len(X_test))
        print(f"  {time.perf_counter() - started:.0f} s", flush=True)
    return limits, networks[max(widths)]


def main():
    """Fully connected, then convolutional with and without pooling, then what was published."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds data")
    parser.add_argument("--widths", type=lambda text: [int(one) for one in text.split(",")], default=[16, 64, 256])
    parser.add_argument("--steps", type=int, default=1000, help="of Adam, in batches of at most 100")
    parser.add_argument("--test", type=int, default=2000, help="digits to test on")
    parser.add_argument("--rows", type=int, default=300, help="digits that convolutional networks are trained on")
    parser.add_argument("--convolutional-only", action="store_true", help="leave the fully connected rows out")
    parser.add_argument("--channels", type=int, default=32, help="of the convolutional networks")
    given = parser.parse_args()
    use_compilation_cache()
    warnings.simplefilter(
        "ignore", bnn.ConvergenceWarning
    )  # a loss may not have settled: the lines show how far it came
    X, labels, X_test, labels_test = digits(given.shared, given.test)
    print("per cent correct; training and test digits both from the official test set")
    if not given.convolutional_only:
        limits, (single, *_) = fully_connected(X, labels, X_test, labels_test, given.widths, given.steps)
        print(
            f"  1,000 digits, published: ReLU NNGP 92.79, ReLU network of width 5,000 92.52; here "
            f"{100 * limits[0]:.1f}, {100 * single.mean():.1f} at width {max(given.widths)}"
        )
    # Means of 4 x 4 pixels: the kernel with pooling needs all pairs of positions.
    small, small_test = (one.reshape(-1, 7, 4, 7, 4).mean(axis=(2, 4))[..., None] for one in (X, X_test))
    rows, test, width = given.rows, CONVOLUTIONAL_TEST, given.channels
    data = small[:rows], labels[:rows], small_test[:test]
    for kind, net in (("no pooling", convolutional(False)), ("global average pooling", convolutional(True))):
        started = time.perf_counter()
        limits = [accuracy(fit.f, labels_test[:test]) for fit in infinite(net, *data)]
        network = trained(net, *data, labels_test[:test], width, given.steps, 2, step_size=1.0 / width)
        row(f"{rows} digits of 7 x 7, convolutional, {kind}", limits, {width: network}, test)
        print(f"  {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
