"""Gradient of the collapsed log likelihood: ours against NumPyro's LowRankMultivariateNormal with autodiff.

Run with ``python benchmarks/likelihood.py``. Both take the gradient of ``log p(y | z)`` in all hidden weights of a
network of depth 2, float64, one after another over 64 particles, on one device, BLAS threads limited to one for both.
Prints milliseconds per gradient, the ratio, and the time of the same gradients spread over all devices.
"""

import time

import bayes_nn as bnn

bnn.use_all_cores()

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpyro.distributions as dist  # noqa: E402

from bayes_nn.environment import one_blas_thread_per_device  # noqa: E402
from bayes_nn.inference.parallel import map_islands  # noqa: E402
from bayes_nn.inference.target import Target  # noqa: E402

PARTICLES = 64


def per_gradient(function, *arguments, repeats=5):
    """Best of several runs, milliseconds per gradient, compilation left out."""
    compiled = jax.jit(function)
    jax.block_until_ready(compiled(*arguments))
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(compiled(*arguments))
        times.append(time.perf_counter() - started)
    return 1e3 * min(times) / PARTICLES


def main():
    print(f"{'N':>5} {'width':>6} {'NumPyro':>9} {'ours':>9} {'ratio':>7} {'all devices':>12}   ms per gradient")
    for rows in (200, 400):
        for width in (16, 64, 256):
            X = jax.random.normal(jax.random.key(0), (rows, 10))
            y = X[:, :1] + 0.5 * jax.random.normal(jax.random.key(1), (rows, 1))
            network = bnn.BayesianNetwork(bnn.mlp(2, weight_std=2**0.5, bias_std=0.3), width)
            target = Target(X, y, network, bnn.Gaussian(0.5))

            def peer(target, u):
                Phi = target.prior.process(target.values(u), target.X).Phi
                noise = jnp.full(len(target.X), 0.25)
                return dist.LowRankMultivariateNormal(jnp.zeros(len(target.X)), Phi, noise).log_prob(target.Y[:, 0])

            u = target.sample_prior(jax.random.key(2), (PARTICLES,))
            with one_blas_thread_per_device():
                theirs = per_gradient(lambda t, u: jax.lax.map(jax.value_and_grad(lambda v: peer(t, v)), u), target, u)
                ours = per_gradient(lambda t, u: jax.lax.map(t.log_likelihood_and_gradient, u), target, u)
                spread = per_gradient(map_islands(lambda t, v: t.log_likelihood_and_gradient(v), PARTICLES), target, u)
            print(f"{rows:5d} {width:6d} {theirs:9.3f} {ours:9.3f} {ours / theirs:7.2f} {spread:12.3f}", flush=True)


if __name__ == "__main__":
    main()
