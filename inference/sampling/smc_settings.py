"""Sizes and limits of an SMC run."""

from dataclasses import dataclass

from bayes_nn.inference.sampling.moves.move import Move
from bayes_nn.inference.sampling.sampler import check_max_steps

#: Largest effective fraction of particles that a step in tempering may be asked to leave.
LARGEST_TARGET_ESS = 0.99


@dataclass(frozen=True)
class SMCSettings:
    """Sizes and limits of an SMC run; :class:`bayes_nn.inference.SMC` has their meaning.

    Raises:
        ValueError: for a setting out of range.
    """

    particles: int = 128
    islands: int = 4
    target_ess: float = 0.6
    accepted_moves: float = 1.5
    max_steps: int = 64
    max_temperatures: int = 500
    move: Move | None = None

    def __post_init__(self) -> None:
        if self.particles < 8 or self.islands < 1:
            raise ValueError(
                f"SMC needs at least 8 particles and 1 island; got {self.particles} particles, {self.islands} islands"
            )
        check_max_steps(self.max_steps)
        if not 0.1 <= self.target_ess <= LARGEST_TARGET_ESS:
            raise ValueError(f"target_ess is a fraction between 0.1 and {LARGEST_TARGET_ESS}; got {self.target_ess}")
