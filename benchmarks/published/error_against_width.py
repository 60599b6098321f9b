"""Test error of finite networks against rows over width, sampled, beside the kernel renormalisation that predicts it.

Run with ``python benchmarks/published/error_against_width.py ../shared`` (the folder that holds ``data``); ``--out
FOLDER`` saves the figure there. Seeds fixed.

Published: where rows N and width n grow together, a Bayesian network with one hidden layer predicts like its NNGP
kernel times one scale Q, which the data settle by a saddle point (Li and Sompolinsky 2021, Physical Review X 11,
031059, exact for linear networks; Pacelli, Ariosto, Pastore, Ginelli, Gherardi and Rotondo 2023, Nature Machine
Intelligence 5, arXiv:2209.04882, for erf, whose figures draw test loss against width through sampled networks).

Measured: zeros and ones among the 10,000 MNIST *test* digits, for training and testing alike, shrunk to 14 x 14, 200
rows, labels -1 and 1 under Gaussian noise, no biases; linear networks as the control, erf, erf with larger weights,
which is less nearly linear, and erf with shuffled labels, of which no feature tells. The test error is the posterior
mean of the squared error of f: that of its mean plus its variance. Q is compared with |v|^2 / n of the readout v,
which it stands for; as N/n -> 0 both are 1. Networks by infinite-dimensional HMC; errors from the spread of chains.
"""

import argparse
import time
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

from bayes_nn import inference, priors  # noqa: E402
from bayes_nn.data.dataset import Dataset  # noqa: E402
from bayes_nn.inference.problem.problem_of import problem_of  # noqa: E402
from bayes_nn.runtime.devices import map_over_devices  # noqa: E402

DIGITS, ROWS, TEST_ROWS = (0, 1), 200, 500
#: Activations, standard deviations of weights, and whether labels are shuffled.
CASES = (("identity", 1.0, False), ("erf", 1.0, False), ("erf", 1.5, False), ("erf", 1.0, True))
NOISE, WIDTHS = 0.3, (400, 200, 100, 50, 25)
SETTINGS = inference.InfiniteHMC(chains=4, warmup=100, draws=100)
TITLES = "squared error of the mean", "squared error of f", "Q, and |v|^2/n"


def digits(shared, shuffled):
    """Training and test rows of two digits; every pixel centred, all of them on one scale; labels perhaps shuffled."""
    with np.load(shared / "data" / "mnist_t10k.npz") as arrays:
        images, labels = arrays["X"], arrays["y"]
    rows = np.flatnonzero(np.isin(labels, DIGITS))
    rows = np.random.default_rng(0).permutation(rows)[: ROWS + TEST_ROWS]
    X = images[rows].reshape(len(rows), 14, 2, 14, 2).mean(axis=(2, 4)).reshape(len(rows), -1)
    X = X - X[:ROWS].mean(axis=0)
    X = X / np.sqrt(np.mean(X[:ROWS] ** 2))
    y = np.where(labels[rows] == DIGITS[1], 1.0, -1.0)
    if shuffled:
        y = np.random.default_rng(1).permutation(y)
    return X[:ROWS], y[:ROWS], X[ROWS:], y[ROWS:]


@jax.jit
def of_draws(problem, u, X_test, keys):
    """Mean and variance of f at the test inputs, and |v|^2 / n of a readout drawn, of every draw."""

    def one(shared, own):
        problem, X_test = shared
        u, key = own
        values = problem.values(u)
        mean, variance = problem.process(values, X_test).predict(problem.Y, problem.noise_variance(values))
        readout = problem.draw_function(values, jax.random.wrap_key_data(key))["readout"]
        return mean[:, 0], variance, jnp.mean(readout**2)

    return map_over_devices(one, len(u))((problem, X_test), (u, keys))


def errors(mean, variance, y):
    """Squared error of the mean, and of f, from moments of f at the test inputs."""
    of_mean = np.mean((mean - y) ** 2)
    return of_mean, of_mean + np.mean(variance)


def theory(net, width, X, y, X_test, y_test):
    """Squared errors under the renormalised kernel, and its scale Q."""
    problem = problem_of(priors.RenormalisedKernel(net, width), Dataset.of(X, y, bnn.Gaussian(NOISE), False))
    process = problem.process({}, jnp.asarray(X_test))
    settled = process.at_saddle(problem.Y, problem.noise_variance({}))
    mean, variance = settled.predict(problem.Y, problem.noise_variance({}))
    return *errors(np.asarray(mean[:, 0]), np.asarray(variance), y_test), float(settled.K[0, 0] / process.K[0, 0])


def sampled(net, width, X, y, X_test, y_test):
    """The same of sampled networks, with standard errors, and whether the chains converged."""
    network = bnn.BayesianNetwork(net, width)
    posterior = bnn.fit(network, X, y, bnn.Gaussian(NOISE), SETTINGS, False, key=1, progress=False)
    problem = posterior.problem
    u = np.asarray(posterior.values["hidden_weight_0"]).reshape(-1, problem.dimension)
    keys = jax.random.key_data(jax.random.split(jax.random.key(2), len(u)))
    drawn = of_draws(problem, jnp.asarray(u), jnp.asarray(X_test), keys)
    mean, variance, scale = (np.asarray(one).reshape(*posterior.log_likelihood.shape, -1) for one in drawn)

    def estimate(chains):
        f, spread = mean[chains].mean(axis=(0, 1)), variance[chains].mean(axis=(0, 1)) + mean[chains].var(axis=(0, 1))
        return np.array([*errors(f, spread, y_test), scale[chains].mean()])

    chains = np.arange(len(mean))
    left_out = np.array([estimate(np.delete(chains, one)) for one in chains])
    mcse = np.sqrt((len(chains) - 1) * left_out.var(axis=0))
    return estimate(chains), mcse, posterior.convergence


def one_case(net, data):
    """Table and agreement of one architecture; what theory predicts, what was found, its errors, and the NNGP's."""
    nngp = np.array(theory(net, 10**8, *data))
    print(f"{'N/n':>7}" + "".join(f"{title:>29} {'theory':>7}" for title in TITLES)
          + f"   chains\n{0:7.2f}" + "".join(f"{'':>29} {value:7.4f}" for value in nngp))  # fmt: skip
    rows = []
    for width in WIDTHS:
        predicted = np.array(theory(net, width, *data))
        found, mcse, convergence = sampled(net, width, *data)
        rows.append((predicted, found, mcse))
        print(f"{ROWS / width:7.2f}" + "".join(f"{one:19.4f} +- {error:.4f} {of_theory:7.4f}"
              for one, error, of_theory in zip(found, mcse, predicted, strict=True))
              + f"   {convergence.outcome}", flush=True)  # fmt: skip
    predicted, found, mcse = np.array(rows).transpose(1, 0, 2)
    for label, some in (("N/n up to 1", np.array(WIDTHS) >= ROWS), ("all N/n", np.full(len(WIDTHS), True))):
        for column, title in enumerate(TITLES):
            of_theory, of_nngp, noise = (
                np.sqrt(np.mean((difference[some] / found[some, column]) ** 2))
                for difference in (
                    predicted[:, column] - found[:, column],
                    nngp[column] - found[:, column],
                    mcse[:, column],
                )
            )
            print(f"  {label:>11}, {title:>25}: renormalised kernel off by {of_theory:.3f} (published: on the points), "
                  f"NNGP by {of_nngp:.3f}, Monte-Carlo error {noise:.3f}", flush=True)  # fmt: skip
    return predicted, found, mcse, nngp


def main():
    """All architectures, and the figure where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("shared", type=Path, help="folder that holds data")
    parser.add_argument("--out", type=Path, help="folder for the figure")
    given, began = parser.parse_args(), time.perf_counter()
    figure = Figure(figsize=(10.0, 2.5 * len(CASES)), layout="constrained")
    ratio = ROWS / np.array(WIDTHS)
    for row, (activation, weight_std, shuffled) in zip(figure.subplots(len(CASES), 3), CASES, strict=True):
        name = f"{activation.replace('identity', 'linear')}, weights {weight_std:g}{', shuffled labels' * shuffled}"
        print(f"\n{name}")
        net = bnn.mlp(1, activation, weight_std, bias_std=0.0)
        predicted, found, mcse, nngp = one_case(net, digits(given.shared, shuffled))
        for column, (panel, title) in enumerate(zip(row, TITLES, strict=True)):
            panel.plot(ratio, predicted[:, column], label="renormalised kernel")
            panel.axhline(nngp[column], color="0.6", ls="--", label="NNGP")
            panel.errorbar(ratio, found[:, column], 2.0 * mcse[:, column], fmt="ko", ms=4, capsize=3, label="networks")
            panel.set_title(f"{name}: {title.replace('|v|^2/n', '$|v|^2/n$')}", fontsize=9)
            panel.set(xscale="log", xlabel="rows / width")
            panel.set_xticks(ratio, [f"{one:g}" for one in ratio])
            panel.minorticks_off()
            panel.set_ylim(0.0, 1.1 * panel.get_ylim()[1])
        row[0].legend(frameon=False, loc="lower left", fontsize=8)
    print(f"{time.perf_counter() - began:.0f} s")
    if given.out:
        given.out.mkdir(parents=True, exist_ok=True)
        figure.savefig(given.out / "error_against_width.png", dpi=130)


if __name__ == "__main__":
    main()
