"""How far data move a network's kernel, and the feature information, against width: slopes beside the published -1.

Run with ``python benchmarks/published/kernel_learning.py``; ``--out FOLDER`` saves the figure there. Seeds fixed.

Published: the leading term of E_post[K_z] - K falls like 1/n (Zavatone-Veth, Canatar, Ruben and Pehlevan 2021,
NeurIPS 34, arXiv:2106.00651, with its coefficient for deep linear networks and for one nonlinear hidden layer);
kernels learn in finite networks only (Aitchison 2020, ICML, arXiv:1910.08013). So the log-log slope is -1.

Measured: diabetes, 100 rows, all standard deviations and the noise fixed, linear and ReLU networks of depth 1 and 2.
Networks drawn from the prior are weighted by their likelihood, which is exact. The movement is the Frobenius norm of
E_post[K_z] - E_prior[K_z] over that of the NNGP kernel; E_prior[K_z] is the NNGP kernel but for ReLU at depth 2, where
it differs by order 1/n as well. Batches of draws are multiplied with one another, not with themselves, so that
their noise does not count as movement. Errors by jackknife over batches. Narrow networks carry terms of order 1/n^2
too: the slope is given as it stands, and with a factor exp(b/n) fitted beside it.
"""

import argparse
import time
from functools import partial
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

from bayes_nn import priors  # noqa: E402
from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402
from bayes_nn.runtime.devices import map_over_devices  # noqa: E402

ROWS, NOISE, BATCHES, PUBLISHED = 100, 0.7, 20, -1.0
WEIGHT_STD = {"identity": 1.0, "relu": 2**0.5}
WIDTHS = (32, 64, 128, 256, 512)
#: Networks of a batch, by depth.
DRAWS = {1: 600, 2: 300}
#: Single neurons for the leading term of a nonlinear hidden layer.
NEURONS = 400_000


@partial(jax.jit, static_argnames="draws")
def batch_sums(problem, log_evidence, keys, draws):
    """Means over every batch of w, w log w, w^2, K_z and w K_z; w is the likelihood over the NNGP's evidence."""

    def one_batch(shared, key):
        problem, log_evidence = shared

        def add(sums, key):
            values = problem.values(problem.sample_prior(key))
            process = problem.process(values)
            log_w = problem.log_likelihood_given(process, values) - log_evidence
            w, K = jnp.exp(log_w), process.Phi @ process.Phi.T
            return jax.tree.map(jnp.add, sums, (w, w * log_w, w**2, K, w * K)), None

        nothing, N = jnp.zeros(()), len(problem.X)
        start = (nothing, nothing, nothing, jnp.zeros((N, N)), jnp.zeros((N, N)))
        sums, _ = jax.lax.scan(add, start, jax.random.split(jax.random.wrap_key_data(key), draws))
        return jax.tree.map(lambda total: total / draws, sums)

    return map_over_devices(one_batch, len(keys))((problem, log_evidence), keys)


def moved(sums, K):
    """E_post[K_z] - E_prior[K_z] of every batch, the posterior's normalisation from all of them."""
    w, _, _, K_z, w_K_z = sums
    Z = w.mean()
    return w_K_z / Z - K_z - (w / Z - 1.0)[:, None, None] * K


def movement(sums, K):
    """Relative Frobenius norm of what the data move the kernel by."""
    D = moved(sums, K)
    B, total = len(D), D.sum(axis=0)
    return np.sqrt(max(np.sum(total**2) - np.sum(D**2), 0.0) / (B * (B - 1))) / np.linalg.norm(K)


def along(term, sums, K):
    """What the data move the kernel by along its leading term, in units of it."""
    return np.vdot(moved(sums, K).mean(axis=0), term) / np.vdot(term, term)


def information(sums, K):
    """KL of posterior and prior of the hidden weights, nats."""
    w, w_log_w, *_ = sums
    return w_log_w.mean() / w.mean() - np.log(w.mean())


def jackknife(estimate, sums, K):
    """An estimate from all batches, and its standard error."""
    B = len(sums[0])
    left_out = [estimate([np.delete(one, b, axis=0) for one in sums], K) for b in range(B)]
    return estimate(sums, K), np.sqrt((B - 1) * np.var(left_out))


def leading_term(activation, depth, X, K, y, rng):
    """n times the published leading term of E_post[K_z] - K; None where there is no closed form."""
    A_inverse = np.linalg.inv(K + NOISE**2 * np.eye(len(K)))
    a = A_inverse @ y
    if activation == "identity":
        return depth * K @ (np.outer(a, a) - A_inverse) @ K
    if depth > 1:
        return None
    std, total, weighted, mean = WEIGHT_STD[activation], 0.0, 0.0, 0.0
    for _ in range(20):
        hidden = X @ rng.normal(size=(X.shape[1], NEURONS // 20)) * std / X.shape[1] ** 0.5
        phi = std * np.maximum(hidden, 0.0)
        g = (a @ phi) ** 2 - np.sum(phi * (A_inverse @ phi), axis=0)
        weighted, mean, total = weighted + (g * phi) @ phi.T, mean + g.sum(), total + phi @ phi.T
    return (weighted - mean * total / NEURONS) / (2.0 * NEURONS)


def slope(found, corrected):
    """s of ``log value = c + s log n``, or of ``c + s log n + b/n``, weighted by errors; and its standard error."""
    value, error = np.array(found).T
    n, weight = np.array(WIDTHS, float), value / error
    design = np.stack([np.log(n), np.ones(len(n)), 1.0 / n][: 3 if corrected else 2], axis=1) * weight[:, None]
    covariance = np.linalg.inv(design.T @ design)
    return (covariance @ design.T @ (np.log(value) * weight))[0], covariance[0, 0] ** 0.5


def main():
    """All networks; a table, the slopes, and the figure where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for the figure")
    out = parser.parse_args().out
    X, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:ROWS]
    X, y = (X[rows] - X[rows].mean(axis=0)) / X[rows].std(axis=0), (y[rows] - y[rows].mean()) / y[rows].std()
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    panels = figure.subplots(1, 2)
    labels = ("movement of the kernel, relative", "feature information, nats")
    slopes, began = [], time.perf_counter()
    print(f"{'network':>18} {'width':>6} {'movement':>20} {'of leading term':>20} {'information, nats':>22} {'ESS':>6}")
    for colour, (activation, depth) in enumerate((a, d) for a in ("identity", "relu") for d in (1, 2)):
        net = bnn.mlp(depth, activation, WEIGHT_STD[activation], bias_std=0.0)
        name = f"{'linear' if activation == 'identity' else activation}, depth {depth}"
        nngp = CollapsedProblem.of(priors.NNGP(net), jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian(NOISE))
        K, log_evidence = np.asarray(nngp.process({}).K), nngp.log_likelihood(jnp.zeros(0))
        term = leading_term(activation, depth, X, K, y, np.random.default_rng(1))
        found = []
        for width in WIDTHS:
            problem = CollapsedProblem.of(bnn.BayesianNetwork(net, width), nngp.X, nngp.Y, bnn.Gaussian(NOISE))
            keys = np.asarray(jax.random.key_data(jax.random.split(jax.random.key(width), BATCHES)))
            sums = [np.asarray(one) for one in batch_sums(problem, log_evidence, keys, DRAWS[depth])]
            ess = BATCHES * DRAWS[depth] * sums[0].mean() ** 2 / sums[2].mean()
            found.append((jackknife(movement, sums, K), jackknife(information, sums, K)))
            share = ""
            if term is not None:
                share = "{:.3f} +- {:.3f}".format(*jackknife(partial(along, term / width), sums, K))
            (value, error), (nats, its_error) = found[-1]
            print(f"{name:>18} {width:6d} {value:11.5f} +- {error:.5f} {share:>20} {nats:12.5f} +- {its_error:.5f}"
                  f" {ess:6.0f}", flush=True)  # fmt: skip
        for panel, values, label in zip(panels, zip(*found, strict=True), labels, strict=True):
            exponent, its_error = slope(values, corrected=True)
            slopes.append((label, name, slope(values, corrected=False), (exponent, its_error)))
            value, error = np.array(values).T
            panel.errorbar(WIDTHS, value, 2.0 * error, fmt="o", capsize=3, ms=4, color=f"C{colour}",
                           label=f"{name}: slope {exponent:.2f} $\\pm$ {its_error:.2f}")  # fmt: skip
            panel.plot(WIDTHS, value[-1] * WIDTHS[-1] / np.array(WIDTHS), color=f"C{colour}", lw=0.7, zorder=0)
    print(f"\n{'log-log slope of':>34} {'network':>18} {'as it stands':>18} {'with a 1/n term':>18} {'published':>10}")
    for label, name, *fits in slopes:
        reached = " ".join(f"{value:9.3f} +- {error:.3f}" for value, error in fits)
        print(f"{label:>34} {name:>18} {reached} {PUBLISHED:10.1f}")
    print(f"{time.perf_counter() - began:.0f} s")
    if out:
        for panel, label in zip(panels, labels, strict=True):
            panel.set(xscale="log", yscale="log", xlabel="width n", title=label, ylim=(None, 8.0 * panel.get_ylim()[1]))
            panel.set_xticks(WIDTHS, [str(width) for width in WIDTHS])
            panel.minorticks_off()
            panel.legend(frameon=False, fontsize=8)
        figure.suptitle("diabetes, 100 rows (bars: 2 standard errors; lines: 1/n through the last point)", fontsize=10)
        out.mkdir(parents=True, exist_ok=True)
        figure.savefig(out / "kernel_learning.png", dpi=130)


if __name__ == "__main__":
    main()
