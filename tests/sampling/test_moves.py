"""Every move leaves a tempered posterior invariant, and SMC and chains take any of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import inference
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.inference.sampling.moves.crank_nicolson import CrankNicolson
from bayes_nn.inference.sampling.moves.elliptical_slice import EllipticalSlice
from bayes_nn.inference.sampling.moves.hamiltonian import HamiltonianMove

MOVES = [HamiltonianMove(16), EllipticalSlice(), CrankNicolson()]


@pytest.mark.statistical
@pytest.mark.parametrize("move", MOVES, ids=lambda move: type(move).__name__)
def test_smc_takes_any_move(move, linear_data, deep_linear_evidence):
    """A linear network of width 4 against quadrature, 4 standard errors; a false alarm once in 16,000, seed fixed."""
    X, y = linear_data
    network = bnn.BayesianNetwork(bnn.mlp(1, "identity", weight_std=1.0, bias_std=0.0), 4)
    problem = CollapsedProblem.of(network, jnp.asarray(X), jnp.asarray(y)[:, None], bnn.Gaussian(0.5))
    settings = inference.SMC(particles=256, accepted_moves=3.0, move=move)
    drawn = settings.draw(problem, jax.random.key(1))
    gap = drawn.evidence.value - deep_linear_evidence(X, y, 0.25, (4,))
    assert abs(gap) < 4 * drawn.evidence.mcse
    assert drawn.evidence.mcse < 0.2


@pytest.mark.filterwarnings("ignore::bayes_nn.ConvergenceWarning")
def test_chains_take_any_move(small_data):
    settings = inference.InfiniteHMC(chains=2, warmup=100, draws=100, move=CrankNicolson())
    posterior = bnn.fit(bnn.BayesianNetwork(bnn.mlp(1, "relu", 1.4, 0.1), 4), *small_data, bnn.Gaussian(0.3), settings)
    assert 0.3 < posterior.sample_stats["acceptance_rate"].mean() < 0.95
    assert np.ptp(posterior.log_likelihood) > 0.0
