"""Gradient of the collapsed log likelihood: against its arithmetic, and against autodiff through NumPyro's.

Run with ``python benchmarks/likelihood.py``. The gradient of ``log p(y | z)`` in all hidden weights of a network of
depth 2, float64, for a batch of 128 particles spread over all devices, one BLAS thread each. The first table compares
it with its floating-point operations at the rate of large matrix products on the same cores, the second, on one
device, with the gradient of NumPyro's LowRankMultivariateNormal. The third gives the time in either precision, all
devices at work, of the derivatives in the features alone, with matrices inverted in blocks and by LAPACK at once. The
fourth is of the NNGP of linearly transformed inputs, on one device, in all entries of the metric and all standard
deviations: the derivative of the kernel by autodiff and written out, and that of trajectories, in single precision. It
alone is printed by ``python benchmarks/likelihood.py metric``.
"""

import sys
from unittest import mock

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpyro.distributions as dist  # noqa: E402
from timing import best_seconds  # noqa: E402

from bayes_nn.inference.problem.collapsed import CollapsedProblem  # noqa: E402
from bayes_nn.priors import InputMetric, input_metric  # noqa: E402
from bayes_nn.priors.gaussian import log_marginal  # noqa: E402
from bayes_nn.priors.kernels.kernel_recursion import kernel_matrix  # noqa: E402
from bayes_nn.runtime.devices import map_over_devices  # noqa: E402
from bayes_nn.runtime.environment import one_blas_thread_per_device  # noqa: E402

PARTICLES = 128
INPUTS = 10


def per_gradient(function, *arguments):
    """Best of several runs, milliseconds per gradient, compilation left out."""
    return 1e3 * best_seconds(jax.jit(function), *arguments, repeats=5) / PARTICLES


def operations(rows, width):
    """Floating-point operations of one gradient.

    Forward pass and gradients of a network INPUTS - width - width, Phi'Phi, its factor and inverse (m^3/3 and 2m^3/3),
    and Phi B^-1; activations and vectors are left out.
    """
    m = width + 1
    network = rows * width * (4 * INPUTS + 6 * width)
    return network + 4 * rows * m * m + m**3


def matrix_rate():
    """Operations per second of 1500 x 1500 matrix products, one on every device at a time."""
    devices = jax.local_device_count()
    size, repeats = 1500, 4
    A = jax.random.normal(jax.random.key(0), (devices, size, size))

    def products(_, own):
        return jax.lax.fori_loop(0, repeats, lambda i, B: own @ (B / size), own)

    compiled = jax.jit(map_over_devices(products, devices))
    with one_blas_thread_per_device():
        return devices * repeats * 2 * size**3 / best_seconds(compiled, 0, A, repeats=5)


def setting(rows, width):
    """A posterior and a batch of particles."""
    X = jax.random.normal(jax.random.key(0), (rows, INPUTS))
    y = X[:, :1] + 0.5 * jax.random.normal(jax.random.key(1), (rows, 1))
    network = bnn.BayesianNetwork(bnn.mlp(2, weight_std=2**0.5, bias_std=0.3), width)
    problem = CollapsedProblem.of(network, X, y, bnn.Gaussian(0.5))
    return problem, problem.sample_prior(jax.random.key(2), (PARTICLES,))


def peer(problem, u):
    """The same log likelihood by NumPyro's distribution."""
    Phi = problem.process(problem.values(u)).Phi
    noise = jnp.full(len(problem.X), 0.25)
    return dist.LowRankMultivariateNormal(jnp.zeros(len(problem.X)), Phi, noise).log_prob(problem.Y[:, 0])


def blocks(rows, width, dtype):
    """Milliseconds of a gradient in the features, inverted in blocks and at once."""
    problem, u = setting(rows, width)
    Phi = problem.process(problem.values(u[0])).Phi.astype(dtype)
    Y, v = problem.Y.astype(dtype), jnp.asarray(0.01, dtype)
    scales = jnp.linspace(0.9, 1.1, PARTICLES, dtype=dtype)

    def gradient(shared, scale):
        Phi, Y, v = shared
        return jax.grad(lambda Phi: log_marginal.feature_log_marginal(Phi, Y, v))(scale * Phi)

    milliseconds = []
    for size in (log_marginal.BLOCK, 10**9):
        jax.clear_caches()
        with mock.patch.object(log_marginal, "BLOCK", size):
            milliseconds.append(per_gradient(map_over_devices(gradient, PARTICLES), (Phi, Y, v), scales))
    return milliseconds


def of_metric(rows, rank, net):
    """Milliseconds of a gradient: by autodiff through the kernel, with it written out, and in a trajectory."""
    X = jax.random.normal(jax.random.key(0), (rows, 20))
    y = jnp.sin(2.0 * X[:, :1]) + 0.3 * jax.random.normal(jax.random.key(1), (rows, 1))
    problem = CollapsedProblem.of(InputMetric(net, rank), X, y, bnn.Gaussian())
    u = problem.sample_prior(jax.random.key(2), (PARTICLES,))

    def double(problem, u):
        return jax.lax.map(problem.log_likelihood_and_gradient, u)

    jax.clear_caches()
    with mock.patch.object(input_metric, "gram_of_vectors", kernel_matrix):
        plain = per_gradient(double, problem, u)
    jax.clear_caches()
    rounded = per_gradient(lambda problem, u: jax.lax.map(lambda u: problem.gradients(u, 0.1), u), problem, u)
    return plain, per_gradient(double, problem, u), rounded


def metric_table():
    print(f"{'N':>5} {'net':>8} {'rank':>5} {'autodiff':>9} {'ours':>9} {'ratio':>6} {'single':>9}   ms, one device")
    for rows in (200, 1000):
        for net in (bnn.mlp(2, "relu"), bnn.mlp(1, "erf")):
            for rank in (2, None):
                with one_blas_thread_per_device():
                    plain, ours, single = of_metric(rows, rank, net)
                name = f"{net.name.split(',')[0]} {net.depth}"
                row = (
                    f"{rows:5d} {name:>8} {rank or 'ARD':>5} {plain:9.3f} {ours:9.3f} {ours / plain:6.2f} {single:9.3f}"
                )
                print(row, flush=True)


def main():
    if sys.argv[1:] == ["metric"]:
        metric_table()
        return
    rate = matrix_rate()
    print(f"large matrix products: {rate / 1e9:.1f} Gflop/s on {jax.local_device_count()} devices")
    print(f"{'N':>5} {'width':>6} {'ms':>8} {'arithmetic ms':>14} {'ratio':>7}   per gradient, all devices")
    spread = map_over_devices(lambda problem, u: problem.log_likelihood_and_gradient(u), PARTICLES)
    for rows in (200, 400, 600, 1000):
        problem, u = setting(rows, 64)
        with one_blas_thread_per_device():
            ours = per_gradient(spread, problem, u)
        floor = 1e3 * operations(rows, 64) / rate
        print(f"{rows:5d} {64:6d} {ours:8.3f} {floor:14.3f} {ours / floor:7.2f}", flush=True)
    print(f"{'N':>5} {'width':>6} {'NumPyro':>9} {'ours':>9} {'ratio':>7}   ms per gradient, one device")
    for rows in (200, 400):
        for width in (16, 64, 256):
            problem, u = setting(rows, width)
            with one_blas_thread_per_device():
                theirs = per_gradient(lambda t, u: jax.lax.map(jax.value_and_grad(lambda v: peer(t, v)), u), problem, u)
                ours = per_gradient(lambda t, u: jax.lax.map(t.log_likelihood_and_gradient, u), problem, u)
            print(f"{rows:5d} {width:6d} {theirs:9.3f} {ours:9.3f} {ours / theirs:7.2f}", flush=True)
    print(f"{'N':>5} {'width':>6} {'precision':>9} {'blocks':>9} {'at once':>9} {'ratio':>7}   ms, all devices")
    for rows, width in ((200, 64), (400, 128), (200, 256), (400, 256), (1000, 256)):
        for dtype in (jnp.float32, jnp.float64):
            with one_blas_thread_per_device():
                a, b = blocks(rows, width, dtype)
            print(f"{rows:5d} {width:6d} {dtype.__name__:>9} {a:9.3f} {b:9.3f} {a / b:7.2f}", flush=True)
    metric_table()


if __name__ == "__main__":
    main()
