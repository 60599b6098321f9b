"""Loops and batches give the same numbers, and code compiled for one is not used for the other."""

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn.runtime.environment import QUICK_COMPILATION
from bayes_nn.runtime.mapping import ON_ACCELERATORS, batch_size, map_each, mend, unbatched

#: Run in a process with threads to spare, where batched factorisations do not hang.
BATCHES_AGAINST_LOOPS = """
import jax, jax.numpy as jnp, numpy as np, numpyro.distributions as dist
import bayes_nn as bnn
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.sampling import infinite_hmc, smc_island
from bayes_nn.inference.sampling.exchange.system import Levels, System, start_systems, sweep_systems
from bayes_nn.inference.sampling.moves.hamiltonian import HamiltonianMove
from bayes_nn.inference.sampling.moves.reference import fit_reference
from bayes_nn.runtime.mapping import map_each

class Double(bnn.BayesianNetwork):
    single_precision_steps = False

def problem_of(network):
    X = np.random.default_rng(0).normal(size=(12, 2))
    y = np.sin(X[:, :1]) + 0.1 * X[:, 1:]
    net = bnn.mlp(depth=1, activation="tanh", weight_std=1.4, bias_std=0.1)
    noise = bnn.Gaussian(dist.LogNormal(-1.2, 0.75))  # seldom so little that single precision shows
    return CollapsedProblem.of(network(net, 3), jnp.asarray(X), jnp.asarray(y), noise)

def smc(problem):
    keys, nothing = jax.random.key_data(jax.random.split(jax.random.key(1), 2)), jnp.zeros(2)
    u = problem.sample_prior(jax.random.key(0), (2, 6))
    start = smc_island.IslandStart(keys, u, nothing, nothing, nothing, nothing.astype(bool))
    islands = smc_island.start_islands(problem, start)
    stage = smc_island.first_stage(problem, u.shape[2])
    return smc_island.temper_islands(smc_island.Plan(problem, HamiltonianMove(8), 0.5, 1.0, stage, False), islands)

def chains(problem):
    chains, reference = infinite_hmc._start(problem, jax.random.key(2), 3)
    plan = infinite_hmc.Plan(problem, HamiltonianMove(8), 0.75)
    moved, draws = infinite_hmc._advance(plan, chains, reference, np.ones(25), np.zeros(25))
    return {name: value[:, :4] for name, value in draws.items()}

def exchange(problem):
    u = problem.sample_prior(jax.random.key(3), (2, 4))
    reference = fit_reference(problem.sample_prior(jax.random.key(4), (50,)), problem.n_hyperparameters)
    reference = jax.tree.map(lambda leaf: jnp.repeat(leaf[None], 3, axis=0), reference)
    levels = Levels(problem, HamiltonianMove(8), jnp.array([0.0, 0.1, 0.5, 1.0]), reference, np.array([1, 2, 3]))
    keys = jax.random.key_data(jax.random.split(jax.random.key(5), 2))
    system = System(keys, start_systems(problem, u), np.tile(np.arange(4), (2, 1)), np.full((2, 3), np.log(0.3)))
    return sweep_systems(levels, system, jnp.ones(()), 2)

@jax.jit
def single_gradients(problem, u):
    one = lambda u: problem.gradients(u, 0.1)[1]
    return map_each(lambda island: map_each(one, island), u)

def gradients(problem):  # in single precision, but for a particle with little noise
    u = problem.sample_prior(jax.random.key(6), (2, 6))
    return single_gradients(problem, u.at[0, 1, problem.n_hyperparameters - 1].set(-12.0))

for run, network, tolerance in ((smc, Double, 1e-8), (chains, Double, 1e-8), (exchange, Double, 1e-8),
                                (gradients, bnn.BayesianNetwork, 1e-4)):
    problem, results = problem_of(network), []
    for size in (1, 64, 4):
        with bnn.mapping_in_batches(size):
            results.append(jax.tree.map(np.asarray, run(problem)))
    for other in results[1:]:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance), results[0], other)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(results[0]))
    print("equal")
"""


@pytest.mark.slow
def test_samplers_in_batches_equal_those_in_loops():
    settings = {"PJRT_NPROC": "8", "XLA_FLAGS": QUICK_COMPILATION, "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
    environment = os.environ | settings
    done = subprocess.run(
        [sys.executable, "-c", BATCHES_AGAINST_LOOPS], capture_output=True, text=True, timeout=240, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("equal") == 4


def primitives(function, *arguments):
    return {equation.primitive.name for equation in jax.make_jaxpr(function)(*arguments).eqns}


def test_the_backend_chooses_and_a_setting_overrules_it(monkeypatch):
    assert batch_size() == 1
    assert "scan" in primitives(lambda x: map_each(jnp.sin, x), jnp.ones(3))
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert batch_size() == ON_ACCELERATORS
    assert primitives(lambda x: map_each(jnp.sin, x), jnp.ones(3)) == {"sin"}
    with bnn.mapping_in_batches(1):
        assert batch_size() == 1


def test_code_of_one_setting_is_not_used_under_another():
    traced = []

    @jax.jit
    def each(x):
        traced.append(batch_size())
        return map_each(lambda one: 2.0 * one, x)

    for size in (1, 3, 1, 3):
        with bnn.mapping_in_batches(size):
            np.testing.assert_array_equal(each(jnp.arange(5.0)), 2.0 * np.arange(5.0))
    assert traced == [1, 3]


def test_what_is_unbatched_is_so_in_loops_only():
    square = unbatched(jnp.square)
    assert "scan" in str(jax.make_jaxpr(jax.vmap(square))(jnp.ones(3)))
    with bnn.mapping_in_batches(3):
        assert "scan" not in str(jax.make_jaxpr(jax.vmap(square))(jnp.ones(3)))


@pytest.mark.parametrize("size", [1, 8])
@pytest.mark.parametrize("threshold", [-1.0, 0.3, 2.0])
def test_what_is_not_sound_is_mended_in_batches_within_batches(size, threshold):
    x = jax.random.uniform(jax.random.key(0), (3, 4, 2))

    def one(scale, x):
        return mend(lambda scale, x: -scale * x, x[0] > threshold, x, scale, (x,))

    both = jax.vmap(jax.vmap(one, (None, 0)), (None, 0))
    each_scale = jax.vmap(jax.vmap(one, (None, 0)), (0, 0))
    with bnn.mapping_in_batches(size):
        found, of_scales = jax.jit(both)(2.0, x), jax.jit(each_scale)(jnp.arange(3.0), x)
    np.testing.assert_array_equal(found, np.where(x[..., :1] > threshold, x, -2.0 * x))
    np.testing.assert_array_equal(of_scales, np.where(x[..., :1] > threshold, x, -np.arange(3.0)[:, None, None] * x))


@pytest.mark.parametrize("size", [0, -1, 2.0, True, None])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(ValueError, match="positive integer, 1 for a loop"), bnn.mapping_in_batches(size):
        pass
