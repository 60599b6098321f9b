"""Acceptance and effective draws of Hamiltonian Monte Carlo against width: all weights, collapsed, prior-preserving.

Run with ``python benchmarks/published/hmc_acceptance.py``; ``--out FOLDER`` saves the figure there. Seeds fixed.

Published: after repriorisation, which maps the posterior of a wide network to nearly its prior, MCMC mixes faster the
wider the network, and without it slower; up to 50 times as many effective draws, a margin that grows with the width
(Hron, Novak, Pennington and Sohl-Dickstein 2022, ICML, arXiv:2206.07673; Langevin Monte Carlo on CIFAR-10).

Measured: diabetes, 100 rows, erf, all standard deviations and the noise fixed. Three samplers go from the same draws
of the posterior with the same step size and number of steps: NumPyro's HMC on all weights; NumPyro's HMC on the
hidden weights, the readout integrated out; and this package's move on those, which rotates about their prior.
Integrating the readout out stands in for repriorisation: what is left converges to the prior in the same sense.
Effective draws are of f, a drawn readout included, at 50 other rows, in 1000 gradients. Last, the first and the
third sampler with step sizes that each adapts to its own target acceptance.
"""

import argparse
import time
import warnings
from functools import partial
from pathlib import Path

import bayes_nn as bnn

bnn.use_all_cores()

import arviz as az  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402
from numpyro.infer import HMC, MCMC  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

from bayes_nn import inference  # noqa: E402
from bayes_nn.inference.sampling.moves.hamiltonian import HamiltonianMove  # noqa: E402
from bayes_nn.inference.sampling.moves.move import UNIFORMS, evaluate  # noqa: E402
from bayes_nn.inference.sampling.moves.reference import fit_reference  # noqa: E402
from bayes_nn.runtime.devices import map_over_devices  # noqa: E402

ROWS, TEST_ROWS, NOISE, WEIGHT_STD, BIAS_STD = 100, 50, 0.7, 1.5, 0.1
WIDTHS = {1: (32, 256, 2048), 2: (32, 96, 256)}
STEP, STEPS, CHAINS, WARMUP, DRAWS = 0.1, 12, 2, 100, 100
SAMPLERS = ("all weights", "collapsed, leapfrog", "collapsed, prior-preserving")


def potential_of_all(problem, u):
    """Minus the log posterior density of hidden weights and readout together."""
    hidden, readout = u[: problem.dimension], u[problem.dimension :]
    f = problem.process(problem.values(hidden)).Phi @ readout
    return 0.5 * jnp.vdot(u, u) + 0.5 * jnp.sum((problem.Y[:, 0] - f) ** 2) / NOISE**2


def potential_of_hidden(problem, u):
    """Minus the log posterior density of the hidden weights, the readout integrated out."""
    return 0.5 * jnp.vdot(u, u) - problem.log_likelihood(u)


def by_numpyro(potential, start, key, adapt=False):
    """Draws, acceptance and number of gradients a draw."""
    # A little shorter than it is, lest rounding adds a step.
    length = STEP * STEPS * (1.0 - 1e-6)
    kernel = HMC(
        potential_fn=potential,
        step_size=STEP,
        trajectory_length=length,
        adapt_step_size=adapt,
        adapt_mass_matrix=False,
    )
    chains = MCMC(kernel, num_warmup=WARMUP if adapt else 0, num_samples=DRAWS, num_chains=CHAINS, progress_bar=False)
    chains.run(key, init_params=start, extra_fields=("accept_prob", "num_steps"))
    fields = chains.get_extra_fields()
    return chains.get_samples(group_by_chain=True), fields["accept_prob"].mean(), fields["num_steps"].mean()


@jax.jit
def by_rotations(problem, start, keys):
    """The same by the prior-preserving move, every trajectory of ``STEPS`` steps of ``STEP``."""
    move, reference = HamiltonianMove(STEPS), fit_reference(start, 0)

    def one_chain(shared, own):
        problem, reference = shared
        u, key = own

        def one(particle, key):
            key_direction, key_uniform = jax.random.split(key)
            uniforms = jax.random.uniform(key_uniform, (UNIFORMS,))
            # The first two settle length and step of a trajectory: here those of the other samplers.
            uniforms = uniforms.at[:2].set(jnp.array([STEPS * STEP / (jnp.pi / 2) - 0.4, 0.0]))
            noise = jax.random.normal(key_direction, u.shape), uniforms
            particle, info = move(noise, particle, problem, reference, jnp.array(1.0), jnp.array(STEP))
            return particle, (particle.u, info.acceptance, info.steps)

        keys = jax.random.split(jax.random.wrap_key_data(key), DRAWS)
        return jax.lax.scan(one, evaluate(problem, u), keys)[1]

    return map_over_devices(one_chain, len(start))((problem, reference), (start, keys))


@jax.jit
def functions(problem, u, X_test, key):
    """f at the test inputs of every draw, (chains, draws, T): given its readout, or else with one drawn."""

    def one(shared, own):
        problem, X_test = shared
        u, key = own
        values = problem.values(u[: problem.dimension])
        if len(u) > problem.dimension:
            return problem.process(values, X_test).Phi_new @ u[problem.dimension :]
        return problem.draw_function_at(X_test, values, jax.random.wrap_key_data(key))[:, 0]

    flat = u.reshape(-1, u.shape[-1])
    keys = jax.random.key_data(jax.random.split(key, len(flat)))
    return map_over_devices(one, len(flat))((problem, X_test), (flat, keys)).reshape(*u.shape[:2], -1)


@jax.jit
def with_readouts(problem, u, key):
    """Hidden weights and a readout drawn from its posterior given them, of every chain."""

    def one(problem, own):
        u, key = own
        drawn = problem.draw_function(problem.values(u), jax.random.wrap_key_data(key))
        return jnp.concatenate([u, drawn["readout"][:, 0]])

    return map_over_devices(one, len(u))(problem, (u, jax.random.key_data(jax.random.split(key, len(u)))))


def effective(problem, u, X_test, gradients):
    """Effective draws of f in 1000 gradients, the median over test inputs."""
    f = np.asarray(functions(problem, jnp.asarray(u), X_test, jax.random.key(9)))
    ess = np.median(az.ess(az.convert_to_dataset({"f": f}))["f"])
    return 1e3 * float(ess) / (gradients * u.shape[0] * u.shape[1])


def one_network(X, y, X_test, depth, width):
    """Acceptance and effective draws of the three samplers at one step size, and of two at their own."""
    net = bnn.mlp(depth, "erf", WEIGHT_STD, BIAS_STD)
    settings = inference.InfiniteHMC(chains=CHAINS, warmup=WARMUP, draws=DRAWS)
    posterior = bnn.fit(
        bnn.BayesianNetwork(net, width), X, y, bnn.Gaussian(NOISE), settings, False, key=1, progress=False
    )
    problem, stats = posterior.problem, posterior.sample_stats
    names = list(problem.latents)
    u = np.concatenate([np.asarray(posterior.values[name]).reshape(CHAINS, DRAWS, -1) for name in names], axis=2)
    start = jnp.asarray(u[:, -1])
    whole = with_readouts(problem, start, jax.random.key(2))
    found, X_test = [], jnp.asarray(X_test)
    for draws, acceptance, gradients in (
        by_numpyro(partial(potential_of_all, problem), whole, jax.random.key(3)),
        by_numpyro(partial(potential_of_hidden, problem), start, jax.random.key(4)),
        by_rotations(problem, start, jax.random.key_data(jax.random.split(jax.random.key(5), CHAINS))),
    ):
        per_draw = float(np.mean(gradients))
        found.append((float(np.mean(acceptance)), effective(problem, draws, X_test, per_draw)))
    draws, acceptance, gradients = by_numpyro(partial(potential_of_all, problem), whole, jax.random.key(6), adapt=True)
    own = [(float(acceptance), effective(problem, draws, X_test, float(gradients)))]
    own.append((stats["acceptance_rate"].mean(), effective(problem, u, X_test, stats["n_steps"].mean())))
    return found, own, whole.shape[1]


def main():
    """All widths; a table, what is published beside it, and the figure where asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="folder for the figure")
    out, began = parser.parse_args().out, time.perf_counter()
    warnings.simplefilter("ignore", bnn.ConvergenceWarning)
    X, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[: ROWS + TEST_ROWS]
    train, test = rows[:ROWS], rows[ROWS:]
    X, y = (X - X[train].mean(axis=0)) / X[train].std(axis=0), (y - y[train].mean()) / y[train].std()
    figure = Figure(figsize=(10.0, 6.4), layout="constrained")
    panels = figure.subplots(2, 3)
    print(f"acceptance, effective draws in 1000 gradients: {STEPS} steps of {STEP}, and adapted steps\n"
          f"{'depth':>5} {'width':>6} {'weights':>8}" + "".join(f"{name:>29}" for name in SAMPLERS)
          + f"{'adapted: all weights':>23} {'prior-preserving':>18} {'ratio':>6}")  # fmt: skip
    for row, depth in zip(panels, WIDTHS, strict=True):
        table, ratios = [], []
        for width in WIDTHS[depth]:
            found, own, weights = one_network(X[train], y[train], X[test], depth, width)
            table.append(found)
            ratios.append(own[1][1] / own[0][1])
            print(f"{depth:5d} {width:6d} {weights:8d}" + "".join(f"{a:21.3f} {ess:7.1f}" for a, ess in found)
                  + f"{own[0][0]:15.2f} {own[0][1]:7.1f} {own[1][0]:10.2f} {own[1][1]:7.1f} {ratios[-1]:6.1f}",
                  flush=True)  # fmt: skip
        table = np.array(table)
        for sampler, name in enumerate(SAMPLERS):
            for panel, quantity in zip(row, (0, 1), strict=False):
                panel.plot(WIDTHS[depth], table[:, sampler, quantity], "o-", label=name)
        row[2].plot(WIDTHS[depth], ratios, "o-", color="C3")
        titles = f"acceptance, depth {depth}", "ESS of f in 1000 gradients", "ratio of ESS, adapted steps"
        for panel, title in zip(row, titles, strict=True):
            panel.set(xscale="log", xlabel="width", title=title)
            panel.set_xticks(WIDTHS[depth], [str(width) for width in WIDTHS[depth]])
            panel.minorticks_off()
            panel.set_ylim(0.0, 1.1 * panel.get_ylim()[1])
        change = ", ".join(
            f"{last - first:+.3f} ({name})" for first, last, name in zip(*table[[0, -1], :, 0], SAMPLERS, strict=True)
        )
        print(f"depth {depth}: acceptance changes from the narrowest to the widest by {change};\n"
              f"  the ratio of effective draws goes from {ratios[0]:.1f} to {ratios[-1]:.1f}\n"
              "  published: faster the wider with repriorisation, slower without it; a ratio of up to 50, growing with "
              "the width")  # fmt: skip
    print(f"{time.perf_counter() - began:.0f} s")
    if out:
        panels[0, 0].legend(frameon=False, loc="lower left")
        out.mkdir(parents=True, exist_ok=True)
        figure.savefig(out / "hmc_acceptance.png", dpi=130)


if __name__ == "__main__":
    main()
