"""NNGP regression in GPJax, hyperparameters by marginal likelihood, on the standard UCI splits.

Run with ``python benchmarks/uci_regression.py ../shared`` (the folder that holds ``data`` and ``reference``); figures
of an independent computation are printed beside ours. Deterministic: no seed.
"""

import json
import sys
import time
from pathlib import Path

import gpjax as gpx
import jax.numpy as jnp
import numpy as np
from scipy import stats

import bayes_nn as bnn
from bayes_nn import priors


def learned(X, y, depth):
    """The GPJax model after maximising its marginal likelihood in every weight_std, bias_std and the noise."""
    kernel = priors.NNGP(bnn.mlp(depth=depth)).kernel
    prior = gpx.gps.Prior(mean_function=gpx.mean_functions.Zero(), kernel=kernel)
    model = prior * gpx.likelihoods.Gaussian(obs_stddev=0.3)
    data = gpx.Dataset(X, y)
    objective = lambda model, batch: -gpx.objectives.conjugate_mll(model, batch)  # noqa: E731
    model, _ = gpx.fit_scipy(model=model, objective=objective, train_data=data, verbose=False, max_iters=200)
    return model, data


def scores(data, depth, split):
    """Test RMSE and mean log density on the user's scale."""
    test = data["test_idx"][split]
    train = np.setdiff1d(np.arange(len(data["y"])), test)
    X, y = data["X"], data["y"]
    center, spread = X[train].mean(axis=0), X[train].std(axis=0)
    X = (X - center) / np.where(spread > 0, spread, 1.0)
    mean, std = y[train].mean(), y[train].std()
    model, held = learned(jnp.asarray(X[train]), jnp.asarray((y[train] - mean) / std)[:, None], depth)
    latent = model.condition(held)(jnp.asarray(X[test]))
    predictive = model.likelihood(latent)
    location = np.asarray(predictive.mean).ravel() * std + mean
    scale = np.sqrt(np.asarray(predictive.variance).ravel()) * std
    return np.sqrt(np.mean((location - y[test]) ** 2)), stats.norm.logpdf(y[test], location, scale).mean()


def main(shared):
    figures = json.loads((shared / "reference" / "uci_nngp.json").read_text())["nngp_ntk_type2_map"]
    for name, depth in (("yacht", 1), ("energy", 1)):
        data = np.load(shared / "data" / "uci_regression" / f"{name}.npz")
        data = {key: data[key] for key in ("X", "y", "test_idx")}
        started = time.perf_counter()
        ours = np.array([scores(data, depth, split) for split in range(len(data["test_idx"]))])
        (theirs,) = [f for f in figures if f["data"] == name and f["kernel"] == "NNGP" and f["L"] == depth]
        error = ours.std(axis=0, ddof=1) / len(ours) ** 0.5
        print(
            f"{name}: RMSE {ours[:, 0].mean():.4f} +- {error[0]:.4f} (independent {theirs['rmse']:.4f}), "
            f"log density {ours[:, 1].mean():.4f} +- {error[1]:.4f} (independent {theirs['ll']:.4f}), "
            f"{len(ours)} splits, {time.perf_counter() - started:.0f} s",
            flush=True,
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
