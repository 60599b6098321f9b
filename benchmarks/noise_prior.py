"""What the prior of a standard deviation costs where the truth lies elsewhere, in nats of evidence.

``python benchmarks/noise_prior.py [data sets]`` (20). Data are draws from an NNGP, y of variance 1 (with biases asked
for, of that of the kernel); all but the standard deviation asked for is known, which leaves one integral (two for
weights) over a grid. The cost is the log evidence with the standard deviation known minus that with it inferred,
averaged over data sets.
"""

import sys
from collections.abc import Callable

import jax
import numpy as np
import numpyro.distributions as dist
from scipy.special import logsumexp

import bayes_nn as bnn

jax.config.update("jax_enable_x64", True)

NOISES = (0.001, 0.005, 0.02, 0.1, 0.3, 0.7, 1.0, 10.0, 100.0)
BEFORE = dist.LogNormal(np.log(0.3), 0.75)
PRIORS: dict[str, dist.Distribution] = {
    "LogNormal(log 0.3, 0.75)": BEFORE,
    "LogNormal(log 0.3, 1.5)": dist.LogNormal(np.log(0.3), 1.5),
    "LogNormal(log 0.2, 1.5)": dist.LogNormal(np.log(0.2), 1.5),
    "LogNormal(log 0.1, 1.5)": dist.LogNormal(np.log(0.1), 1.5),
    "log-Student(4, log 0.3, 0.75)": dist.TransformedDistribution(
        dist.StudentT(4.0, np.log(0.3), 0.75), dist.transforms.ExpTransform()
    ),
    "Exponential, median 0.3": dist.Exponential(np.log(2.0) / 0.3),
    "HalfNormal, median 0.3": dist.HalfNormal(0.3 / 0.67449),
    "HalfCauchy(0.3)": dist.HalfCauchy(0.3),
}


def of_log(prior: dist.Distribution, log_s: np.ndarray) -> np.ndarray:
    """Log density of log s."""
    return np.asarray(prior.log_prob(np.exp(log_s))) + log_s


def log_likelihoods(K: np.ndarray, y: np.ndarray, scale: np.ndarray, noise: np.ndarray) -> np.ndarray:
    """log N(y; 0, scale^2 K + noise^2 I) for pairs of scales and noises, nats."""
    values, vectors = np.linalg.eigh(K)
    variance = np.maximum(values, 0.0)[:, None] * scale**2 + noise**2
    return -0.5 * np.sum(np.log(2.0 * np.pi * variance) + (vectors.T @ y)[:, None] ** 2 / variance, axis=0)


def kernel_of(net: bnn.Serial) -> Callable[[dict[str, float], np.ndarray], np.ndarray]:
    """The NNGP's kernel matrix by the standard deviations that are not its own numbers."""
    nngp = bnn.priors.NNGP(net)
    compiled = jax.jit(lambda values, X: nngp.process(nngp.numbers() | values, X).K)
    return lambda values, X: np.asarray(compiled(values, X))


def of_noise(net: bnn.Serial, inputs: int, rows: int, sets: int) -> None:
    """Costs of every prior of the noise at every noise."""
    log_s = np.linspace(np.log(1e-6), np.log(1e3), 3001)
    step, kernel = log_s[1] - log_s[0], kernel_of(net)
    costs: dict[str, list[float]] = {name: [] for name in (*PRIORS, "LogNormal(log noise, 0.75)")}
    for noise in NOISES:
        of_sets: dict[str, list[float]] = {name: [] for name in costs}
        for number in range(sets):
            rng = np.random.default_rng([rows, number])
            X = rng.normal(size=(rows, inputs))
            K = kernel({}, X)
            K = K * max(1.0 - noise**2, 0.0) / np.mean(np.diag(K))
            values, vectors = np.linalg.eigh(K)
            f = vectors @ (np.sqrt(np.maximum(values, 0.0)) * rng.normal(size=rows))
            y = f + noise * rng.normal(size=rows)
            each = log_likelihoods(K, y, np.ones_like(log_s), np.exp(log_s))
            known = log_likelihoods(K, y, np.ones(1), np.array([noise]))[0]
            for name, prior in (PRIORS | {"LogNormal(log noise, 0.75)": dist.LogNormal(np.log(noise), 0.75)}).items():
                of_sets[name].append(known - logsumexp(each + of_log(prior, log_s)) - np.log(step))
        for name, found in of_sets.items():
            costs[name].append(float(np.mean(found)))
    show(f"noise; {net.name}, {inputs} inputs, {rows} rows", NOISES, costs)


def of_weights(rows: int, sets: int) -> None:
    """Costs of priors of the weight_std of both layers of an erf network, by the true one of the first layer.

    That of the readout gives f the variance that a noise of 0.1 leaves.
    """
    stds, log_w = (0.1, 0.3, 0.7, 2.0**0.5, 3.0, 10.0), np.linspace(np.log(0.01), np.log(100.0), 81)
    log_a, kernel = np.linspace(np.log(0.01), np.log(300.0), 161), kernel_of(bnn.mlp(1, "erf", 1.0, 0.0))
    priors = {f"LogNormal(log sqrt 2, {s})": dist.LogNormal(0.5 * np.log(2.0), s) for s in (0.5, 0.75, 1.0)}
    costs: dict[str, list[float]] = {name: [] for name in (*priors, "LogNormal(log truth, 0.5)")}
    for std in stds:
        of_sets: dict[str, list[float]] = {name: [] for name in costs}
        for number in range(max(sets // 5, 2)):
            rng = np.random.default_rng([rows, number])
            X = rng.normal(size=(rows, 4))
            K = kernel({"weight_std_0": std}, X)
            readout = float(np.sqrt(0.99 / np.mean(np.diag(K))))
            y = np.linalg.cholesky(readout**2 * K + 0.01 * np.eye(rows)) @ rng.normal(size=rows)
            known = log_likelihoods(K, y, np.array([readout]), np.array([0.1]))[0]
            each = np.array(
                [
                    log_likelihoods(kernel({"weight_std_0": w}, X), y, np.exp(log_a), np.array([0.1]))
                    for w in np.exp(log_w)
                ]
            )
            cell = np.log((log_w[1] - log_w[0]) * (log_a[1] - log_a[0]))
            both = {name: (prior, prior) for name, prior in priors.items()}
            both["LogNormal(log truth, 0.5)"] = tuple(dist.LogNormal(np.log(s), 0.5) for s in (std, readout))
            for name, (first, last) in both.items():
                density = of_log(first, log_w)[:, None] + of_log(last, log_a)
                of_sets[name].append(known - logsumexp(each + density) - cell)
        for name, found in of_sets.items():
            costs[name].append(float(np.mean(found)))
    show(f"weight_std of two layers; erf, depth=1, 4 inputs, {rows} rows", stds, costs)


def of_biases(rows: int, sets: int) -> None:
    """Costs of priors of a bias_std that both layers of a ReLU network share."""
    stds, log_b = (0.005, 0.02, 0.1, 0.3, 1.0, 3.0), np.linspace(np.log(1e-4), np.log(100.0), 121)
    kernel = kernel_of(bnn.mlp(1, "relu", 2.0**0.5, bnn.Shared(BEFORE)))
    priors = {f"LogNormal(log 0.3, {s})": dist.LogNormal(np.log(0.3), s) for s in (0.75, 1.25)}
    costs: dict[str, list[float]] = {name: [] for name in (*priors, "LogNormal(log truth, 0.75)")}
    for std in stds:
        of_sets: dict[str, list[float]] = {name: [] for name in costs}
        for number in range(max(sets // 5, 2)):
            rng = np.random.default_rng([rows, number])
            X, one, noise = rng.normal(size=(rows, 4)), np.ones(1), np.array([0.1])
            K = kernel({"bias_std_0": std}, X)
            y = np.linalg.cholesky(K + 0.01 * np.eye(rows)) @ rng.normal(size=rows)
            known = log_likelihoods(K, y, one, noise)[0]
            each = [log_likelihoods(kernel({"bias_std_0": b}, X), y, one, noise)[0] for b in np.exp(log_b)]
            for name, prior in (priors | {"LogNormal(log truth, 0.75)": dist.LogNormal(np.log(std), 0.75)}).items():
                of_sets[name].append(known - logsumexp(each + of_log(prior, log_b)) - np.log(log_b[1] - log_b[0]))
        for name, found in of_sets.items():
            costs[name].append(float(np.mean(found)))
    show(f"bias_std; relu, depth=1, 4 inputs, {rows} rows", stds, costs)


def show(title: str, truths: tuple[float, ...], costs: dict[str, list[float]]) -> None:
    """Print costs in nats, a column for every true standard deviation."""
    print(f"\n{title:60s}" + "".join(f"{truth:8.3g}" for truth in truths))
    for name, row in costs.items():
        print(f"{name:60s}" + "".join(f"{cost:8.2f}" for cost in row))


if __name__ == "__main__":
    sets = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    for rows in (60, 200):
        of_noise(bnn.mlp(2, "relu", 2.0**0.5, 0.3), 4, rows, sets)
        of_noise(bnn.mlp(1, "erf", 2.0**0.5, 0.3), 1, rows, sets)
        of_weights(rows, sets)
        of_biases(rows, sets)
