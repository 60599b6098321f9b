"""Posteriors as ArviZ DataTrees."""

import json

import arviz as az
import jax
import numpy as np
import xarray as xr
from jaxtyping import Array

from bayes_nn.inference.posterior.draws import Draws, for_all_draws
from bayes_nn.inference.problem.evidence import Evidence
from bayes_nn.inference.problem.problem import Problem
from bayes_nn.priors.gaussian.gaussian_process import LATENT_JITTER
from bayes_nn.priors.gaussian.log_marginal import JITTER

#: Draws from the prior.
PRIOR_DRAWS = 500


def to_datatree(posterior: Draws, evidence: Evidence | None = None) -> xr.DataTree:
    """The posterior as a DataTree that every ArviZ function reads.

    Groups: ``posterior`` (hyperparameters, hidden weights or an input metric, and, drawn exactly given them, the
    readout and f at the training inputs, all on the model's scale), ``sample_stats``, ``posterior_predictive``,
    ``log_likelihood`` (pointwise, given the drawn f) and ``observed_data`` on the user's scale (labels as numbers
    of classes), ``constant_data`` (inputs on the user's scale), and ``prior`` and ``prior_predictive``, the same
    drawn from the prior. For SMC, chains are islands and draws are particles. Among the attributes are the log
    evidence, its error and method where the sampler estimated it, and, as JSON, the details it reports.

    Args:
        posterior: the draws.
        evidence: noted among the attributes, where there is one.
    """
    dataset, problem = posterior.dataset, posterior.problem
    likelihood = problem.likelihood
    f, values = posterior.function_draws["f"], posterior.values
    outputs = [] if problem.Y.shape[1] == 1 else ["output"]
    labels = likelihood.classes is not None
    y_dims = ["row"] if labels else ["row", *outputs]
    key_replicate, key_prior = jax.random.split(jax.random.fold_in(posterior.key, 3))
    log_likelihood, replicates, observed = given_f(posterior, values, f, key_replicate)
    prior, prior_f, prior_y = _prior_draws(problem, key_prior)
    variables = values | posterior.function_draws
    dims = {"f": ["row", *outputs], "y": y_dims}
    spatial = problem.X.ndim - 2
    names = [name for name in variables if name not in dims]
    dims |= {name: _weight_dims(name, variables, spatial) for name in names}
    groups = {
        "posterior": variables | {"f": f if outputs else f[..., 0]},
        "sample_stats": posterior.sample_stats or {"lp": posterior.log_likelihood},
        "posterior_predictive": {"y": replicates},
        "log_likelihood": {"y": log_likelihood},
        "prior": prior | {"f": prior_f if outputs else prior_f[..., 0]},
        "prior_predictive": {"y": _of_users(posterior, prior_y)},
        "observed_data": {"y": observed},
        "constant_data": {"X": dataset.inputs},
    }
    if log_likelihood is None:
        del groups["log_likelihood"]
    positions: dict[int, list[str]] = {0: [], 1: ["time"], 2: ["height", "width"]}
    between = positions.get(spatial, [f"axis_{i}" for i in range(spatial)])
    dims["X"] = ["row", *between, "channel" if spatial else "column"]
    coords: dict[str, list] = {"column": list(dataset.columns)} if dataset.columns else {}
    classes = list(likelihood.output_names)
    if labels and outputs:
        coords["output"] = coords["readout_output"] = classes
    tree = az.from_dict(groups, dims=dims, coords=coords)
    tree.attrs = {
        "prior": problem.prior.name,
        "sampler": posterior.sampler,
        "jitter": JITTER if likelihood.conjugate else LATENT_JITTER,
        "note": "posterior on the model's scale; y, its predictions and its log likelihood on the user's scale",
        "symmetries": "hidden weights are identified up to permutations and signs of units: judge convergence by f",
    }
    if labels:
        tree.attrs["classes"] = classes
    if evidence is not None:
        tree.attrs |= {
            "log_evidence": evidence.value,
            "log_evidence_mcse": evidence.mcse,
            "log_evidence_method": evidence.method,
            "log_evidence_details": json.dumps(evidence.details),
            "log_evidence_degrees_of_freedom": evidence.degrees_of_freedom,
            "log_evidence_unbiased": int(evidence.unbiased),
        }
    return tree


def given_f(
    posterior: Draws, values: dict[str, np.ndarray], f: np.ndarray, key: Array
) -> tuple[np.ndarray | None, np.ndarray, np.ndarray]:
    """Pointwise ``log p(y | f)`` and a replicate of y for some draws, and y itself; all on the user's scale.

    Args:
        posterior: of which they are draws.
        values: draws of every latent, (chains, draws, ...).
        f: drawn given them, on the model's scale, (chains, draws, N, C).
        key: of the replicates.

    Returns:
        Log likelihoods (chains, draws, N), with an axis of outputs where there are several that are independent, or
        None where rows depend on each other given z; replicates likewise; y. Labels are numbers of classes.
    """
    problem, scale = posterior.problem, posterior.dataset.scale
    chains, draws = f.shape[:2]

    def stacked(array: np.ndarray) -> np.ndarray:
        return array.reshape(chains * draws, *array.shape[2:])

    own = jax.tree.map(stacked, values), stacked(f)
    found = for_all_draws(problem, None, own, key, chains * draws, _of_draw)
    log_likelihood, y = (array.reshape(chains, draws, *array.shape[1:]) for array in found)
    if problem.likelihood.classes is None:
        log_y_std = np.log(scale.y_std)
        every_output = log_likelihood.ndim == 4
        log_likelihood = log_likelihood - (log_y_std if every_output else log_y_std.sum())
        if every_output and problem.Y.shape[1] == 1:
            log_likelihood = log_likelihood[..., 0]
    observed = _of_users(posterior, np.asarray(problem.likelihood.observed(problem.Y)))
    # Rows that depend on each other given z have no log likelihoods of their own.
    return log_likelihood if log_likelihood.ndim > 2 else None, _of_users(posterior, y), observed


def _of_users(posterior: Draws, y: np.ndarray) -> np.ndarray:
    """Targets on the user's scale; labels stay numbers of classes, which files can hold."""
    if posterior.problem.likelihood.classes is not None:
        return y
    y = posterior.dataset.scale.original(y)
    return y[..., 0] if posterior.problem.Y.shape[1] == 1 else y


def _of_draw(problem: Problem, _: None, own: tuple[dict[str, Array], Array], key: Array) -> tuple[Array, Array]:
    values, f = own
    return problem.pointwise_log_likelihood(values, f), problem.replicate(key, values, f)


def _prior_draws(problem: Problem, key: Array) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Latents, f at the training inputs and y from the prior, (1, PRIOR_DRAWS, ...)."""
    drawn = for_all_draws(problem, None, (), key, PRIOR_DRAWS, _from_prior)
    return jax.tree.map(lambda array: array[None], drawn)


def _from_prior(problem: Problem, _: None, draw: tuple, key: Array) -> tuple[dict[str, Array], Array, Array]:
    return problem.draw_prior(key)


def _weight_dims(name: str, variables: dict[str, np.ndarray], spatial: int) -> list[str]:
    """Dimension names of hidden weights, biases, the readout, the whitened f and an input metric."""
    ndim, layer = variables[name].ndim - 2, name.rsplit("_", 1)[-1]
    if name.startswith("hidden_weight"):
        if layer == "0" and not spatial:
            return ["column", "unit_0"]
        before = variables.get(f"hidden_weight_{int(layer) - 1}")
        chained = before is not None and before.shape[-1] == variables[name].shape[-2]
        return [f"unit_{int(layer) - 1}" if chained else f"fan_in_{layer}", f"unit_{layer}"]
    if name.startswith("hidden_bias"):
        return [f"unit_{layer}"]
    if name == "metric":
        return ["metric_row", "column"][-ndim:]
    functions = {"readout": ["feature", "readout_output"], "whitened_f": ["row", "output"]}
    return functions.get(name, [])[:ndim]
