"""Our priors and their peers on the same rows and cores: RMSE, log density per test point, seconds.

Run with ``python benchmarks/peers.py ../shared`` (the folder that holds ``data`` and ``reference``). Airfoil (fold 0
of ten) and concrete (standard split 0), ``--rows`` training rows drawn with a fixed seed, the same for all; 0 for all
rows. Inputs and targets are standardised by the training rows, and scores are on that scale. Peers: ``bde`` (Bayesian
deep ensembles by microcanonical Langevin dynamics, scikit-learn-contrib) with its defaults and with the settings of its
paper, NumPyro's NUTS on all weights of a network, a GPJax Gaussian process with one lengthscale per input by maximum
likelihood, and XGBoost with its defaults, whose noise is that of residuals out of five folds. A peer that is not
installed gets a line that says how to install it.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from scipy.special import logsumexp
from scipy.stats import norm

#: An interpreter with bde, which pins a BlackJAX that is older than ours; git ignores the folder.
BDE = Path(__file__).parent / "peers" / "bde" / "bin" / "python"
INSTALL = {
    "xgboost": "pip install --no-deps xgboost-cpu",
    "bde": "python -m venv benchmarks/peers/bde && benchmarks/peers/bde/bin/pip install sklearn-contrib-bde",
}


def load(shared, name, rows):
    """Standardised training and test rows, and the standard deviation of y that scores are in units of."""
    if name == "airfoil":
        with np.load(shared / "data" / "uci_regression_10fold" / "airfoil.npz") as arrays:
            X, y, test = arrays["X"], arrays["y"].ravel(), np.flatnonzero(arrays["fold"] == 0)
    else:
        with np.load(shared / "data" / "uci_regression" / f"{name}.npz") as arrays:
            X, y, test = arrays["X"], arrays["y"].ravel(), arrays["test_idx"][0]
    train = np.random.default_rng(0).permutation(np.setdiff1d(np.arange(len(y)), test))[: rows or None]
    spread = X[train].std(axis=0)
    X = (X - X[train].mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)
    unit = y[train].std()
    y = (y - y[train].mean()) / unit
    return X[train], y[train], X[test], y[test], unit


def mixture(means, stds, y):
    """Predictive mean, and log density of y under equally weighted normal distributions (M, T)."""
    return means.mean(axis=0), logsumexp(norm.logpdf(y, means, stds), axis=0) - np.log(len(means))


def ours(prior, sampler):
    """One of our priors, and whether the fit converged."""

    def run(X, y, X_test, y_test):
        import bayes_nn as bnn

        posterior = bnn.fit(prior, X, y, sampler=sampler, standardize=False, duplicates="keep", progress=False)
        predictive = posterior.predict(X_test)
        found = posterior.convergence
        note = f"{'' if found.converged else 'not '}converged, R-hat {found.r_hat:.2f}"
        return predictive.mean, predictive.log_prob(y_test), note

    return run


def all_weights(width, warmup, draws):
    """NumPyro's NUTS on all weights of a network of two hidden layers; prior and parameterisation are ours."""

    def run(X, y, X_test, y_test):
        import jax
        import jax.numpy as jnp
        import numpyro
        import numpyro.distributions as dist
        from numpyro.infer import MCMC, NUTS, Predictive

        def model(X, y=None):
            h = jnp.asarray(X)
            for layer, outputs in enumerate((width, width, 1)):
                weight_std = numpyro.sample(f"weight_std_{layer}", dist.LogNormal(0.5 * np.log(2.0), 0.5))
                bias_std = numpyro.sample(f"bias_std_{layer}", dist.LogNormal(np.log(0.3), 0.75))
                W = numpyro.sample(f"W_{layer}", dist.Normal(0, 1).expand([h.shape[1], outputs]).to_event(2))
                b = numpyro.sample(f"b_{layer}", dist.Normal(0, 1).expand([outputs]).to_event(1))
                h = h if layer == 0 else jax.nn.relu(h)
                h = weight_std / h.shape[1] ** 0.5 * h @ W + bias_std * b
            f = numpyro.deterministic("f", h[:, 0])
            noise_std = numpyro.sample("noise_std", dist.LogNormal(np.log(0.3), 0.75))
            numpyro.sample("y", dist.Normal(f, noise_std), obs=y)

        mcmc = MCMC(
            NUTS(model, max_tree_depth=8), num_warmup=warmup, num_samples=draws, num_chains=2, progress_bar=False
        )
        mcmc.run(jax.random.key(0), X, y, extra_fields=("num_steps", "diverging"))
        draws_of = mcmc.get_samples()
        f = Predictive(model, draws_of, return_sites=["f"], batch_ndims=1)(jax.random.key(1), X_test)["f"]
        means, log_density = mixture(np.asarray(f), np.asarray(draws_of["noise_std"])[:, None], y_test)
        extra = mcmc.get_extra_fields()
        rhat = numpyro.diagnostics.split_gelman_rubin(mcmc.get_samples(group_by_chain=True)["noise_std"])
        note = f"R-hat of the noise {rhat:.2f}, {np.mean(extra['num_steps']):.0f} gradients per draw"
        return means, log_density, note

    return run


def gpjax_ard(X, y, X_test, y_test):
    """A Gaussian process of squared-exponential kernel in GPJax."""
    import gpjax as gpx
    import jax.numpy as jnp

    prior = gpx.gps.Prior(
        mean_function=gpx.mean_functions.Zero(), kernel=gpx.kernels.RBF(lengthscale=jnp.ones(X.shape[1]))
    )
    data = gpx.Dataset(jnp.asarray(X), jnp.asarray(y)[:, None])
    objective = lambda model, batch: -gpx.objectives.conjugate_mll(model, batch)  # noqa: E731
    model = prior * gpx.likelihoods.Gaussian(obs_stddev=0.3)
    model, _ = gpx.fit_scipy(model=model, objective=objective, train_data=data, verbose=False, max_iters=200)
    predictive = model.likelihood(model.condition(data)(jnp.asarray(X_test)))
    mean, std = np.asarray(predictive.mean).ravel(), np.sqrt(np.asarray(predictive.variance).ravel())
    return mean, norm.logpdf(y_test, mean, std), ""


def xgboost(X, y, X_test, y_test):
    """Trees by their defaults."""
    from xgboost import XGBRegressor

    residuals = []
    for held_out in np.array_split(np.random.default_rng(0).permutation(len(y)), 5):
        rest = np.setdiff1d(np.arange(len(y)), held_out)
        residuals.append(y[held_out] - XGBRegressor(n_jobs=2).fit(X[rest], y[rest]).predict(X[held_out]))
    std = np.sqrt(np.mean(np.concatenate(residuals) ** 2))
    mean = XGBRegressor(n_jobs=2).fit(X, y).predict(X_test)
    return mean, norm.logpdf(y_test, mean, std), f"noise {std:.3f} from held-out rows"


def bde(**settings):
    """Bayesian deep ensembles, whose networks predict the noise too."""

    def run(X, y, X_test, y_test):
        from bde import BdeRegressor

        regressor = BdeRegressor(seed=0, **settings).fit(x=X.astype(np.float32), y=y.astype(np.float32))
        raw = np.asarray(regressor.predict(X_test.astype(np.float32), raw=True), dtype=np.float64)
        raw = raw.reshape(-1, *raw.shape[-2:])
        means, log_density = mixture(raw[..., 0], np.logaddexp(0.0, raw[..., 1]) + 1e-6, y_test)
        return means, log_density, f"{len(raw)} draws"

    return run


#: The settings of the benchmark in bde's paper: four hidden layers of 16, 1,000 draws.
AS_PUBLISHED = {
    "hidden_layers": [16, 16, 16, 16], "n_members": 8, "epochs": 1000, "patience": 20, "warmup_steps": 5000,
    "n_samples": 1250, "n_thinning": 10,
}  # fmt: skip


def peers():
    """What is compared, by name: the package that it needs, and what runs it."""
    import bayes_nn as bnn
    from bayes_nn import inference, priors

    bnn.use_all_cores()
    moves = inference.InfiniteHMC(chains=2, warmup=200, draws=200)
    few = inference.InfiniteHMC(chains=2, warmup=50, draws=50, max_steps=16)
    return {
        "BayesianNetwork, depth 2, width 50": ("bayes_nn", ours(bnn.BayesianNetwork(bnn.mlp(depth=2), 50), moves)),
        "InputMetric, ARD, depth 1": ("bayes_nn", ours(priors.InputMetric(bnn.mlp(depth=1)), few)),
        "GPJax, ARD, maximum likelihood": ("gpjax", gpjax_ard),
        "XGBoost": ("xgboost", xgboost),
        "NUTS on all weights, width 16": ("numpyro", all_weights(16, 200, 200)),
    } | bde_rows()


def bde_rows():
    """The two rows of bde, which run in its own interpreter."""
    return {"bde, defaults": ("bde", bde()), "bde, near its paper's settings": ("bde", bde(**AS_PUBLISHED))}


def published(shared, name, unit):
    """Lines of figures published for other splits."""
    if name == "airfoil":
        source = "Arvanitis et al. 2025 (the paper of bde), five runs on a split of its own, standardised y"
        yield f"bde: RMSE 0.1215, log density 0.913; XGBoost 0.2025, 0.178; deep ensemble 0.365, -0.176. {source}"
        return
    figures = json.loads((shared / "reference" / "uci_nngp.json").read_text())["published"]
    pairs = zip(figures["rmse"][name], figures["nll"][name], strict=True)
    methods = ("PBP", "dropout", "deep ensemble")
    rows = {method: (rmse, -nll) for method, (rmse, nll) in zip(methods, pairs, strict=True)}
    rows["converged dropout"] = figures["converged_dropout_rmse_ll"][name]
    text = "; ".join(f"{method} {r / unit:.3f}, {d + np.log(unit):.3f}" for method, (r, d) in rows.items())
    yield f"RMSE and log density, 20 standard splits of all rows, on this scale (sources: uci_networks.py): {text}"


def report(name, run, arrays):
    """Run one peer and print its line."""
    started = time.perf_counter()
    mean, log_density, note = run(*arrays[:4])
    seconds = time.perf_counter() - started
    errors = arrays[3] - mean
    print(
        f"  {name}: RMSE {np.sqrt(np.mean(errors**2)):.4f}, log density {np.mean(log_density):.3f} +- "
        f"{np.std(log_density, ddof=1) / len(errors) ** 0.5:.3f}, {seconds:.0f} s{note and '; ' + note}",
        flush=True,
    )


def main():
    """All peers on both sets, or those named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds data and reference")
    parser.add_argument("--sets", default="airfoil,concrete")
    parser.add_argument("--rows", type=int, default=500, help="to train on; 0 for all")
    parser.add_argument("--only", default="", help="begin of the name of a peer; all when left out")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    here = importlib.util.find_spec("bde") is not None
    if here:  # bde maps its members over devices
        os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"
    rows = bde_rows() if here else peers()
    for name in given.sets.split(","):
        arrays = load(given.shared, name, given.rows)
        if not here:
            print(f"{name}: {len(arrays[1])} training rows, {len(arrays[3])} test rows", flush=True)
        for peer, (package, run) in rows.items():
            if not peer.startswith(given.only):
                continue
            if importlib.util.find_spec(package) is not None:
                report(peer, run, arrays)
            elif package == "bde" and BDE.exists():
                command = [BDE, __file__, given.shared, "--sets", name, "--rows", str(given.rows), "--only", peer]
                ended = subprocess.run(command, stderr=subprocess.PIPE, text=True)
                if ended.returncode:
                    print(f"  {peer}: failed, {ended.stderr.strip().splitlines()[-1]}", flush=True)
            else:
                print(f"  {peer}: not installed; {INSTALL[package]}")
        if not here:
            for line in published(given.shared, name, arrays[4]):
                print(f"  published: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
