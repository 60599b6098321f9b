"""Time to an evidence with a standard error of 0.1 nats: ours against BlackJAX's tempered SMC and nested sampling.

Run with ``python benchmarks/evidence_speed.py``. Diabetes, 200 rows, ReLU, depth 2, noise 0.7, standard deviations
fixed.

* BlackJAX: adaptive tempered SMC with HMC on all weights, the readout included, width 64. Its error is the spread of
  independent runs.
* Nested slice sampling (BlackJAX) on the collapsed network of width 4, against ours on the same network.

Seconds to an error of 0.1: the median of a run, without compilation, times (error of a run / 0.1)^2, where the error is
the larger of the spread of independent runs and what they claim. Keys are fixed.
"""

import time

import bayes_nn as bnn

bnn.use_all_cores()

import blackjax  # noqa: E402
import blackjax.smc.resampling as resampling  # noqa: E402
import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
from sklearn.datasets import load_diabetes  # noqa: E402

from bayes_nn.architecture.network import apply, parameter_shapes  # noqa: E402
from bayes_nn.inference import SMC  # noqa: E402
from bayes_nn.inference.evidence.nested import NestedSampling  # noqa: E402
from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402
from bayes_nn.inference.sampling.smc_run import run_smc  # noqa: E402

NOISE_STD, WIDTH, ERROR = 0.7, 64, 0.1
#: Particles, trajectory and runs of BlackJAX; the step is the largest of those tried that keeps its acceptance.
PARTICLES, STEPS, TUNING, RUNS = 256, 20, (0.05, 0.025, 0.0125), 6
#: Particles and runs of ours.
OURS, OUR_RUNS = SMC(particles=32), 12


def load():
    X, y = load_diabetes(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(y))[:200]
    X, y = X[rows], y[rows]
    return jnp.asarray((X - X.mean(axis=0)) / X.std(axis=0)), jnp.asarray((y - y.mean()) / y.std())[:, None]


def needed(name, values, claimed, seconds):
    """Print how runs went, and return the seconds to an error of ``ERROR``."""
    spread, claim = np.std(values, ddof=1) if len(values) > 1 else 0.0, np.sqrt(np.mean(np.square(claimed)))
    to_error = float(np.median(seconds) * (max(spread, claim) / ERROR) ** 2)
    print(f"{name}: {len(values)} runs of {np.median(seconds):.1f} s, mean {np.mean(values):.2f}, spread {spread:.3f}, "
          f"claimed {claim:.3f}; {to_error:.1f} s to {ERROR}", flush=True)  # fmt: skip
    return to_error


def ours(name, problem):
    """Seconds that ours needs."""
    values, claimed, seconds = [], [], []
    for key in range(OUR_RUNS + 1):
        started = time.perf_counter()
        evidence = run_smc(problem, OURS, jax.random.key(key)).evidence
        if key:  # the first run compiles
            seconds.append(time.perf_counter() - started)
            values.append(evidence.value)
            claimed.append(evidence.mcse)
    return needed(name, values, claimed, seconds)


def all_weights(X, y, network):
    """A function of a key and a step size that runs BlackJAX's sampler on every weight once."""
    shapes = parameter_shapes(network.net, X.shape[1:], network.widths)
    sizes = [int(np.prod(shape)) for shape in shapes.values()]
    cuts = np.cumsum(sizes)[:-1]

    def log_prior(w):
        return -0.5 * jnp.vdot(w, w) - 0.5 * len(w) * jnp.log(2.0 * jnp.pi)

    def log_likelihood(w):
        parts = jnp.split(w, cuts)
        values = {name: part.reshape(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        residual = (y - apply(network.net, values, X)) / NOISE_STD
        return -0.5 * jnp.sum(residual**2) - len(y) * jnp.log(NOISE_STD * jnp.sqrt(2.0 * jnp.pi))

    dimension = sum(sizes)

    @jax.jit
    def step(key, state, step_size):
        parameters = {
            "step_size": step_size[None],
            "inverse_mass_matrix": jnp.ones((1, dimension)),
            "num_integration_steps": jnp.array([STEPS]),
        }
        smc = blackjax.adaptive_tempered_smc(
            log_prior, log_likelihood, blackjax.hmc.build_kernel(), blackjax.hmc.init, parameters,
            resampling.systematic, 0.6, num_mcmc_steps=2,
        )  # fmt: skip
        return smc.step(key, state)

    def run(key, step_size):
        key_prior, key = jax.random.split(key)
        particles = jax.random.normal(key_prior, (PARTICLES, dimension))
        state = blackjax.smc.tempered.init(particles)
        state = state._replace(tempering_param=jnp.zeros(()))
        log_z, acceptance = 0.0, []
        while float(state.tempering_param) < 1.0:
            key, one = jax.random.split(key)
            state, info = step(one, state, jnp.asarray(step_size))
            log_z += float(info.log_likelihood_increment)
            acceptance.append(float(jnp.mean(info.update_info.acceptance_rate)))
        return log_z, acceptance[-1]

    return run


def main():
    X, y = load()
    net = bnn.mlp(2, "relu", 2**0.5, 0.1)

    def problem(width):
        return CollapsedProblem.of(bnn.BayesianNetwork(net, width), X, y, bnn.Gaussian(NOISE_STD))

    of_ours = ours(f"width {WIDTH}, ours", problem(WIDTH))
    run = all_weights(X, y, bnn.BayesianNetwork(net, WIDTH))
    for step_size in TUNING:
        started = time.perf_counter()
        log_z, acceptance = run(jax.random.key(0), step_size)
        print(f"  BlackJAX, step {step_size}: {log_z:.2f}, last acceptance {acceptance:.2f},"
              f" {time.perf_counter() - started:.0f} s with compilation", flush=True)  # fmt: skip
        if acceptance > 0.6:
            break
    found, times = [], []
    for key in range(1, RUNS + 1):
        started = time.perf_counter()
        found.append(run(jax.random.key(key), step_size)[0])
        times.append(time.perf_counter() - started)
        print(f"  BlackJAX, all weights: {found[-1]:.2f} in {times[-1]:.1f} s", flush=True)
    theirs = needed(f"width {WIDTH}, BlackJAX on all weights", found, [0.0], times)
    print(f"theirs / ours {theirs / of_ours:.1f}", flush=True)
    of_ours = ours("width 4, ours", problem(4))
    for key in (0, 1):
        started = time.perf_counter()
        nested = NestedSampling().estimate(problem(4), jax.random.key(key), 1, lambda fraction, text: None)
        seconds = time.perf_counter() - started
    error = np.sqrt(nested.variance.mean() / len(nested.log_evidence))
    theirs = needed("width 4, nested", [nested.log_evidence.mean()], [error], [seconds])
    print(f"theirs / ours {theirs / of_ours:.1f}", flush=True)


if __name__ == "__main__":
    main()
