"""Posteriors as ArviZ DataTrees."""

from typing import TYPE_CHECKING

import arviz as az
import jax
import numpy as np
import xarray as xr

from bayes_nn.priors.gaussian_process import JITTER, LOG_2PI

if TYPE_CHECKING:
    from bayes_nn.inference.posterior import Posterior


def to_datatree(posterior: "Posterior") -> xr.DataTree:
    """The posterior as a DataTree that every ArviZ function reads.

    Groups: ``posterior`` (hyperparameters, hidden weights, and, drawn exactly given them, the readout and
    f at the training inputs, all on the model's scale), ``sample_stats``, ``posterior_predictive``,
    ``log_likelihood`` (pointwise, given the drawn f) and ``observed_data`` on the user's scale, and
    ``constant_data`` (inputs on the user's scale). For SMC, chains are islands and draws are particles.
    """
    scale, target = posterior.scale, posterior.target
    f = posterior.function_draws["f"]
    noise_std = np.sqrt(posterior.noise_variance)[..., None, None]
    y = np.asarray(target.Y)
    log_likelihood = -0.5 * (((y - f) / noise_std) ** 2 + LOG_2PI) - np.log(noise_std * scale.y_std)
    noise = np.asarray(jax.random.normal(jax.random.key(21), f.shape))
    replicated = (f + noise_std * noise) * scale.y_std + scale.y_mean
    outputs = [] if y.shape[1] == 1 else ["output"]

    def per_row(values: np.ndarray) -> np.ndarray:
        return values if outputs else values[..., 0]

    spatial = target.X.ndim - 2
    variables = posterior.values | posterior.function_draws
    variables["f"] = per_row(variables["f"])
    dims = {"f": ["row", *outputs], "y": ["row", *outputs]}
    dims |= {name: _weight_dims(name, variables, spatial) for name in variables if name not in dims}
    groups = {
        "posterior": variables,
        "sample_stats": posterior.sample_stats or {"lp": posterior.log_likelihood},
        "posterior_predictive": {"y": per_row(replicated)},
        "log_likelihood": {"y": per_row(log_likelihood)},
        "observed_data": {"y": per_row(y * scale.y_std + scale.y_mean)},
        "constant_data": {"X": np.asarray(target.X) * scale.x_std + scale.x_mean},
    }
    positions: dict[int, list[str]] = {0: [], 1: ["time"], 2: ["height", "width"]}
    between = positions.get(spatial, [f"axis_{i}" for i in range(spatial)])
    dims["X"] = ["row", *between, "channel" if spatial else "column"]
    coords = {"column": list(posterior.columns)} if posterior.columns else {}
    tree = az.from_dict(groups, dims=dims, coords=coords)
    tree.attrs = {
        "prior": target.prior.name,
        "sampler": posterior.sampler,
        "jitter": JITTER,
        "note": "posterior on the model's scale; y, its predictions and its log likelihood on the user's scale",
    }
    if posterior.evidence is not None:
        tree.attrs |= {"log_evidence": posterior.evidence.value, "log_evidence_mcse": posterior.evidence.mcse}
    return tree


def _weight_dims(name: str, variables: dict[str, np.ndarray], spatial: int) -> list[str]:
    """Dimension names of hidden weights, biases and the readout."""
    ndim, layer = variables[name].ndim - 2, name.rsplit("_", 1)[-1]
    if name.startswith("hidden_weight"):
        if layer == "0" and not spatial:
            return ["column", "unit_0"]
        before = variables.get(f"hidden_weight_{int(layer) - 1}")
        chained = before is not None and before.shape[-1] == variables[name].shape[-2]
        return [f"unit_{int(layer) - 1}" if chained else f"fan_in_{layer}", f"unit_{layer}"]
    if name.startswith("hidden_bias"):
        return [f"unit_{layer}"]
    return ["feature", "readout_output"][:ndim] if name == "readout" else []
