"""The width slope c1 against n (log Z_n - log Z_inf) of finite networks: printed with z-scores, and plotted.

Run with ``python benchmarks/width_slope.py ../shared/data/uci_regression``. Diabetes (scikit-learn) and energy, 200
rows each, ReLU and erf, depth 1 and 2, every standard deviation fixed. Log Z_n by importance sampling from the prior
of finite networks, whose relative error falls with the width, and at depth 1 by SMC beside it. At a width
the two differ by c2/n and more, so the z-score to look at is that of the straight line in 1/n, extrapolated to 0.
Writes docs/width_slope.png. Seeds fixed.
"""

import sys
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

from bayes_nn import inference  # noqa: E402
from bayes_nn.architecture.network import readout_features  # noqa: E402
from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402
from bayes_nn.priors.gaussian.gaussian_process import KernelProcess  # noqa: E402
from bayes_nn.priors.kernels.dual_activations import dual  # noqa: E402
from bayes_nn.runtime.devices import map_over_devices  # noqa: E402

ROWS, WEIGHT_STD, BIAS_STD = 200, 1.4, 0.3
LIKELIHOOD = bnn.Gaussian(0.7)
WIDTHS = (200, 400, 800)
#: Draws from the prior at each width, by depth.
DRAWS = {1: (20_000, 12_000, 8_000), 2: (12_000, 6_000, 3_000)}


def standardised(X, y):
    rows = np.random.default_rng(0).permutation(len(y))[:ROWS]
    X, y = X[rows], y[rows]
    return (X - X.mean(axis=0)) / X.std(axis=0), (y - y.mean()) / y.std()


def after(activation, K):
    """The covariance of the next layer's pre-activations, or of the readout."""
    p = jnp.diagonal(K)
    return WEIGHT_STD**2 * dual(activation, K, p[:, None], p[None, :]) + BIAS_STD**2


@partial(jax.jit, static_argnames="activation")
def gradients_along(activation, covariances, Y):
    """Of log Z in the covariance after each hidden layer, the layers after it infinitely wide."""

    def log_evidence(K, layers_left):
        for _ in range(layers_left):
            K = after(activation, K)
        return KernelProcess(K).log_marginal(Y, LIKELIHOOD.noise_variance({}))

    return [jax.grad(log_evidence)(K, len(covariances) - 1 - i) for i, K in enumerate(covariances)]


@partial(jax.jit, static_argnames=("parts", "draws"))
def prior_draws(problem, parts, first, gradients, key, draws):
    """Log likelihood of networks drawn from the prior, and one control variate of mean 0 for every hidden layer.

    It is the change of log Z, to first order, by what a layer's covariance differs by from its mean given the layer
    before. The gradient is JAX's, so nothing here comes from the width slope.
    """

    def one(shared, key):
        problem, first, gradients = shared
        u = problem.sample_prior(key)
        values, before, controls = problem.values(u), first, []
        for part, gradient in zip(parts, gradients, strict=True):
            Phi = readout_features(part, values, problem.X)
            controls.append(jnp.vdot(gradient, Phi @ Phi.T - after(part.layers[1], before)))
            before = Phi @ Phi.T
        return problem.log_likelihood(u), jnp.stack(controls)

    return map_over_devices(one, draws)((problem, first, gradients), jax.random.split(key, draws))


def by_importance(network, X, y, draws):
    """log Z and its standard error, by regression on the control variates and the delta method."""
    problem = CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray(y)[:, None], LIKELIHOOD)
    net, first = network.net, WEIGHT_STD**2 * problem.X @ problem.X.T / X.shape[1] + BIAS_STD**2
    parts, covariances = tuple(bnn.Serial(*net.layers[: 2 * i + 3]) for i in range(net.depth)), [first]
    for part in parts:
        covariances.append(after(part.layers[1], covariances[-1]))
    gradients = gradients_along(net.layers[1], covariances[1:], problem.Y)
    drawn = prior_draws(problem, parts, first, gradients, jax.random.key(1), draws)
    log_likelihood, controls = (np.asarray(one) for one in drawn)
    shift = log_likelihood.max()
    ratio = np.exp(log_likelihood - shift)
    design = np.column_stack([np.ones(draws), controls])
    coefficients = np.linalg.lstsq(design, ratio, rcond=None)[0]
    error = np.std(ratio - design @ coefficients) / draws**0.5 / coefficients[0]
    return np.log(coefficients[0]) + shift, error, error * (coefficients[0] / ratio.std() * draws**0.5)


def line(label, method, scaled, error, slope, remark=""):
    z = (scaled - slope.value) / np.hypot(error, slope.mcse)
    print(f"{label}  {method:18} {scaled:7.1f} +- {error:4.1f}  z {z:5.2f}  {remark}", flush=True)


def extrapolated(scaled, errors):
    """c1 and its error from ``c1 + c2/n``, weighted least squares."""
    design = np.stack([np.ones(len(WIDTHS)), 1.0 / np.array(WIDTHS)], axis=1) / errors[:, None]
    covariance = np.linalg.inv(design.T @ design)
    return covariance[0] @ design.T @ (scaled / errors), covariance[0, 0] ** 0.5


def compare(name, X, y, activation, depth, panel, colour):
    """One row of cells, and its points in the plot."""
    net, label = bnn.mlp(depth, activation, WEIGHT_STD, BIAS_STD), f"{name:8} {activation:4} depth {depth}"
    seconds = []
    for key, tolerance in ((2, 0.05), (1, 0.05), (0, 0.02)):
        began = time.perf_counter()
        slope = inference.width_slope(net, X, y, LIKELIHOOD, False, key, tolerance=tolerance)
        seconds.append(time.perf_counter() - began)
    print(f"{label}  {'width_slope':18} {slope.value:7.1f} +- {slope.mcse:4.1f}           to 5% {seconds[0]:.1f} s, "
          f"compiled before {seconds[1]:.1f} s, to 2% {seconds[2]:.1f} s", flush=True)  # fmt: skip
    found = []
    for n, draws in zip(WIDTHS, DRAWS[depth], strict=True):
        began = time.perf_counter()
        value, error, left = by_importance(bnn.BayesianNetwork(net, n), X, y, draws)
        found.append((n * (value - slope.log_evidence.value), n * error))
        remark = f"{time.perf_counter() - began:5.1f} s, {draws} draws, {left:.2f} of the error left"
        line(label, f"importance n={n}", *found[-1], slope, remark)
    scaled, errors = np.array(found).T
    line(label, "importance 1/n->0", *extrapolated(scaled, errors), slope)
    for n in WIDTHS if depth == 1 else ():
        began = time.perf_counter()
        evidence = inference.log_evidence(bnn.BayesianNetwork(net, n), X, y, "smc", LIKELIHOOD, False, tolerance=0.05,
                                          max_seconds=60.0, sampler=inference.SMC(particles=64))  # fmt: skip
        difference = n * (evidence.value - slope.log_evidence.value)
        remark = f"{time.perf_counter() - began:5.1f} s, {evidence.details['rounds']} rounds of 4 islands"
        line(label, f"SMC n={n}", difference, n * evidence.mcse, slope, remark)
        panel.errorbar(1.07 / n, difference, n * evidence.mcse, fmt="^", mfc="none", color=colour, capsize=2)
    panel.errorbar(1.0 / np.array(WIDTHS), scaled, errors, fmt="o", color=colour, capsize=2)
    panel.errorbar(0.0, slope.value, slope.mcse, fmt="*", ms=11, color=colour, label=f"{activation}, depth {depth}")


def main(folder):
    energy = np.load(folder / "energy.npz")
    sets = {"diabetes": load_diabetes(return_X_y=True), "energy": (energy["X"], energy["y"])}
    figure = Figure(figsize=(9.5, 4.0), layout="constrained")
    for panel, (name, data) in zip(figure.subplots(1, 2), sets.items(), strict=True):
        cells = [(activation, depth) for activation in ("relu", "erf") for depth in (1, 2)]
        for colour, (activation, depth) in enumerate(cells):
            compare(name, *standardised(*data), activation, depth, panel, f"C{colour}")
        panel.axhline(0.0, color="0.8", lw=0.8, zorder=0)
        panel.set(title=f"{name}, {ROWS} rows", xlabel="1/n", ylabel=r"$n\,(\log Z_n - \log Z_\infty)$, nats")
        panel.legend(frameon=False, fontsize=8)
    figure.suptitle(
        "Stars: width slope, no sampling of weights. Dots: importance sampling. Triangles: SMC.", fontsize=10
    )
    figure.savefig(Path(__file__).resolve().parents[1] / "docs" / "width_slope.png", dpi=130)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
