"""NUTS and HMC over u with NumPyro's kernels, chains side by side on the host devices."""

from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.infer.hmc import hmc

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.inference.sampling.chains import MOVES_PER_CALL, ChainDraws, Chains, calls, run_chains
from bayes_nn.inference.sampling.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.sampling.sampler import silent
from bayes_nn.runtime.devices import map_over_devices
from bayes_nn.runtime.progress import Report


class KernelSettings(NamedTuple):
    """What NumPyro's kernels are compiled for; numbers of chains and draws are not among it.

    Attributes:
        algorithm: ``"NUTS"`` or ``"HMC"``.
        warmup: moves that adapt, which NumPyro divides into windows.
        target_accept: acceptance the step size is adapted to.
        limits: what bounds a trajectory, as NumPyro names it.
    """

    algorithm: str
    warmup: int
    target_accept: float
    limits: tuple[tuple[str, float], ...]


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

    name = "nuts"
    max_tree_depth: int = 10

    @property
    def kernel_settings(self) -> KernelSettings:
        """What the kernels are compiled for."""
        moves = calls(self.warmup) * MOVES_PER_CALL
        return KernelSettings("NUTS", moves, self.target_accept, (("max_tree_depth", self.max_tree_depth),))

    def draw_u(
        self, problem: Problem, key: Array, report: Report = silent, checkpoint: Checkpoint = NOWHERE
    ) -> ChainDraws:
        """Draws on the unconstrained scale, their log likelihood, and statistics under the names ArviZ reads."""
        settings = self.kernel_settings
        if checkpoint.folder is not None:
            # NumPyro's kernel learns the length of the warm-up when it is initialised, which a resumed run skips.
            jax.eval_shape(partial(_start, settings=settings, chains=self.chains), problem, key)
        u, log_likelihood, stats = run_chains(
            self,
            lambda: _start(problem, key, settings, self.chains),
            lambda states, _: _advance(problem, states, settings),
            report,
            checkpoint,
        )
        return u, log_likelihood, stats | self.tree_statistics(stats)

    def tree_statistics(self, stats: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Depths of the trees, which only NUTS has."""
        depth = np.ceil(np.log2(stats["n_steps"] + 1)).astype(int)
        return {"tree_depth": depth, "reached_max_treedepth": depth >= self.max_tree_depth}


@dataclass(frozen=True)
class HMC(NUTS):
    """Settings of NumPyro's HMC with a fixed trajectory length, otherwise as :class:`NUTS`.

    Args:
        trajectory_length: length of a trajectory on the unconstrained scale.

    Example:
        >>> HMC(trajectory_length=1.0).trajectory_length
        1.0
    """

    name = "hmc"
    trajectory_length: float = 1.5707963267948966

    @property
    def kernel_settings(self) -> KernelSettings:
        """What the kernels are compiled for."""
        limits = (("trajectory_length", self.trajectory_length),)
        return super().kernel_settings._replace(algorithm="HMC", limits=limits)

    def tree_statistics(self, stats: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """None: there are no trees."""
        return {}


def _potential(problem: Problem) -> Any:
    """Minus the log density of the posterior over u, up to log Z, as a function of u."""

    def potential(u: Float[Array, " D"]) -> Float[Array, ""]:
        energy = -problem.log_prior(u) - problem.log_likelihood(u)
        return jnp.where(jnp.isfinite(energy), energy, jnp.inf)

    return potential


@lru_cache(maxsize=32)
def _kernel(settings: KernelSettings) -> tuple[Any, Any]:
    """NumPyro's ``init`` and ``sample`` for these settings; they share state, so one pair per settings."""
    init, sample = hmc(potential_fn_gen=_potential, algo=settings.algorithm)
    own: dict[str, Any] = dict(settings.limits)
    return partial(init, num_warmup=settings.warmup, target_accept_prob=settings.target_accept, **own), sample


@partial(jax.jit, static_argnames=("settings", "chains"))
def _start(problem: Problem, key: Array, settings: KernelSettings, chains: int) -> Any:
    key_u, key_chains = jax.random.split(key)
    keys = jax.random.key_data(jax.random.split(key_chains, chains))
    u = problem.sample_prior(key_u, (chains,))

    def start(problem: Problem, own: tuple[Array, Array]) -> Any:
        return _kernel(settings)[0](own[0], rng_key=own[1], model_args=(problem,))

    return map_over_devices(start, chains)(problem, (u, keys))


@partial(jax.jit, static_argnames="settings")
def _advance(problem: Problem, states: Any, settings: KernelSettings) -> tuple[Any, dict[str, Array]]:
    """``MOVES_PER_CALL`` draws of every chain."""

    def one_chain(problem: Problem, state: Any) -> tuple[Any, dict[str, Array]]:
        def draw(state: Any, _: None) -> tuple[Any, dict[str, Array]]:
            state = _kernel(settings)[1](state, model_args=(problem,))
            return state, {
                "u": state.z,
                "lp": -state.potential_energy,
                "log_likelihood": -state.potential_energy - problem.log_prior(state.z),
                "energy": state.energy,
                "acceptance_rate": state.accept_prob,
                "diverging": state.diverging,
                "n_steps": state.num_steps,
                "step_size": state.adapt_state.step_size,
            }

        return jax.lax.scan(draw, state, length=MOVES_PER_CALL)

    return map_over_devices(one_chain, len(states.z))(problem, states)
