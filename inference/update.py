"""The step from one posterior to the next, as a path that SMC can follow: more rows, or another task.

The log evidence that SMC finds on the way is that of the new data given the old.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.settings import SMC
from bayes_nn.inference.target import Target
from bayes_nn.likelihood import Gaussian
from bayes_nn.priors.gaussian_process import Process
from bayes_nn.progress import Report

if TYPE_CHECKING:
    from bayes_nn.inference.smc import SMCRun


@partial(jax.tree_util.register_dataclass, data_fields=["X", "Y", "seen"], meta_fields=["prior", "likelihood"])
@dataclass(frozen=True)
class Rows(Target):
    """A target that has seen some of its rows only; which ones is traced, so that all subsets share compiled code.

    Attributes:
        seen: 1 for rows that count, 0 for others, (N,).
    """

    seen: Float[Array, " N"]

    def log_likelihood_given(self, process: Process, values: dict[str, Array]) -> Float[Array, ""]:
        """``log p(y_seen | z)`` in nats: unseen rows have f = 0 and y = 0, and what they add is taken off."""
        if isinstance(self.likelihood, Gaussian):
            return process.log_marginal_of_rows(self.Y, self.noise_variance(values), self.seen)
        f = process.function(values[self.prior.function_site])
        return jnp.vdot(self.seen, self.likelihood.log_prob(values, self.Y, f))


@partial(jax.tree_util.register_dataclass, data_fields=["parts", "before", "after"], meta_fields=[])
@dataclass(frozen=True)
class Update:
    """Densities ``p(z) prod_k p(y_k | z)^w_k`` with powers w that go from ``before`` to ``after``.

    Stands in for a :class:`Target` wherever particles are moved: its "prior" is the density at ``before``, known up to
    a factor, and its "likelihood" the ratio of the densities at the two ends.

    Attributes:
        parts: targets with the same latents, (K,).
        before: powers of their likelihoods where the path begins, (K,).
        after: and where it ends, (K,).
    """

    parts: tuple[Target, ...]
    before: Float[Array, " K"]
    after: Float[Array, " K"]

    @property
    def n_hyperparameters(self) -> int:
        """Of every part."""
        return self.parts[0].n_hyperparameters

    @property
    def has_many_latents(self) -> bool:
        """Of every part."""
        return self.parts[0].has_many_latents

    def log_densities(self, u: Float[Array, " D"]) -> tuple[Array, Array]:
        """Log density where the path begins, and the log ratio of its ends; -inf where that fails."""
        likelihoods = jnp.stack([part.log_likelihood(u) for part in self.parts])
        return self._combined(self.parts[0].log_prior(u), likelihoods)

    def gradients(self, u: Float[Array, " D"], angle: Array) -> tuple[Float[Array, " D"], Float[Array, " D"]]:
        """Gradients of both in u, for trajectories."""
        (prior_gradient, *_), likelihoods = zip(*[part.gradients(u, angle) for part in self.parts], strict=True)
        gradients = jnp.stack(likelihoods)
        return prior_gradient + self.before @ gradients, (self.after - self.before) @ gradients

    def _combined(self, log_prior: Array, likelihoods: Float[Array, " K"]) -> tuple[Array, Array]:
        def weighted(powers: Float[Array, " K"]) -> Array:
            return jnp.sum(jnp.where(powers == 0.0, 0.0, powers * likelihoods))

        ratio = weighted(self.after - self.before)
        return log_prior + weighted(self.before), jnp.where(jnp.isfinite(ratio), ratio, -jnp.inf)


def refuse_dependent_rows(target: Target) -> None:
    """Refuse a target whose rows cannot be taken one by one.

    Raises:
        ValueError: for a NumPyro model, which says what all of y is and not what some of its rows are.
    """
    if type(target) is not Target:
        raise ValueError(
            f"{target.prior.name} is a model of all rows together: fit it to each part of the data instead"
        )


def follow(
    updates: Sequence[Update], start: Float[np.ndarray, "I P D"], settings: SMC, key: Array, report: Report
) -> "list[SMCRun]":
    """SMC along several updates in turn, each from the particles where the last ended.

    Args:
        updates: the later ones begin where the earlier ones end; of equal shapes they share compiled code.
        start: particles where the first begins.
        settings: of SMC.
        key: random key.
        report: told the fraction of all updates that is done.

    Returns:
        A run for each, whose evidence is that of what the update added.
    """
    from bayes_nn.inference.smc import run_smc

    runs: list[SMCRun] = []
    for number, update in enumerate(updates):

        def tell(fraction: float, text: str, number: int = number) -> None:
            report((number + fraction) / len(updates), f"part {number + 1} of {len(updates)}, {text}")

        particles = runs[-1].u if runs else start
        runs.append(run_smc(update, settings, jax.random.fold_in(key, number), tell, start=particles))
    return runs
