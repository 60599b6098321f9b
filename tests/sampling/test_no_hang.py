"""The worst bug a sampler can have: two factorisations at once must not starve XLA's thread pool."""

import subprocess
import sys

import pytest

PROGRAM = """
import bayes_nn as bnn
bnn.use_all_cores({devices})
import jax, jax.numpy as jnp, numpy as np
from bayes_nn.priors.gaussian.gaussian_process import FeatureProcess, KernelProcess
Phi = jax.random.normal(jax.random.key(0), (96, 30, 12))
Y, v = jax.random.normal(jax.random.key(1), (30, 1)), 0.5

def two(Phi):  # two independent factorisations in one program, one of them on each side
    K = Phi @ Phi.T + 0.1 * jnp.eye(30)
    return FeatureProcess(Phi).log_marginal(Y, v) + KernelProcess(K).log_marginal(Y[::-1], 2 * v)

step = jax.jit(jax.vmap(jax.value_and_grad(two)))
for _ in range(1500):
    value, gradient = step(Phi)
    Phi = Phi + 1e-4 * gradient
assert np.isfinite(np.asarray(value)).all()
print("finished")
"""

SAMPLERS = """
import bayes_nn as bnn
bnn.use_all_cores(2)
import numpy as np, warnings
warnings.simplefilter("ignore")
X = np.random.default_rng(0).normal(size=(25, 2)); y = X[:, 0] + 0.1 * X[:, 1] ** 2
network = bnn.BayesianNetwork(bnn.mlp(depth=1), 4)
for sampler in (bnn.inference.SMC(32, 4), bnn.inference.NUTS(warmup=50, draws=50)):
    print(bnn.fit(network, X, y, sampler=sampler).predict(X).mean.shape)
"""


def run_under_watchdog(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_likelihoods_under_vmap_finish_on_one_device():
    assert "finished" in run_under_watchdog(PROGRAM.format(devices=1))


def test_two_likelihoods_under_vmap_finish_on_two_devices():
    assert "finished" in run_under_watchdog(PROGRAM.format(devices=2))


@pytest.mark.slow
def test_samplers_finish_with_islands_and_chains_on_two_devices():
    assert run_under_watchdog(SAMPLERS).count("(25,)") == 2
