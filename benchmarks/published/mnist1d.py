"""MNIST-1D: how much of what a convolutional network gains over a fully connected one its prior explains.

Run with ``python benchmarks/published/mnist1d.py ../shared``. Published (Greydanus and Kobak 2024, ICML,
arXiv:2011.14439, table 1): test accuracies of a perceptron and of a convolutional network, on the sequences and after
one permutation of their positions. Beside them regression on labels by the infinite-width limits of both architectures,
which have the architecture's prior and learn no feature, and networks of the published widths that we train on the same
targets.
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

PUBLISHED = {
    ("fully connected", "in order"): 68,
    ("convolutional", "in order"): 94,
    ("fully connected", "shuffled"): 68,
    ("convolutional", "shuffled"): 56,
}
STDS = {"weight_std": 2**0.5, "bias_std": 0.3}
WIDTHS = {"fully connected": 100, "convolutional": 25}


def architectures():
    """Two hidden layers, and three convolutions of lengths 5, 3 and 3 with stride 2, like the published networks."""
    hidden = [layer for length in (5, 3, 3) for layer in (bnn.Conv((length,), (2,), **STDS), bnn.Relu())]
    return {
        "fully connected": bnn.mlp(depth=2, **STDS),
        "convolutional": bnn.Serial(*hidden, bnn.Flatten(), bnn.Dense(**STDS)),
    }


def main():
    """A line for every architecture and order, and the share of the gain that the limits have."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds data")
    parser.add_argument("--rows", type=int, default=4000, help="of the 4,000 to train on")
    parser.add_argument("--steps", type=int, default=3000, help="of Adam, in batches of 100")
    parser.add_argument("--step-size", type=float, default=0.03, help="of Adam, in the NTK parameterisation")
    given = parser.parse_args()
    use_compilation_cache()
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)  # no loss has settled: the table shows how far it came
    with np.load(given.shared / "data" / "mnist1d.npz") as arrays:
        X, labels = arrays["X_train"][: given.rows], arrays["y_train"][: given.rows]
        X_test, labels_test = arrays["X_test"], arrays["y_test"]
    orders = {"in order": np.arange(X.shape[1]), "shuffled": np.random.default_rng(0).permutation(X.shape[1])}
    print(f"{len(X)} sequences to train on, {len(X_test)} to test; per cent correct")
    reached = {}
    for order, positions in orders.items():
        for name, net in architectures().items():
            started = time.perf_counter()
            inputs = [one[:, positions] for one in (X, X_test)]
            if name == "convolutional":
                inputs = [one[:, :, None] for one in inputs]
            limits = [accuracy(fit.f, labels_test) for fit in infinite(net, inputs[0], labels, inputs[1])]
            single, _, fits = trained(
                net, inputs[0], labels, inputs[1], labels_test, WIDTHS[name], given.steps, 1, step_size=given.step_size
            )
            reached[name, order] = limits[0], limits[1], single.mean()
            print(
                f"{name}, {order}: NNGP {100 * limits[0]:.1f}, NTK {100 * limits[1]:.1f}, trained on squared error "
                f"{100 * single.mean():.1f} ({100 * np.mean(fits):.0f} on the training rows); published, trained on "
                f"cross-entropy: {PUBLISHED[name, order]}; two errors of a test accuracy "
                f"{interval(limits[0], len(X_test)):.1f}; {time.perf_counter() - started:.0f} s",
                flush=True,
            )
    for order in orders:
        gains = np.subtract(reached["convolutional", order], reached["fully connected", order])
        published = PUBLISHED["convolutional", order] - PUBLISHED["fully connected", order]
        print(
            f"convolutional minus fully connected, {order}: NNGP {100 * gains[0]:+.1f}, NTK {100 * gains[1]:+.1f}, "
            f"trained {100 * gains[2]:+.1f}, published {published:+d}"
        )
        if order == "in order":
            print(f"  so the prior alone has {gains[0] / gains[2]:.0%} of the gain of the networks trained here")


if __name__ == "__main__":
    sys.exit(main())
