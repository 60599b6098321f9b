"""What is kept of a fit for diagnostics: draws of few numbers, and thinned ones of every row, as a small DataTree."""

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Array, Float

from bayes_nn.inference.posterior.convergence import Convergence
from bayes_nn.inference.posterior.datatree import given_f
from bayes_nn.inference.posterior.draws import Draws, for_all_draws
from bayes_nn.inference.problem.collapsed import CollapsedProblem

#: Most draws of all chains together of hyperparameters, watched functions and the sampler's statistics, and of what
#: there is for every row of the data.
MOST_DRAWS, MOST_DRAWS_OF_ROWS = 4000, 1000
#: Most rows whose log likelihood and replicates are kept, inputs at which f is watched, and hyperparameters.
MOST_ROWS, WATCHED, MOST_HYPERPARAMETERS = 500, 6, 30
#: Most rows and draws for densities of every row given the others, each of which factorises a matrix for all rows.
MOST_ROWS_LEFT_OUT, MOST_DRAWS_LEFT_OUT = 1000, 400
#: Nats by which densities are told apart where nothing is inferred: ArviZ refuses weights that are all equal.
APART = 1e-5
#: The log likelihood among the watched quantities.
LOG_LIKELIHOOD = "log p(y|z)"


def fit_record(posterior: Draws, convergence: Convergence) -> xr.DataTree:
    """A DataTree of modest size that ArviZ's diagnostics read, the same before and after it was in a file.

    Groups: ``posterior`` (every hyperparameter, f at up to 6 training inputs on the model's scale and the log
    likelihood, each a variable of its own), ``sample_stats``, ``log_likelihood``, ``posterior_predictive`` and
    ``observed_data`` of up to 500 rows, evenly spread, on the user's scale; where f is integrated out also
    ``leave_one_out``, the log densities of these rows given all others and z. Draws are thinned evenly.

    Args:
        posterior: the draws.
        convergence: noted among the attributes.
    """
    watched = {name: value for name, value in _watched(posterior).items() if np.ptp(value) > 0.0}
    groups = {"posterior": xr.Dataset({name: _variable(_thin(one, MOST_DRAWS)) for name, one in watched.items()})}
    stats = {name: _variable(_thin(one, MOST_DRAWS)) for name, one in posterior.sample_stats.items()}
    if stats:
        groups["sample_stats"] = xr.Dataset(stats)
    groups |= _of_rows(posterior) | _left_out(posterior)
    tree = xr.DataTree.from_dict({name: _numbered(group) for name, group in groups.items()})
    rows = groups["observed_data"].sizes["row"]
    tree.attrs = {
        "prior": posterior.prior.name,
        "sampler": posterior.sampler,
        "chains": posterior.shape[0],
        "draws": posterior.shape[1],
        "rows": f"{rows} of {len(posterior.dataset)}" if rows < len(posterior.dataset) else f"{rows}",
        "convergence": convergence.outcome,
    }
    return tree


def _watched(posterior: Draws) -> dict[str, np.ndarray]:
    """Hyperparameters, f at some inputs and the log likelihood, (chains, draws) each, by name."""
    found: dict[str, np.ndarray] = {}
    for name in posterior.problem.hyperparameters:
        if name in posterior.values:
            found |= _entries(name, posterior.values[name])
    found = dict(list(found.items())[:MOST_HYPERPARAMETERS])
    f = posterior.function_draws["f"]
    outputs = f.shape[-1]
    for row in _spread(f.shape[2], WATCHED):
        for output in range(min(outputs, WATCHED)):
            found[f"f[row {row}]" if outputs == 1 else f"f[row {row}, output {output}]"] = f[:, :, row, output]
    return dict(list(found.items())[: MOST_HYPERPARAMETERS + WATCHED]) | {LOG_LIKELIHOOD: posterior.log_likelihood}


def _entries(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    """Every entry of a latent, by a name of its own."""
    shape = values.shape[2:]
    return {
        f"{name}[{', '.join(map(str, place))}]" if shape else name: values[(..., *place)] for place in np.ndindex(shape)
    }


def _of_rows(posterior: Draws) -> dict[str, xr.Dataset]:
    """Log likelihoods, replicates and observations of some rows."""
    thinned = {name: _thin(value, MOST_DRAWS_OF_ROWS) for name, value in posterior.values.items()}
    f, key = _thin(posterior.function_draws["f"], MOST_DRAWS_OF_ROWS), jax.random.fold_in(posterior.key, 4)
    log_likelihood, replicates, observed = given_f(posterior, thinned, f, key)
    rows = _spread(observed.shape[0], MOST_ROWS)
    found = {"observed_data": xr.Dataset({"y": (_row_dims(observed), observed[rows])})}
    groups = {"posterior_predictive": replicates}
    if log_likelihood is not None:
        groups["log_likelihood"] = log_likelihood
    for name, values in groups.items():
        dims = ("chain", "draw", *_row_dims(values[0, 0]))
        found[name] = xr.Dataset({"y": (dims, _small(values[:, :, rows]))})
    return found


def _left_out(posterior: Draws) -> dict[str, xr.Dataset]:
    """``log p(y_i | y_-i, z)`` of some rows, where f is integrated out and the rows are not too many.

    Weights over z are light in the tail, those over f are not (Vehtari et al. 2016, JMLR 17, section 3.6): given the f
    of a kernel with little noise, leave-one-out estimates are too high, by tens of nats.
    """
    problem = posterior.problem
    if not isinstance(problem, CollapsedProblem) or not problem.likelihood.conjugate:
        return {}
    if len(problem.X) > MOST_ROWS_LEFT_OUT:
        return {}
    values = {name: _thin(value, MOST_DRAWS_LEFT_OUT) for name, value in posterior.values.items()}
    chains, draws = posterior.shape if not values else next(iter(values.values())).shape[:2]
    own = {name: value.reshape(chains * draws, *value.shape[2:]) for name, value in values.items()}
    found = for_all_draws(problem, None, own, posterior.key, chains * draws, _given_the_others)
    if not values:
        found = found + APART * np.random.default_rng(0).normal(size=found.shape)
    found = found.reshape(chains, draws, -1) - np.log(posterior.dataset.scale.y_std).sum()
    rows = _spread(found.shape[2], MOST_ROWS)
    return {"leave_one_out": xr.Dataset({"y": (("chain", "draw", "row"), _small(found[:, :, rows]))})}


def _given_the_others(problem: CollapsedProblem, _: None, values: dict[str, Array], key: Array) -> Float[Array, " N"]:
    everything = jnp.ones(len(problem.X))
    return problem.process(values).leave_one_out(problem.Y, problem.noise_variance(values), everything)


def _row_dims(of_rows: np.ndarray) -> tuple[str, ...]:
    return ("row", "y_column")[: of_rows.ndim]


def _variable(values: np.ndarray) -> tuple[tuple[str, str], np.ndarray]:
    return ("chain", "draw"), _small(values)


def _small(values: np.ndarray) -> np.ndarray:
    """In single precision, which is enough for diagnostics."""
    if values.dtype == bool:
        return values
    return values.astype(np.int32 if np.issubdtype(values.dtype, np.integer) else np.float32)


def _thin(values: np.ndarray, most: int) -> np.ndarray:
    """Evenly spread draws, so that all chains together have at most so many, or 25 each."""
    chains, draws = values.shape[:2]
    return values[:, :: -(-draws // max(most // chains, 25))]


def _spread(rows: int, most: int) -> np.ndarray:
    return np.linspace(0, rows - 1, min(most, rows)).astype(int)


def _numbered(group: xr.Dataset) -> xr.Dataset:
    """The group with the numbers of chains, draws and rows as coordinates, which ArviZ expects."""
    return group.assign_coords({name: np.arange(size) for name, size in group.sizes.items()})
