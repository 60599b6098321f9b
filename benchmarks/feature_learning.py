"""Feature information against width, and what reweighting frozen draws costs; printed, and plotted for the first.

Run with ``python benchmarks/feature_learning.py [width|reweighting]``, both when left out. Keys fixed.

Width: diabetes, 200 rows, ReLU, depth 1, weight_std sqrt(2), bias_std 0.1, noise_std 0.7. The feature information by
the identity I = E_post[log p(y|z)] - log Z of SMC, by the thermodynamic integral of t Var_t[log p(y|z)] over the same
run, and by reweighting draws from the prior. Writes docs/feature_information.png.

Reweighting: 20 or 30 rows of a sine of one direction in 3 dimensions, ReLU, width 8, depth 1; 10^6 frozen draws against
infinite-dimensional HMC at 20 test points.
"""

import sys
import time
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from scipy.special import logsumexp  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

from bayes_nn import inference  # noqa: E402
from bayes_nn.data.dataset import Dataset  # noqa: E402
from bayes_nn.inference.problem.prior_draws import prior_log_likelihoods  # noqa: E402
from bayes_nn.inference.problem.problem_of import problem_of  # noqa: E402
from bayes_nn.inference.sampling.smc_run import run_smc  # noqa: E402

NET = bnn.mlp(depth=1, weight_std=2**0.5, bias_std=0.1)
WIDTHS = (64, 128, 256, 512, 1024)
SETTINGS = inference.SMC(particles=128, islands=4, target_ess=0.9)
PRIOR_DRAWS = {64: 16_000, 128: 8_000, 256: 4_000, 512: 2_000, 1024: 2_000}


def by_reweighting(problem, draws, key):
    """I from self-normalised weights, and its standard error by the delta method."""
    log_w = prior_log_likelihoods(problem, key, draws // 4).ravel()
    log_w = log_w - (logsumexp(log_w) - np.log(len(log_w)))
    w = np.exp(log_w)
    value = np.mean(w * log_w)
    influence = w * (log_w - value) - (w - 1.0)
    return value, influence.std() / len(w) ** 0.5, len(w) / np.mean(w**2)


def slope(widths, found):
    """Least squares of log I on log n weighted by the errors of log I, and its standard error."""
    value, error = np.array(found).T
    weight = (value / error) ** 2
    x = np.log(widths) - np.average(np.log(widths), weights=weight)
    return np.sum(weight * x * np.log(value)) / np.sum(weight * x**2), np.sum(weight * x**2) ** -0.5


def against_width():
    X, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:200]
    names = ("identity", "thermodynamic", "reweighting")
    found = {name: [] for name in names}
    print(f"{'width':>6}" + "".join(f"{name:>22}" for name in names) + f"{'ESS of prior draws':>22}{'seconds':>9}")
    for width in WIDTHS:
        started = time.perf_counter()
        network = bnn.BayesianNetwork(NET, width)
        problem = problem_of(network, Dataset.of(X[rows], y[rows], bnn.Gaussian(0.7)))
        run = run_smc(problem, SETTINGS, jax.random.key(1))
        by_island = run.log_likelihood.mean(axis=1) - run.evidence.details["log_evidence_by_island"]
        identity, thermodynamic = (
            (each.mean(), each.std(ddof=1) / len(each) ** 0.5) for each in (by_island, run.path.divergence())
        )
        *reweighted, ess = by_reweighting(problem, PRIOR_DRAWS[width], jax.random.key(2))
        for name, one in zip(names, (identity, thermodynamic, reweighted), strict=True):
            found[name].append(one)
        print(f"{width:6d}" + "".join(f"{found[name][-1][0]:13.4f} +-{found[name][-1][1]:7.4f}" for name in names)
              + f"{ess:13.0f} of {PRIOR_DRAWS[width]:5d}{time.perf_counter() - started:9.0f}", flush=True)  # fmt: skip
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    ax = figure.subplots()
    for shift, (name, marker) in zip((0.96, 1.0, 1.04), zip(names, "os^", strict=True), strict=True):
        value, error = np.array(found[name]).T
        exponent, its_error = slope(WIDTHS, found[name])
        print(f"slope of log I on log n by {name}: {exponent:.3f} +- {its_error:.3f}")
        ax.errorbar(np.array(WIDTHS) * shift, value, 2.0 * error, fmt=marker, capsize=3, markersize=5,
                    label=f"{name}: slope {exponent:.2f} $\\pm$ {its_error:.2f}")  # fmt: skip
    ax.plot(WIDTHS, found["reweighting"][-1][0] * WIDTHS[-1] / np.array(WIDTHS), color="0.6", label="1/n", zorder=0)
    ax.set(xscale="log", yscale="log", xlabel="width n", ylabel="feature information, nats")
    ax.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
    ax.minorticks_off()
    ax.set_title("diabetes, 200 rows, ReLU, depth 1 (bars: 2 standard errors)", fontsize=10)
    ax.legend(frameon=False)
    figure.savefig(Path(__file__).parent.parent / "docs" / "feature_information.png", dpi=150)


def reweighting_table():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(50, 3))
    y = np.sin(2.0 * X @ rng.normal(size=3) / 3**0.5) + 0.1 * rng.normal(size=50)
    print(f"{'N':>3} {'noise':>6} {'I':>14} {'exp(I)':>8} {'D_2/I':>6} {'exp(-I)':>9} {'exp(-D_2)':>10} {'ESS/M':>9}"
          f" {'largest gap':>12} {'rms gap':>8} {'seconds':>8}")  # fmt: skip
    for N, noise in ((20, 1.0), (20, 0.6), (20, 0.4), (30, 0.4), (30, 0.3), (30, 0.25)):
        started = time.perf_counter()
        settings = inference.InfiniteHMC(warmup=300, draws=1000)
        posterior = bnn.fit(bnn.BayesianNetwork(NET, 8), X[:N], y[:N], bnn.Gaussian(noise), settings, key=2)
        result = inference.reweighting(posterior, X[30:], draws=1_000_000, key=3)
        value, mcse, _ = result.divergence
        fraction = result.ess / result.draws
        print(f"{N:3d} {noise:6.2f} {value:7.3f}+-{mcse:.3f} {result.hypotheses:8.2f} {-np.log(fraction) / value:6.2f}"
              f" {np.exp(-value):9.2e} {result.predicted_ess / result.draws:10.2e} {fraction:9.2e}"
              f" {np.abs(result.gap).max():12.2f} {np.sqrt(np.mean(result.gap**2)):8.2f}"
              f" {time.perf_counter() - started:8.0f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    asked = sys.argv[1:] or ["width", "reweighting"]
    if "width" in asked:
        against_width()
    if "reweighting" in asked:
        reweighting_table()
