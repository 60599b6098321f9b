"""Time and memory of the collapsed likelihood's gradient against the number of rows.

Run with ``python benchmarks/rows.py``, or with the numbers of rows to take. A network of depth 2 and width 64, Gaussian
noise, one device. One process for every number, so that the largest memory is its own; what a process holds before it
makes the problem is taken off. A trajectory's gradient is in single precision, a density's in double. The time of one
temperature of SMC is reckoned: 64 particles, each moved once by a trajectory of 64 gradients.
"""

import resource
import subprocess
import sys

ROWS = (200, 1000, 2000, 5000, 10000, 20000)
DEPTH, WIDTH, INPUTS = 2, 64, 10
#: Particles and steps of the reckoned temperature; gradients timed in one call.
PARTICLES, STEPS, GRADIENTS = 64, 64, 20


def megabytes():
    """Largest memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(rows):
    """Prints milliseconds of a gradient in single and in double precision, and the memory they take."""
    import bayes_nn as bnn

    bnn.use_all_cores(1)
    import jax
    import jax.numpy as jnp
    from timing import best_seconds

    from bayes_nn.inference.problem.collapsed import CollapsedProblem
    from bayes_nn.runtime.environment import one_blas_thread_per_device

    X = jax.random.normal(jax.random.key(0), (rows, INPUTS))
    y = X[:, :1] + 0.5 * jax.random.normal(jax.random.key(1), (rows, 1))
    network = bnn.BayesianNetwork(bnn.mlp(DEPTH, weight_std=2**0.5, bias_std=0.3), WIDTH)
    problem = CollapsedProblem.of(network, X, y, bnn.Gaussian(0.5))
    u = problem.sample_prior(jax.random.key(2), (GRADIENTS,))
    before = megabytes()
    single = jax.jit(lambda problem, u: jax.lax.map(lambda u: problem.gradients(u, 0.01)[1], u))
    double = jax.jit(lambda problem, u: jax.lax.map(lambda u: problem.log_likelihood_and_gradient(u)[1], u))
    with one_blas_thread_per_device():
        of_single, of_double = (
            1e3 * best_seconds(gradient, problem, u, repeats=5) / GRADIENTS for gradient in (single, double)
        )
    assert bool(jnp.all(jnp.isfinite(double(problem, u))))
    reckoned = PARTICLES * STEPS * of_single / 1e3
    row = f"{rows:6d} {of_single:9.2f} {of_double:9.2f} {megabytes() - before:8.0f} {megabytes():8.0f} {reckoned:10.1f}"
    print(row, flush=True)


def main():
    """One line for every number of rows."""
    if sys.argv[1:2] == ["--measure"]:
        measure(int(sys.argv[2]))
        return
    print(f"{'N':>6} {'single ms':>9} {'double ms':>9} {'MB':>8} {'MB total':>8} {'SMC step s':>10}")
    for rows in map(int, sys.argv[1:] or ROWS):
        subprocess.run([sys.executable, __file__, "--measure", str(rows)], check=True)


if __name__ == "__main__":
    main()
