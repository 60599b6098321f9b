"""Evidence by SMC or replica exchange against exact or near-exact answers: a suite of cases, ten seeds each.

Run with ``python benchmarks/evidence.py [seeds] [smc, unbiased_smc or replica_exchange] [case ...]``, to a given error,
or with ``fit_smc``, ``fit_replica_exchange`` or ``fit_compare`` for the evidence that comes with one fit at default
settings, by either sampler or as ``compare`` chooses; keys are the seeds. Printed for every case: the mean estimate,
the mean of the errors it claims, the exact value, the mean and the root-mean-square of z, the largest error, and how
many runs called themselves reliable. Deep linear networks are
compared with quadrature over their scale (one output, no biases), small networks with a million draws from the prior,
wide ones with the first-order theory of finite width, and kernel priors with inferred hyperparameters with quadrature
over those.
"""

import sys
import time
import warnings

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import numpyro.distributions as dist  # noqa: E402
from scipy import stats  # noqa: E402
from scipy.special import logsumexp  # noqa: E402

from bayes_nn import inference, priors  # noqa: E402
from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402
from bayes_nn.inference.problem.prior_draws import prior_log_likelihoods  # noqa: E402
from bayes_nn.inference.sampling.exchange.smc_first import SMCFirst  # noqa: E402

#: Standard error asked for, nats.
TOLERANCE = {"smc": 0.05, "unbiased_smc": 0.05, "replica_exchange": 0.1}
#: Samplers at their default settings.
FITS = {"fit_smc": inference.SMC(), "fit_replica_exchange": inference.ReplicaExchange(), "fit_compare": SMCFirst()}


def data(rows, inputs, link):
    """Standard-normal inputs, and a problem of a direction with noise of standard deviation 0.5."""
    rng = np.random.default_rng(rows + inputs)
    X = rng.normal(size=(rows, inputs))
    t = X @ rng.normal(size=inputs) / inputs**0.5
    return X, link(t) + 0.5 * rng.normal(size=rows)


def linear(widths, rows, inputs=8):
    """A deep linear network, by a grid of log chi2(n)/n per layer."""

    def case():
        X, y = data(rows, inputs, lambda t: 1.5 * t)
        values, vectors = np.linalg.eigh(X @ X.T / inputs)
        squares, points = (vectors.T @ y) ** 2, 400 if len(widths) < 3 else 120
        log_s, log_weight = np.zeros(1), np.zeros(1)
        for n in widths:
            grid = np.linspace(*np.log(stats.gamma.ppf([1e-14, 1 - 1e-14], n / 2, scale=2 / n)), points)
            density = stats.gamma.logpdf(np.exp(grid), n / 2, scale=2 / n) + grid + np.log(grid[1] - grid[0])
            log_s, log_weight = np.add.outer(log_s, grid).ravel(), np.add.outer(log_weight, density).ravel()
        total = np.full_like(log_s, -0.5 * rows * np.log(2 * np.pi))
        for value, square in zip(np.maximum(values, 0.0), squares, strict=True):
            variance = np.exp(log_s) * value + 0.25
            total -= 0.5 * (np.log(variance) + square / variance)
        net = bnn.mlp(len(widths), "identity", weight_std=1.0, bias_std=0.0)
        return bnn.BayesianNetwork(net, widths), X, y, NOISE, float(logsumexp(total + log_weight)), 0.0

    return case


def small(activation, depth, width, rows=12, inputs=3):
    """A small network, by a million draws from its prior."""

    def case():
        X, y = data(rows, inputs, np.sin)
        network = bnn.BayesianNetwork(bnn.mlp(depth, activation, weight_std=2**0.5, bias_std=0.2), width)
        problem = CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray(y)[:, None], NOISE)
        log_likelihood = prior_log_likelihoods(problem, jax.random.key(10**6), 250_000).ravel()
        exact = float(logsumexp(log_likelihood) - np.log(log_likelihood.size))
        error = float(np.std(np.exp(log_likelihood - exact)) / log_likelihood.size**0.5)
        return network, X, y, NOISE, exact, error

    return case


def wide(activation, width, rows=50, inputs=5):
    """A wide network, by the NNGP's evidence plus c1/n; its error is that of c1 and the next order, c1^2/n^2."""

    def case():
        X, y = data(rows, inputs, np.sin)
        net = bnn.mlp(1, activation, weight_std=2**0.5, bias_std=0.2)
        slope = inference.width_slope(net, X, y, NOISE, standardize=False, progress=False)
        error = float(np.hypot(slope.mcse / width, (slope.value / width) ** 2))
        return bnn.BayesianNetwork(net, width), X, y, NOISE, slope.log_evidence_at(width), error

    return case


def hyperparameters(make, noise_std, grids, rows=40, inputs=4):
    """A kernel prior, by a sum over a grid of the logarithms of its hyperparameters.

    Args:
        make: the prior.
        noise_std: a number or a distribution.
        grids: site and lower and upper end of the logarithm, for every hyperparameter.
        rows: of the data.
        inputs: of the data.
    """

    def case():
        X, y = data(rows, inputs, np.sin)
        prior, likelihood = make(), bnn.Gaussian(noise_std)
        problem = CollapsedProblem.of(prior, jnp.asarray(X), jnp.asarray(y)[:, None], likelihood)
        assert list(problem.latents) == [site for site, *_ in grids], problem.latents
        points = [np.linspace(low, high, 81) for _, low, high in grids]
        u = jnp.asarray(np.stack([each.ravel() for each in np.meshgrid(*points, indexing="ij")], axis=1))
        log_density = jax.jit(
            lambda u: jax.lax.map(lambda one: problem.log_prior(one) + problem.log_likelihood(one), u)
        )
        log_step = sum(np.log(each[1] - each[0]) for each in points)
        return prior, X, y, likelihood, float(logsumexp(np.asarray(log_density(u))) + log_step), 0.0

    return case


NOISE = bnn.Gaussian(0.5)
RELU = {"activation": "relu", "weight_std": 2**0.5, "bias_std": 0.2}
CASES = {
    "linear 2, N 20": linear((2,), 20),
    "linear 8, N 100": linear((8,), 100),
    "linear 32, N 100": linear((32,), 100),
    "linear 128, N 100": linear((128,), 100),
    "linear 8-8, N 20": linear((8, 8), 20),
    "linear 2-2, N 100": linear((2, 2), 100),
    "linear 32-32, N 100": linear((32, 32), 100),
    "linear 2-2-2, N 20": linear((2, 2, 2), 20),
    "linear 8-8-8, N 100": linear((8, 8, 8), 100),
    "linear 32-32-32, N 20": linear((32, 32, 32), 20),
    "relu 8": small("relu", 1, 8),
    "erf 8": small("erf", 1, 8),
    "relu 6-6": small("relu", 2, 6),
    "erf 6-6": small("erf", 2, 6),
    "relu 400": wide("relu", 400),
    "erf 400": wide("erf", 400),
    "NNGP, noise": hyperparameters(
        lambda: priors.NNGP(bnn.mlp(2, **RELU)), dist.LogNormal(-1.0, 0.75), [("noise_std", -3.0, 1.5)]
    ),
    "NNGP, weights, noise": hyperparameters(
        lambda: priors.NNGP(bnn.mlp(2, "relu", bnn.Shared(dist.LogNormal(0.35, 0.5)), 0.2)),
        dist.LogNormal(-1.0, 0.75),
        [("weight_std_0", -2.0, 2.5), ("noise_std", -3.0, 1.5)],
    ),
    "ScaleMixture 4, noise": hyperparameters(
        lambda: priors.ScaleMixture(bnn.mlp(1, **RELU), 4),
        dist.LogNormal(-1.0, 0.75),
        [("scale_0", -16.0, 3.5), ("noise_std", -3.0, 1.5)],
    ),
}


def evidence(prior, X, y, method, likelihood, seed):
    """To an error, or as it comes with a fit."""
    if method in FITS:
        fit = bnn.fit(prior, X, y, likelihood, FITS[method], key=seed, standardize=False, progress=False)
        return fit.sampler_evidence
    settings = {"tolerance": TOLERANCE[method], "max_seconds": 120.0, "progress": False}
    return inference.log_evidence(prior, X, y, method, likelihood, False, seed, **settings)


def main(seeds, method, names):
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    print(
        f"{'case':24} {'estimate':>9} {'mcse':>6} {'exact':>9} {'+-':>6} {'mean z':>6} {'rms z':>6} {'worst':>6}"
        f" {'reliable':>9} {'seconds':>8}"
    )
    every_z, worst = [], 0.0
    for name in names:
        prior, X, y, likelihood, exact, error = CASES[name]()
        found, seconds = [], []
        for seed in range(seeds):
            started = time.perf_counter()
            found.append(evidence(prior, X, y, method, likelihood, seed))
            seconds.append(time.perf_counter() - started)
        value, mcse = np.array([(one.value, one.mcse) for one in found]).T
        z = (value - exact) / np.hypot(mcse, error)
        every_z.append(z)
        worst = max(worst, np.abs(value - exact).max())
        print(
            f"{name:24} {value.mean():9.3f} {mcse.mean():6.3f} {exact:9.3f} {error:6.3f} {z.mean():6.2f}"
            f" {np.sqrt(np.mean(z**2)):6.2f} {np.abs(value - exact).max():6.3f}"
            f" {sum(one.reliable for one in found):6d}/{seeds:<2d} {np.median(seconds):8.1f}",
            flush=True,
        )
    total = np.concatenate(every_z)
    rms = np.sqrt(np.mean(total**2))
    print(f"all cases: mean z {total.mean():.2f}, root-mean-square z {rms:.2f}, largest |error| {worst:.3f} nats")


if __name__ == "__main__":
    count, method = int(sys.argv[1]) if len(sys.argv) > 1 else 10, sys.argv[2] if len(sys.argv) > 2 else "smc"
    main(count, method, sys.argv[3:] or list(CASES))
