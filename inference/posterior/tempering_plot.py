"""Pictures of the way from the prior to the posterior, from what the details of an evidence keep of it."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from bayes_nn.inference.report.tempering_figure import ExchangePicture, draw_exchange, draw_path
from bayes_nn.priors.prior import RUNG_NAMES

#: Replicas whose way is drawn: more lines cannot be told apart.
DRAWN = 4


def plot_tempering(details: Mapping[str, Any], name: str, rung: str = RUNG_NAMES[None]) -> Figure:
    """The way from the prior to the posterior that the details of an evidence tell of.

    The local barrier is the rejection of swaps per factor e of tempering. It is largest where the posterior changes
    most from one tempering to the next (Syed, Bouchard-Cote, Deligiannidis and Doucet 2021, Journal of the Royal
    Statistical Society B 84), which for networks that learn features is where these form. The step that leaves the
    prior, which has no logarithm, is left out of it.

    Args:
        details: of an :class:`~bayes_nn.inference.problem.evidence.Evidence`, as they are or read back from a file.
        name: of the prior.
        rung: of the prior, in words; lines and bars are shades of its colour.

    Returns:
        For replica exchange E[l] and the local barrier against tempering, the acceptance of swaps, the way of some
        replicas in the last round and both sides of the evidence by round; for SMC E[l] along the path and the
        tempering of every island.

    Raises:
        ValueError: if the details tell of no such way.

    Example:
        >>> path = {"tempering": [[0.1, 1.0]], "expected_log_likelihood_along_path": [[-9.0, -5.0]]}
        >>> len(plot_tempering(path, "network").axes)
        2
    """
    if "level_of_replica" in details:
        return draw_exchange(f"{name}, replica exchange", _exchange(details, rung == RUNG_NAMES[3]), rung)
    if "expected_log_likelihood_along_path" in details:
        mean = np.asarray(details["expected_log_likelihood_along_path"])
        return draw_path(f"{name}, SMC", np.asarray(details["tempering"]), mean, rung)
    raise ValueError(
        f"{name} was not fitted by tempering the likelihood, so there is no way from the prior to the posterior to "
        'show: fit it with sampler="replica_exchange" or sampler="smc" (others take none)'
    )


def _exchange(details: Mapping[str, Any], learns_features: bool) -> ExchangePicture:
    tempering, rejection = np.asarray(details["tempering"]), np.asarray(details["rejection"])
    local_barrier = rejection[1:] / np.diff(np.log(tempering[1:]))
    most = int(np.argmax(local_barrier))
    place = float(np.sqrt(tempering[most + 1] * tempering[most + 2]))
    meaning = "the largest: features form here,\nif anywhere" if learns_features else "the largest"
    ways = np.asarray(details["level_of_replica"][0])
    drawn = np.linspace(0, len(ways) - 1, min(DRAWN, len(ways))).astype(int)
    sides = [details[f"{side}_by_round"] for side in ("lower", "log_evidence", "upper")]
    return ExchangePicture(
        tempering, np.asarray(details["expected_log_likelihood"]), local_barrier, 1.0 - rejection, ways[drawn],
        details["sweeps_between"], np.array(sides).T, place, meaning,
    )  # fmt: skip
