"""The fitted posterior: predictions, evidence, feature information and an ArviZ DataTree."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from bayes_nn.data import Scale
from bayes_nn.inference.diagnostics import Convergence, judge_convergence
from bayes_nn.inference.evidence import Evidence
from bayes_nn.inference.feature_information import FeatureInformation, feature_information
from bayes_nn.inference.settings import SMC
from bayes_nn.inference.target import Target
from bayes_nn.likelihood import Labels
from bayes_nn.parallel import map_islands
from bayes_nn.predictive import ClassPredictive, Predictive
from bayes_nn.progress import progress_bar


@dataclass(frozen=True)
class Posterior:
    """Posterior of a prior over functions, given data.

    Attributes:
        target: prior, likelihood and data on the model's scale.
        scale: the way back to the user's scale.
        values: draws of every latent, (chains, draws, ...); chains are islands for SMC. Empty for exact
            posteriors without latents.
        log_likelihood: ``log p(y | z)`` of every draw, (chains, draws), nats.
        sample_stats: the sampler's statistics, (chains, draws) each.
        sampler: ``"exact"``, ``"infinite_hmc"``, ``"smc"``, ``"nuts"``, ``"hmc"`` or ``"frozen"``.
        key: for draws made later: of the readout, of f, of replicated y.
        evidence: the evidence where the sampler estimated it.
        doubts: of the sampler about its draws, beyond what the draws themselves can show; empty if none.
        seconds: wall time of the fit.
        columns: names of the input columns, where the data came as a frame.
    """

    target: Target
    scale: Scale
    values: dict[str, np.ndarray]
    log_likelihood: Float[np.ndarray, "chains draws"]
    sample_stats: dict[str, np.ndarray]
    sampler: str
    key: Array
    evidence: Evidence | None = None
    doubts: tuple[str, ...] = ()
    seconds: float = 0.0
    columns: tuple[str, ...] = field(default=())

    @property
    def shape(self) -> tuple[int, int]:
        """Chains (islands) and draws (particles)."""
        return self.log_likelihood.shape

    @cached_property
    def log_evidence(self) -> Evidence:
        """log p(y) in nats, for y on the scale the model sees (standardised by default).

        After Markov chains, which do not estimate it, the first call runs SMC on the same prior and data until the
        standard error is below 0.1 nats, or for about ten minutes; :func:`bayes_nn.inference.log_evidence` has choices.
        """
        if self.evidence is not None:
            return self.evidence
        from bayes_nn.inference.evidence_methods import MAX_SECONDS, TOLERANCE, estimate

        with progress_bar(f"evidence of {self.target.prior.name}") as report:
            key = jax.random.fold_in(self.key, 2)
            return estimate(self.target, "smc", SMC(), key, TOLERANCE, MAX_SECONDS, report)

    @cached_property
    def feature_information(self) -> FeatureInformation:
        """KL( p(hidden weights | D) || p(hidden weights) ) in nats with its error; exactly 0 without hidden weights."""
        return feature_information(self)

    def predict(self, X: Any) -> Predictive | ClassPredictive:
        """Predictive distribution of y at new inputs, on the user's scale.

        Args:
            X: inputs, (T, d), (T,) for a single input column, or images (T, H, W, C).

        Raises:
            ValueError: for missing values or a wrong number of columns.

        Example:
            >>> import bayes_nn as bnn, numpy as np
            >>> x = np.linspace(-1, 1, 20)
            >>> net = bnn.mlp(depth=1, weight_std=1.5, bias_std=0.5)
            >>> posterior = bnn.fit(bnn.priors.NNGP(net), x, np.sin(3 * x), bnn.Gaussian(0.1))
            >>> posterior.predict([0.0, 0.5]).mean.shape
            (2,)
        """
        likelihood = self.target.likelihood
        result = self._of_every_draw(_predict, self.scale.inputs(X))
        if isinstance(likelihood, Labels):
            assert likelihood.classes is not None
            return ClassPredictive(result, likelihood.classes)
        mean, variance = result
        return Predictive(mean * self.scale.y_std + self.scale.y_mean, np.sqrt(variance) * self.scale.y_std)

    def _of_every_draw(self, what: Callable[..., Any], shared: Any = None) -> Any:
        """A computation for every draw, over the devices; results with one leading axis of all draws.

        Exact posteriors are predicted from their one z, and drawn from as often as ``shape`` says.
        """
        count = math.prod(self.shape) if self.values or what is _draw_function else 1
        keys = jax.random.split(jax.random.fold_in(self.key, 0), count)
        values = {name: jnp.asarray(value).reshape(count, *value.shape[2:]) for name, value in self.values.items()}
        return jax.tree.map(np.asarray, for_all_draws(self.target, shared, (values, keys), what))

    @cached_property
    def function_draws(self) -> dict[str, np.ndarray]:
        """f at the training inputs under every draw, and the readout of networks; drawn exactly where integrated out.

        On the model's scale, (chains, draws, ...).
        """
        draws = self._of_every_draw(_draw_function)
        return {name: value.reshape(*self.shape, *value.shape[1:]) for name, value in draws.items()}

    @cached_property
    def convergence(self) -> Convergence:
        """R-hat and effective sample sizes in function space, with a verdict in words."""
        return judge_convergence(self)

    def to_datatree(self) -> xr.DataTree:
        """The posterior as an ArviZ DataTree; see :mod:`bayes_nn.inference.datatree`."""
        from bayes_nn.inference.datatree import to_datatree

        return to_datatree(self)

    def __repr__(self) -> str:
        evidence = f", log evidence {self.evidence}" if self.evidence else ""
        return f"Posterior({self.target.prior.name}, {self.sampler}{evidence})"


def _predict(target: Target, X_new: Array, values: dict[str, Array], key: Array) -> Any:
    return target.predict(X_new, values, key)


def _draw_function(target: Target, _: None, values: dict[str, Array], key: Array) -> dict[str, Array]:
    return target.draw_function(values, key)


@partial(jax.jit, static_argnames="what")
def for_all_draws(target: Target, shared: Any, own: tuple[Any, ...], what: Callable[..., Any]) -> Any:
    """``what(target, shared, *own)`` for every draw of ``own``, stacked pytrees of which the last is an array."""

    def each(everyones: tuple[Target, Any], own: tuple[Any, ...]) -> Any:
        return what(*everyones, *own)

    return map_islands(each, len(own[-1]))((target, shared), own)
