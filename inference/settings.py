"""Settings of the samplers, whose defaults are what the names stand for: infinite_hmc, smc, nuts and hmc."""

from dataclasses import dataclass

#: Draws of a Markov chain in one compiled call; warm-up is rounded up to whole calls.
CHUNK = 25

#: Largest effective fraction of particles that a step in temperature may be asked to leave.
LARGEST_TARGET_ESS = 0.99


def calls(count: int) -> int:
    """Compiled calls that ``count`` draws need."""
    return -(-count // CHUNK)


@dataclass(frozen=True)
class SMC:
    """Settings of the SMC sampler.

    Where the particles of a fit have not mixed when temperature 1 is reached, they are moved on there, for at most as
    many rounds as there were temperatures; the evidence is that of the path. docs/decisions/0006 says when not.

    Args:
        particles: particles in each island.
        islands: independent islands; their spread gives the error of the evidence.
        target_ess: effective fraction of particles that a step in temperature leaves.
        accepted_moves: accepted trajectories per particle and temperature, on average.
        max_steps: most gradient evaluations in one trajectory.
        max_temperatures: give up, and say so, beyond this many.

    Raises:
        ValueError: for a setting out of range.

    Example:
        >>> SMC(particles=64).islands
        4
    """

    particles: int = 128
    islands: int = 4
    target_ess: float = 0.6
    accepted_moves: float = 1.5
    max_steps: int = 64
    max_temperatures: int = 500

    def __post_init__(self) -> None:
        if self.particles < 8 or self.islands < 1:
            raise ValueError(
                f"SMC needs at least 8 particles and 1 island; got {self.particles} particles, {self.islands} islands"
            )
        _check_max_steps(self.max_steps)
        if not 0.1 <= self.target_ess <= LARGEST_TARGET_ESS:
            raise ValueError(f"target_ess is a fraction between 0.1 and {LARGEST_TARGET_ESS}; got {self.target_ess}")


@dataclass(frozen=True)
class Chains:
    """What all Markov chain samplers have in common; choose one of them instead.

    Args:
        chains: independent chains.
        warmup: draws per chain that adapt the sampler, thrown away.
        draws: draws kept per chain.
        target_accept: acceptance the step size is adapted to.

    Raises:
        ValueError: for a setting out of range.
    """

    chains: int = 4
    warmup: int = 500
    draws: int = 500
    target_accept: float = 0.8

    def __post_init__(self) -> None:
        if min(self.chains, self.warmup) < 1 or self.draws < 4:
            raise ValueError(
                f"sampling needs at least 1 chain, 1 warm-up draw and 4 draws; got {self.chains} chains, "
                f"{self.warmup} warm-up and {self.draws} draws"
            )
        if not 0.0 < self.target_accept < 1.0:
            raise ValueError(f"target_accept must lie between 0 and 1; got {self.target_accept}")


@dataclass(frozen=True)
class InfiniteHMC(Chains):
    """Settings of infinite-dimensional HMC, whose acceptance does not fall as the width grows.

    Where only hyperparameters are sampled its move is an elliptical slice. Warm-up raises the temperature too.

    Args:
        chains: see :class:`Chains`.
        warmup: see :class:`Chains`.
        draws: see :class:`Chains`.
        target_accept: see :class:`Chains`.
        max_steps: most gradient evaluations in one trajectory.

    Raises:
        ValueError: for a setting out of range.

    Example:
        >>> InfiniteHMC(draws=1000).chains
        4
    """

    target_accept: float = 0.75
    max_steps: int = 128

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_max_steps(self.max_steps)


@dataclass(frozen=True)
class NUTS(Chains):
    """Settings of NumPyro's No-U-Turn sampler on the collapsed posterior.

    Args:
        chains: see :class:`Chains`.
        warmup: see :class:`Chains`.
        draws: see :class:`Chains`.
        target_accept: see :class:`Chains`.
        max_tree_depth: doublings of a trajectory at most.

    Raises:
        ValueError: for a setting out of range.

    Example:
        >>> NUTS(draws=500).chains
        4
    """

    max_tree_depth: int = 10


@dataclass(frozen=True)
class HMC(NUTS):
    """Settings of NumPyro's HMC with a fixed trajectory length, otherwise as :class:`NUTS`.

    Args:
        trajectory_length: length of a trajectory on the unconstrained scale.
    """

    trajectory_length: float = 1.5707963267948966


def _check_max_steps(max_steps: int) -> None:
    if max_steps < 1:
        raise ValueError(f"max_steps must be at least 1; got {max_steps}")
