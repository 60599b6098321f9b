"""NUTS and HMC over u with NumPyro's kernels, chains side by side on the host devices."""

from functools import lru_cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from numpyro.infer.hmc import hmc

from bayes_nn.inference.chains import Draws, run_chains
from bayes_nn.inference.checkpoint import NOWHERE, Checkpoint
from bayes_nn.inference.settings import CHUNK, HMC, NUTS, calls
from bayes_nn.inference.target import Target
from bayes_nn.parallel import map_islands
from bayes_nn.progress import Report


def _potential(target: Target) -> Any:
    """Minus the log density of the posterior over u, up to log Z, as a function of u."""

    def potential(u: Float[Array, " D"]) -> Float[Array, ""]:
        energy = -target.log_prior(u) - target.log_likelihood(u)
        return jnp.where(jnp.isfinite(energy), energy, jnp.inf)

    return potential


@lru_cache(maxsize=32)
def _kernel(settings: NUTS) -> tuple[Any, Any]:
    """NumPyro's ``init`` and ``sample`` for these settings; they share state, so one pair per settings."""
    init, sample = hmc(potential_fn_gen=_potential, algo="HMC" if isinstance(settings, HMC) else "NUTS")
    own: dict[str, Any] = {"max_tree_depth": settings.max_tree_depth}
    if isinstance(settings, HMC):
        own = {"trajectory_length": settings.trajectory_length}
    warmup = calls(settings.warmup) * CHUNK
    return partial(init, num_warmup=warmup, target_accept_prob=settings.target_accept, **own), sample


@partial(jax.jit, static_argnames="settings")
def _start(target: Target, key: Array, settings: NUTS) -> Any:
    key_u, key_chains = jax.random.split(key)
    keys = jax.random.key_data(jax.random.split(key_chains, settings.chains))
    u = target.sample_prior(key_u, (settings.chains,))

    def start(target: Target, own: tuple[Array, Array]) -> Any:
        return _kernel(settings)[0](own[0], rng_key=own[1], model_args=(target,))

    return map_islands(start, settings.chains)(target, (u, keys))


@partial(jax.jit, static_argnames="settings")
def _advance(target: Target, states: Any, settings: NUTS) -> tuple[Any, dict[str, Array]]:
    """``CHUNK`` draws of every chain."""

    def one_chain(target: Target, state: Any) -> tuple[Any, dict[str, Array]]:
        def draw(state: Any, _: None) -> tuple[Any, dict[str, Array]]:
            state = _kernel(settings)[1](state, model_args=(target,))
            return state, {
                "u": state.z,
                "lp": -state.potential_energy,
                "log_likelihood": -state.potential_energy - target.log_prior(state.z),
                "energy": state.energy,
                "acceptance_rate": state.accept_prob,
                "diverging": state.diverging,
                "n_steps": state.num_steps,
                "step_size": state.adapt_state.step_size,
            }

        return jax.lax.scan(draw, state, length=CHUNK)

    return map_islands(one_chain, settings.chains)(target, states)


def run_nuts(
    target: Target,
    settings: NUTS,
    key: Array,
    report: Report = lambda fraction, text: None,
    checkpoint: Checkpoint = NOWHERE,
) -> tuple[np.ndarray, np.ndarray, Draws]:
    """Draw from the posterior over u.

    Args:
        target: the posterior.
        settings: numbers of chains and draws.
        key: random key.
        report: called after every compiled call.
        checkpoint: where to keep the state, and to go on from.

    Returns:
        Draws of u (chains, draws, D), their log likelihood (chains, draws), and the sampler's statistics under the
        names ArviZ reads.
    """
    # NumPyro's kernel learns the length of the warm-up when it is initialised; for a resumed run tracing is enough.
    jax.eval_shape(partial(_start, settings=settings), target, key)
    u, log_likelihood, stats = run_chains(
        settings,
        lambda: _start(target, key, settings),
        lambda states, _: _advance(target, states, settings),
        report,
        checkpoint,
    )
    if not isinstance(settings, HMC):
        depth = np.ceil(np.log2(stats["n_steps"] + 1)).astype(int)
        stats |= {"tree_depth": depth, "reached_max_treedepth": depth >= settings.max_tree_depth}
    return u, log_likelihood, stats
