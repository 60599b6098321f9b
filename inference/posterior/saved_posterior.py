"""Posteriors as files: the prior without code, the data, and the draws."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from bayes_nn.inference.posterior.draws import Draws
from bayes_nn.inference.problem.collapsed import CollapsedProblem
from bayes_nn.runtime.state_file import read_state, write_state

#: Of the file.
KIND = "posterior"
#: What the sampler left behind.
_DRAWN = (
    "dataset", "values", "log_likelihood", "sample_stats", "sampler", "sampler_evidence", "sampler_reasons", "seconds"
)  # fmt: skip


def write(path: Path, posterior: Draws) -> Path:
    """Write all that a posterior is made of, and return the path.

    Args:
        path: where to write; missing folders are made.
        posterior: of a mixture of Gaussian processes.

    Raises:
        ValueError: for a prior with code of its own in it.
        OSError: naming the folder and the reason, if it cannot be written.
    """
    problem, state = posterior.problem, {name: getattr(posterior, name) for name in _DRAWN}
    if not isinstance(problem, CollapsedProblem):
        raise ValueError(f"{posterior.prior.name} is a model of your own, which is code and cannot be saved")
    numbers = {name: np.asarray(value) for name, value in problem.fixed.items()}
    state |= {"prior": problem.prior, "likelihood": problem.likelihood, "fixed": numbers}
    try:
        return write_state(path, state | {"key": jax.random.key_data(posterior.key)}, KIND)
    except TypeError as error:
        raise ValueError(f"{posterior.prior.name} cannot be saved, since it holds code of your own: {error}") from None


def read(path: Path) -> dict[str, Any]:
    """The fields of the posterior that :func:`write` wrote, by name.

    Args:
        path: the file.

    Raises:
        ValueError: if the file is damaged, of another version or not a saved posterior.
    """
    state = read_state(path, "restore it from a copy, or fit again", KIND)
    dataset, fixed = state["dataset"], {name: jnp.asarray(value) for name, value in state.pop("fixed").items()}
    problem = CollapsedProblem(dataset.X, dataset.Y, state.pop("prior"), state.pop("likelihood"), fixed)
    return state | {"problem": problem, "key": jax.random.wrap_key_data(jnp.asarray(state["key"]))}
