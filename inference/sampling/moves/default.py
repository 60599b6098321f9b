"""The move that fits a posterior where the user names none."""

from bayes_nn.inference.problem.problem import TemperedDensity
from bayes_nn.inference.sampling.moves.elliptical_slice import EllipticalSlice
from bayes_nn.inference.sampling.moves.hamiltonian import HamiltonianMove
from bayes_nn.inference.sampling.moves.move import Move


def default_move(problem: TemperedDensity, max_steps: int) -> Move:
    """Trajectories where there are many latents, elliptical slices where there are hyperparameters only."""
    return HamiltonianMove(max_steps) if problem.has_many_latents else EllipticalSlice()
