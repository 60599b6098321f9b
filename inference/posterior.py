"""The fitted posterior: predictions, evidence, feature information and an ArviZ DataTree."""

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
from bayes_nn.inference.parallel import map_islands
from bayes_nn.inference.predictive import Predictive
from bayes_nn.inference.target import Target


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
        sampler: ``"exact"``, ``"smc"``, ``"nuts"``, ``"hmc"`` or ``"frozen"``.
        evidence: the evidence, or None where the sampler estimates none.
        seconds: wall time of the fit.
        columns: names of the input columns, where the data came as a frame.
    """

    target: Target
    scale: Scale
    values: dict[str, np.ndarray]
    log_likelihood: Float[np.ndarray, "chains draws"]
    sample_stats: dict[str, np.ndarray]
    sampler: str
    evidence: Evidence | None = None
    seconds: float = 0.0
    columns: tuple[str, ...] = field(default=())

    @property
    def shape(self) -> tuple[int, int]:
        """Chains (islands) and draws (particles)."""
        return self.log_likelihood.shape

    @property
    def log_evidence(self) -> Evidence:
        """log p(y) in nats, for y on the scale the model sees (standardised by default).

        Raises:
            ValueError: for NUTS and HMC, which do not estimate it.
        """
        if self.evidence is None:
            raise ValueError(f"{self.sampler} does not estimate the evidence; fit with sampler='smc'")
        return self.evidence

    @cached_property
    def feature_information(self) -> FeatureInformation:
        """KL( p(hidden weights | D) || p(hidden weights) ) in nats with its error; exactly 0 without hidden weights."""
        return feature_information(self)

    def predict(self, X: Any) -> Predictive:
        """Predictive distribution of y at new inputs, on the user's scale.

        Args:
            X: inputs, (T, d) or (T,) for a single input column.

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
        mean, variance = self._each_draw("predict", self.scale.inputs(X))
        std = np.sqrt(variance)[..., None]
        return Predictive(mean * self.scale.y_std + self.scale.y_mean, std * self.scale.y_std)

    def _each_draw(self, what: str, extra: Array) -> Any:
        """A computation for every draw, over the devices; results with one leading axis of all draws."""
        chains, draws = self.shape
        if what == "predict" and not self.values:
            return jax.tree.map(lambda one: np.asarray(one)[None], _per_draw(self.target, ({}, extra), what))
        stacked = {
            name: jnp.asarray(value).reshape(chains * draws, *value.shape[2:]) for name, value in self.values.items()
        }
        result = _for_all_draws(self.target, stacked, extra, what)
        return jax.tree.map(np.asarray, result)

    @cached_property
    def function_draws(self) -> dict[str, np.ndarray]:
        """One exact draw per posterior draw of the readout (networks) and of f at the training inputs.

        On the model's scale, (chains, draws, ...).
        """
        keys = jax.random.split(jax.random.key(20), self.shape[0] * self.shape[1])
        draws = self._each_draw("draw", keys)
        return {name: value.reshape(*self.shape, *value.shape[1:]) for name, value in draws.items()}

    @cached_property
    def noise_variance(self) -> Float[np.ndarray, "chains draws"]:
        """Noise variance of every draw, model's scale."""
        stacked = {name: jnp.asarray(self.values[name]) for name in self.values if name == "noise_std"}
        return np.broadcast_to(np.asarray(self.target.likelihood.noise_variance(stacked)), self.shape)

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


def _per_draw(target: Target, one: tuple[dict[str, Array], Array], what: str) -> Any:
    """Predictive mean and variance of y at ``extra``, or an exact draw with key ``extra``."""
    values, extra = one
    noise_variance = target.likelihood.noise_variance(values)
    if what == "predict":
        mean, variance = target.prior.process(values, target.X, extra).predict(target.Y, noise_variance)
        return mean, variance + noise_variance
    return target.prior.process(values, target.X).draw(extra, target.Y, noise_variance)


@partial(jax.jit, static_argnames="what")
def _for_all_draws(target: Target, stacked: dict[str, Array], extra: Array, what: str) -> Any:
    count = len(next(iter(stacked.values()))) if stacked else len(extra)
    if what == "predict":

        def each(shared: tuple, values: dict) -> Any:
            return _per_draw(shared[0], (values, shared[1]), what)

        return map_islands(each, count)((target, extra), stacked)
    return map_islands(lambda shared, one: _per_draw(shared, one, what), count)(target, (stacked, extra))
