"""ArviZ's diagnostics of fits: summaries, leave-one-out estimates, and what is known of the run, for the page."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import arviz as az
import numpy as np
import pandas as pd
import xarray as xr

from bayes_nn.inference.problem.chain_weights import ChainWeights, stacked
from bayes_nn.inference.report.fit_section import FitSection, one_line
from bayes_nn.priors.prior import RUNG_NAMES

#: Quantities that figures show: those of smallest effective sample size.
SHOWN = 4
#: What draws of a sampler are, where its name does not say so.
_OF = {"adaptive_importance": ", thinned, of Metropolis chains whose proposals are the weighted draws"}
#: Samplers whose draws are no chain, in words.
_INDEPENDENT = {"exact": "draws are independent of each other", "frozen": "draws are those of the prior"}
_NO_CHAIN = {
    "smc": "particles are no chain", "adaptive_importance": "proposals do not depend on the draw before",
} | _INDEPENDENT  # fmt: skip


def fit_section(
    name: str,
    record: xr.DataTree | None,
    details: Mapping[str, Any],
    reasons: Sequence[str] = (),
    more_facts: Sequence[tuple[str, str]] = (),
    rung: str = RUNG_NAMES[None],
) -> FitSection:
    """What statisticians are shown of a fit; what ArviZ cannot compute is said, and the rest is shown.

    Args:
        name: of the prior.
        record: of its draws, by :func:`~bayes_nn.inference.posterior.record.fit_record`; None where nothing was kept.
        details: of the evidence.
        reasons: why not to trust the fit.
        more_facts: pairs (what, value), first in the list.
        rung: of the prior, in words.
    """
    facts = [*more_facts, *_facts(record, details)]
    if record is None:
        return FitSection(name, facts, reasons, rung=rung)
    failures: dict[str, str] = {}
    summary = _tried("summary", failures, lambda: az.summary(record, round_to="none"))
    loo = _tried("loo", failures, lambda: _loo(record)) if "log_likelihood" in record else None
    if "log_likelihood" not in record:
        failures["loo"] = "no leave-one-out estimate: rows depend on each other given the latents"
    shown: list[str] = []
    if summary is not None:
        shown = list(summary["ess_bulk"].astype(float).sort_values(kind="stable").index[:SHOWN])
    return FitSection(name, facts, reasons, record, summary, shown, loo, failures, _missing(record), rung)


def compare_by_loo(
    sections: Sequence[FitSection], log_evidence: Mapping[str, float]
) -> tuple[pd.DataFrame | None, str]:
    """``arviz.compare`` of the fits that have a leave-one-out estimate, with the log evidence beside it.

    Args:
        sections: of all fits.
        log_evidence: nats, by name.

    Returns:
        The table, and why there is none.
    """
    known = {one.name: one.loo for one in sections if one.loo is not None}
    if len(known) < 2:
        return None, "fewer than two fits have a leave-one-out estimate"
    failures: dict[str, str] = {}
    table = _tried("compare", failures, lambda: az.compare(known, round_to="none"))
    if table is None:
        return None, failures["compare"]
    return table.assign(log_evidence=[log_evidence[name] for name in table.index]), ""


def stacking_weights(record: xr.DataTree) -> ChainWeights:
    """Stacking weights of the chains, by leave-one-out densities of the rows in the record under every chain alone.

    Args:
        record: of the draws.

    Returns:
        The weights; equal ones with a note where rows depend on each other given the latents.
    """
    if "log_likelihood" not in record and "leave_one_out" not in record:
        return ChainWeights.alike(int(record.attrs["chains"]), "rows depend on each other given the latents")
    of_rows = _pointwise(record)["y"].transpose("chain", "draw", ...).values.astype(float)
    return stacked(of_rows.reshape(*of_rows.shape[:2], -1))


def _pointwise(record: xr.DataTree) -> xr.Dataset:
    """Log densities of rows under every draw: with f integrated out, where these are known."""
    return record["leave_one_out" if "leave_one_out" in record else "log_likelihood"].to_dataset()


def _loo(record: xr.DataTree) -> Any:
    """With the efficiency of the draws that were kept, which the thinned ones cannot fall below."""
    kept = _pointwise(record)
    record = xr.DataTree.from_dict({"posterior": record["posterior"].to_dataset(), "log_likelihood": kept})
    draws = kept.sizes["chain"] * kept.sizes["draw"]
    ess = az.ess(record["posterior"].to_dataset(), method="mean")
    mean = float(np.nanmean([float(one) for one in ess.data_vars.values()]))
    return az.loo(record, pointwise=True, reff=float(np.clip(mean / draws, 1e-3, 1.0)))


def _tried(function: str, failures: dict[str, str], compute: Callable[[], Any]) -> Any:
    """The result of a function of ArviZ, or None and a line among the failures."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return compute()
        except Exception as error:  # whatever ArviZ raises must not cost the reader the page
            failures[function] = one_line(function, error)
            return None


def _missing(record: xr.DataTree) -> dict[str, str]:
    """Figures that make no sense for these draws, with the reason."""
    sampler = record.attrs["sampler"]
    missing = {}
    if sampler in _INDEPENDENT:
        missing = dict.fromkeys(("plot_ess_evolution", "plot_autocorr"), f"not shown: {_INDEPENDENT[sampler]}")
    if sampler in _NO_CHAIN:
        missing["plot_energy"] = f"not shown: {_NO_CHAIN[sampler]}, so there are no transitions of energy"
    if "log_likelihood" not in record:
        unknown = "not shown: rows have no log likelihoods of their own"
        missing |= {"plot_loo_pit": unknown, "plot_khat": unknown}
    return missing


def _facts(record: xr.DataTree | None, details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of a run, in words."""
    facts = []
    if record is not None:
        about = record.attrs
        facts += [
            (
                "sampler",
                f"{about['sampler']}, {about['chains']} x {about['draws']} draws{_OF.get(about['sampler'], '')}",
            ),
            ("convergence", about["convergence"]),
        ]
        facts += _moves(record["sample_stats"].to_dataset() if "sample_stats" in record else xr.Dataset(), details)
    for name, what in (("island", "islands"), ("system", "systems"), ("permutation", "orders of the data")):
        for of in ("log_evidence", "code_length"):
            if values := details.get(f"{of}_by_{name}"):
                islands = "chains" if "pareto_k" in details else what
                facts.append((f"{of.replace('_', ' ')} of {islands}", _listed(values)))
    if "predictions" in details:
        facts.append(("predictions", details["predictions"]))
    if "pareto_k" in details:
        quality = f"{details['effective_draws']:,.0f} are effective, Pareto k {details['pareto_k']:.2f}"
        facts.append(("of the weighted draws behind the evidence", quality))
    if "likelihood_evaluations" in details:
        facts.append(("likelihoods", f"{details['likelihood_evaluations']:,}"))
    if "rejection" in details:
        swaps = 1.0 - np.array(details["rejection"])
        facts += [
            ("levels", f"{len(swaps) + 1}, barrier {details['barrier']:.2f}"),
            ("swap rates of neighbouring levels", f"{swaps.min():.2f} to {swaps.max():.2f}, mean {swaps.mean():.2f}"),
            ("journeys between prior and posterior", _listed(details["journeys"], 0)),
            ("log evidence from below, of systems", _listed(details["lower_by_system"])),
            ("log evidence from above, of systems", _listed(details["upper_by_system"])),
            ("log evidence of rounds", _listed(details["log_evidence_by_round"])),
        ]
    if "gradient_evaluations" in details:
        facts.append(("gradients", f"{details['gradient_evaluations']:,}"))
    return facts


def _moves(stats: xr.Dataset, details: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Acceptance, steps and divergences of every chain."""
    facts = []
    for name, what, digits in (("acceptance_rate", "acceptance", 2), ("n_steps", "steps per draw", 1)):
        if name in stats:
            facts.append((f"{what} of chains", _listed(stats[name].mean("draw").values, digits)))
    if "step_size" in stats:
        facts.append(("step sizes of chains", _listed(stats["step_size"].mean("draw").values, 3)))
    elif "step_size_by_island" in details:
        steps = np.array(details["step_size_by_island"])
        facts.append(("step sizes of islands", _listed(steps.reshape(len(steps), -1).mean(axis=1), 3)))
    if "diverging" in stats:
        facts.append(("divergent trajectories", str(int(stats["diverging"].sum()))))
    return facts


def _listed(values: Sequence[float] | np.ndarray, digits: int = 2) -> str:
    return ", ".join(f"{value:.{digits}f}" for value in values)
