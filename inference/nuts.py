"""NUTS and HMC over z with NumPyro, chains side by side on the host devices."""

from typing import Any

import jax
import numpy as np
from jaxtyping import Array
from numpyro.infer import HMC as NumPyroHMC
from numpyro.infer import MCMC
from numpyro.infer import NUTS as NumPyroNUTS

from bayes_nn.environment import hint_at_idle_cores, one_blas_thread_per_device
from bayes_nn.inference.parallel import devices_for
from bayes_nn.inference.progress import Report
from bayes_nn.inference.settings import HMC, NUTS
from bayes_nn.inference.target import Target

_EXTRA_FIELDS = ("energy", "potential_energy", "num_steps", "accept_prob", "diverging", "adapt_state.step_size")


def run_nuts(
    target: Target, settings: NUTS, key: Array, report: Report = lambda fraction, text: None
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Draw from the posterior over z.

    Chains run in rounds of as many as there are devices, each round one compiled call; within a
    device nothing is batched, so that no batched LAPACK call is made.

    Args:
        target: the posterior.
        settings: numbers of chains and draws.
        key: random key.
        report: called after every round.

    Returns:
        Draws of every latent on its own scale, (chains, draws, ...), and the sampler's statistics
        under the names ArviZ reads.
    """
    hint_at_idle_cores()
    model = target.prior.model(target.likelihood)
    if isinstance(settings, HMC):
        kernel = NumPyroHMC(
            model, trajectory_length=settings.trajectory_length, target_accept_prob=settings.target_accept
        )
    else:
        kernel = NumPyroNUTS(model, target_accept_prob=settings.target_accept, max_tree_depth=settings.max_tree_depth)
    together = devices_for(settings.chains)
    mcmc = MCMC(
        kernel,
        num_warmup=settings.warmup,
        num_samples=settings.draws,
        num_chains=together,
        chain_method="parallel" if together > 1 else "sequential",
        progress_bar=False,
    )
    rounds = settings.chains // together
    draws: list[dict[str, Any]] = []
    stats: list[dict[str, Any]] = []
    with one_blas_thread_per_device():
        for number, one in enumerate(jax.random.split(key, rounds)):
            report(number / rounds, f"chains {number * together + 1} to {(number + 1) * together} of {settings.chains}")
            mcmc.run(one, target.X, target.Y, extra_fields=_EXTRA_FIELDS)
            draws.append(jax.tree.map(np.asarray, mcmc.get_samples(group_by_chain=True)))
            stats.append(jax.tree.map(np.asarray, mcmc.get_extra_fields(group_by_chain=True)))
    joined_draws = {name: np.concatenate([one[name] for one in draws]) for name in draws[0]}
    joined = {name: np.concatenate([one[name] for one in stats]) for name in stats[0]}
    depth = np.ceil(np.log2(joined["num_steps"] + 1)).astype(int)
    sample_stats = {
        "lp": -joined["potential_energy"],
        "energy": joined["energy"],
        "acceptance_rate": joined["accept_prob"],
        "diverging": joined["diverging"],
        "n_steps": joined["num_steps"],
        "step_size": joined["adapt_state.step_size"],
    }
    if not isinstance(settings, HMC):
        sample_stats |= {"tree_depth": depth, "reached_max_treedepth": depth >= settings.max_tree_depth}
    return joined_draws, sample_stats
