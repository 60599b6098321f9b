"""Convergence, judged in function space: weights are identified only up to symmetries of the network."""

from dataclasses import dataclass

import arviz as az
import numpy as np
from jaxtyping import Array, Float
from scipy import stats

from bayes_nn.inference.posterior.draws import Draws
from bayes_nn.runtime.diagnostic_codes import coded

#: Policy: beyond these a fit is reported as not converged (Vehtari et al. 2021, Bayesian Analysis 16).
LARGEST_R_HAT = 1.05
SMALLEST_ESS_PER_CHAIN = 25.0
#: Rate at which draws that are all independent and alike show a larger R-hat than :func:`largest_by_chance`.
CHANCE = 0.01
#: Most training inputs, and most test inputs, at which f is watched.
MOST_INPUTS = 50


#: What helps where chains disagree, by sampler; the modes that Markov chains stay in are what replica exchange is for.
ADVICE = {"smc": "raise particles, accepted_moves or max_steps", "replica_exchange": "raise rounds"}


@dataclass(frozen=True)
class Convergence:
    """Diagnostics of f at up to 50 training inputs, of the log likelihood, and of the sampler.

    Where it was judged at test inputs as well, f at up to 50 of those is among them.

    Attributes:
        r_hat: largest rank-normalised split R-hat over functions and log likelihood.
        ess_bulk: smallest bulk effective sample size.
        ess_tail: smallest tail effective sample size.
        divergences: number of divergent trajectories.
        reasons: what is wrong, in words; empty where nothing is.
        by_chance: R-hat that as many draws would show by chance, however alike chains are; see
            :func:`largest_by_chance`.

    Example:
        >>> print(Convergence(1.01, 400.0, 300.0, 0))
        converged (R-hat 1.010, bulk ESS 400, tail ESS 300)
    """

    r_hat: float
    ess_bulk: float
    ess_tail: float
    divergences: int
    reasons: tuple[str, ...] = ()
    by_chance: float = 1.0

    @property
    def converged(self) -> bool:
        """Whether no diagnostic failed."""
        return not self.reasons

    @property
    def chains_agree(self) -> bool:
        """Whether R-hat is within its limit, or may be larger by chance; true for a single chain."""
        return not self.r_hat > max(LARGEST_R_HAT, self.by_chance)

    @property
    def outcome(self) -> str:
        """Whether it converged, and the numbers, without the reasons."""
        numbers = f"R-hat {self.r_hat:.3f}, bulk ESS {self.ess_bulk:.0f}, tail ESS {self.ess_tail:.0f}"
        return f"converged ({numbers})" if self.converged else f"NOT CONVERGED ({numbers})"

    def __str__(self) -> str:
        return self.outcome if self.converged else f"{self.outcome}: {'; '.join(self.reasons)}"


def judge_convergence(
    posterior: Draws, sampler_reasons: tuple[str, ...] = (), more_inputs: Float[Array, "T *shape"] | None = None
) -> Convergence:
    """Diagnostics of a posterior; exact ones converge by definition.

    Args:
        posterior: the draws.
        sampler_reasons: why the sampler distrusts them, beyond what they show themselves.
        more_inputs: where f is to have converged besides, such as test inputs; on the model's scale.
    """
    chains, draws = posterior.shape
    if posterior.sampler in ("exact", "frozen"):
        return Convergence(1.0, float(chains * draws), float(chains * draws), 0)
    at_training = _some(posterior.function_draws["f"])
    watched = {"": np.concatenate([at_training, posterior.log_likelihood[..., None]], axis=-1)}
    if more_inputs is not None and len(more_inputs):
        watched[" at test inputs"] = _some(posterior.function_draws_at(more_inputs[_spread(len(more_inputs))]))
    divergences = int(np.sum(posterior.sample_stats.get("diverging", 0)))
    advice = ADVICE.get(posterior.sampler, 'draw more or longer, or try sampler="replica_exchange"')
    reasons = list(sampler_reasons)
    # R-hat and ESS of such quantities are NaN, which no threshold catches.
    if not np.isfinite(watched[""]).all():
        what = "f or the log likelihood is not finite in some draws: look at X, y and the likelihood's scale"
        reasons.append(coded("B103", what))
    elif posterior.values and all(np.ptp(value, axis=1).max() == 0.0 for value in posterior.values.values()):
        reasons.append(coded("B104", "no chain has moved: all its draws are the same"))
    if chains == 1:
        reasons.append(coded("B105", "a single chain cannot be checked: run at least 2"))
    found = {where: _diagnostics(quantities) for where, quantities in watched.items()}
    for where, (r_hat, bulk, tail) in found.items():
        if where and not np.isfinite(watched[where]).all():
            reasons.append(coded("B103", f"f is not finite in some draws{where}: look at their scale"))
        if r_hat > LARGEST_R_HAT:
            what = f"R-hat {r_hat:.3f}{where} exceeds {LARGEST_R_HAT}: chains disagree; {advice}"
            reasons.append(coded("B101", what))
        if min(bulk, tail) < SMALLEST_ESS_PER_CHAIN * chains:
            bound = f"{SMALLEST_ESS_PER_CHAIN * chains:.0f} ({SMALLEST_ESS_PER_CHAIN:.0f} for each of {chains})"
            what = f"effective sample size {min(bulk, tail):.0f}{where} is below {bound}: {advice}"
            reasons.append(coded("B102", what))
    if divergences > 0.01 * chains * draws:
        cure = "max_steps may be too large" if posterior.sampler in ADVICE else "raise target_accept"
        reasons.append(coded("B106", f"{divergences} divergent trajectories: {cure}"))
    r_hats, bulks, tails = zip(*found.values(), strict=True)
    by_chance = largest_by_chance(chains, draws, sum(quantities.shape[2] for quantities in watched.values()))
    return Convergence(max(r_hats), min(bulks), min(tails), divergences, tuple(reasons), by_chance)


def largest_by_chance(chains: int, draws: int, quantities: int) -> float:
    """R-hat that the largest of several quantities rarely exceeds where all draws are independent and alike.

    For split chains of m draws, R-hat is ``sqrt((m - 1 + F) / m)`` with the F statistic of an analysis of variance. The
    rate ``CHANCE`` is shared by the quantities and their folded values, as if these were independent.

    Args:
        chains: at least 1.
        draws: of each.
        quantities: watched.

    Example:
        >>> [round(largest_by_chance(4, draws, 50), 2) for draws in (16, 32, 128, 1000)]
        [1.24, 1.11, 1.03, 1.0]
    """
    m = draws // 2
    if m < 2:
        return float("inf")
    F = float(stats.f.isf(CHANCE / (2 * quantities), 2 * chains - 1, 2 * chains * (m - 1)))
    return ((m - 1 + F) / m) ** 0.5


def _spread(rows: int) -> np.ndarray:
    """Numbers of up to ``MOST_INPUTS`` rows, evenly spread."""
    return np.linspace(0, rows - 1, min(MOST_INPUTS, rows)).astype(int)


def _some(f: Float[np.ndarray, "chains draws rows C"]) -> Float[np.ndarray, "chains draws quantities"]:
    """f at these rows, every output a quantity."""
    return f[:, :, _spread(f.shape[2])].reshape(*f.shape[:2], -1)


def _diagnostics(watched: Float[np.ndarray, "chains draws quantities"]) -> tuple[float, float, float]:
    """Largest R-hat (NaN for a single chain), smallest bulk and smallest tail effective sample size."""
    quantities = az.dict_to_dataset({"quantity": watched})
    r_hat = float(az.rhat(quantities)["quantity"].max()) if len(watched) > 1 else float("nan")
    bulk, tail = (float(az.ess(quantities, method=method)["quantity"].min()) for method in ("bulk", "tail"))
    return r_hat, bulk, tail
