"""Ten classes of 8x8 digits from 300 images: a Bayesian MLP, a small Bayesian CNN and NNGP classification.

Run with ``python benchmarks/digits.py [mlp] [cnn] [nngp]``. Categorical likelihood, every standard deviation inferred,
default sampler; prints accuracy and log-loss on 500 test images, and every convergence figure. Keys fixed.
"""

import sys
import time
import warnings

import bayes_nn as bnn

bnn.use_all_cores()

import numpy as np  # noqa: E402
from sklearn.datasets import load_digits  # noqa: E402

from bayes_nn import inference, priors  # noqa: E402

SETTINGS = inference.InfiniteHMC(chains=2, warmup=600, draws=600)


def main():
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    images, labels = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(labels))
    train, test = order[:300], order[300:800]
    images = (images - images[train].mean()) / images[train].std()
    mlp = bnn.mlp(depth=1)
    cnn = bnn.Serial(bnn.Conv((3, 3)), bnn.Relu(), bnn.AvgPool((2, 2)), bnn.Conv((3, 3)), bnn.Relu(),
                     bnn.AvgPool((2, 2)), bnn.Flatten(), bnn.Dense())  # fmt: skip
    flat, spatial = images, images.reshape(-1, 8, 8, 1)
    candidates = {
        "mlp": (bnn.BayesianNetwork(mlp, width=32), flat),
        "cnn": (bnn.BayesianNetwork(cnn, width=8), spatial),
        "nngp": (priors.NNGP(mlp), flat),
    }
    for name in sys.argv[1:] or candidates:
        prior, X = candidates[name]
        started = time.perf_counter()
        posterior = bnn.fit(prior, X[train], labels[train], bnn.Categorical(range(10)), SETTINGS, False)
        p = posterior.predict(X[test])
        loss = -p.log_prob(labels[test])
        hits = p.label == labels[test]
        error = [one.std(ddof=1) / len(test) ** 0.5 for one in (hits, loss)]
        stats = posterior.sample_stats
        print(
            f"{prior.name}: accuracy {hits.mean():.3f} +- {error[0]:.3f}, log-loss {loss.mean():.3f} +- {error[1]:.3f},"
            f" {time.perf_counter() - started:.0f} s\n  {posterior.convergence}; divergences "
            f"{posterior.convergence.divergences}, acceptance {stats['acceptance_rate'].mean():.2f}, "
            f"{stats['n_steps'].mean():.0f} gradients per draw, {posterior.problem.dimension} latents",
            flush=True,
        )


if __name__ == "__main__":
    main()
