"""What the page shows of one fit to statisticians: numbers, tables, and ArviZ's figures of its draws."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
import pandas as pd
import xarray as xr

from bayes_nn.inference.drawing.figure import as_data_uri


class Picture(NamedTuple):
    """A figure on a page, or why there is none.

    Attributes:
        title: of the figure.
        note: how to read it.
        source: as a data URI; empty where ArviZ could not draw it.
        failure: why not, in one line.
    """

    title: str
    note: str
    source: str = ""
    failure: str = ""


@dataclass(frozen=True)
class FitSection:
    """What is known of the draws of one fit.

    Attributes:
        name: of the prior.
        facts: pairs (what, value) on the run, in words.
        reasons: why not to trust it, with their codes.
        record: of the draws, as ArviZ reads it; None where nothing was kept.
        summary: ArviZ's summary of the watched quantities; None where it failed.
        shown: names of the quantities that figures show.
        loo: ArviZ's leave-one-out estimate with Pareto k of every row; None where it failed.
        failures: what ArviZ could not compute, by the name of its function.
        missing: figures that make no sense for the sampler, with the reason, by the name of ArviZ's function.
    """

    name: str
    facts: Sequence[tuple[str, str]]
    reasons: Sequence[str] = ()
    record: xr.DataTree | None = None
    summary: pd.DataFrame | None = None
    shown: Sequence[str] = ()
    loo: Any = None
    failures: Mapping[str, str] = field(default_factory=dict)
    missing: Mapping[str, str] = field(default_factory=dict)


def pictures_of(section: FitSection) -> list[Picture]:
    """ArviZ's figures of the draws, each drawn or with a line that says why not.

    Args:
        section: with a record.
    """
    if section.record is None:
        return []
    found = []
    for name, (title, note, draw) in _FIGURES.items():
        if name in section.missing:
            found.append(Picture(title, note, failure=section.missing[name]))
            continue
        try:
            found.append(Picture(title, note, _drawn(draw, section)))
        except Exception as error:  # whatever ArviZ raises must not cost the reader the page
            found.append(Picture(title, note, failure=one_line(name, error)))
    return found


def one_line(name: str, error: Exception) -> str:
    r"""That a function of ArviZ failed, in one line.

    Example:
        >>> one_line("plot_energy", ValueError("no energy\nat all"))
        'arviz.plot_energy failed on this fit: no energy'
    """
    text = str(error).strip().splitlines()
    return f"arviz.{name} failed on this fit: {text[0][:160] if text else type(error).__name__}"


def _drawn(draw: Callable[[FitSection], Any], section: FitSection) -> str:
    with warnings.catch_warnings(), plt.ioff():
        warnings.simplefilter("ignore")
        figure = draw(section).get_viz("figure")
        try:
            return as_data_uri(figure, dpi=70)
        finally:
            plt.close(figure)


def _panels(section: FitSection, draw: Callable[..., Any], **settings: Any) -> Any:
    """A panel for every quantity shown, side by side."""
    size = {"figsize": (4.2 * max(len(section.shown), 1), 3.4), "layout": "constrained"}
    return draw(section.record, var_names=list(section.shown), figure_kwargs=size, col_wrap=4, **settings)


def _ranks(section: FitSection) -> Any:
    import arviz as az

    size = {"figsize": (11.0, 2.0 * max(len(section.shown), 1) + 0.6)}
    return az.plot_rank_dist(section.record, var_names=list(section.shown), compact=False, figure_kwargs=size)


def _wide(draw: str) -> Callable[[FitSection], Any]:
    """One panel."""

    def drawn(section: FitSection) -> Any:
        import arviz as az

        what = section.loo if draw == "plot_khat" else section.record
        if what is None:
            raise ValueError("arviz.loo failed")
        return getattr(az, draw)(what, figure_kwargs={"figsize": (8.0, 3.4)})

    return drawn


def _evolution(section: FitSection) -> Any:
    import arviz as az

    return _panels(section, az.plot_ess_evolution, n_points=10)


def _autocorrelation(section: FitSection) -> Any:
    import arviz as az

    return _panels(section, az.plot_autocorr, max_lag=50)


#: ArviZ's figures by the name of its function: title, how to read it, and who draws it.
_FIGURES: dict[str, tuple[str, str, Callable[[FitSection], Any]]] = {
    "plot_rank_dist": ("Marginals and ranks", "Chains that agree lie on each other and have flat ranks.", _ranks),
    "plot_ess_evolution": (
        "Effective sample size against draws", "It grows in proportion where chains have mixed.", _evolution,
    ),
    "plot_autocorr": ("Autocorrelation", "It falls to 0 within a few draws where moves are long.", _autocorrelation),
    "plot_energy": (
        "Energy", "Marginal and transitions alike: trajectories reach the tails.", _wide("plot_energy"),
    ),
    "plot_ppc_dist": (
        "Posterior predictive draws against y", "Draws of y look like y where the model fits.", _wide("plot_ppc_dist"),
    ),
    "plot_loo_pit": (
        "Leave-one-out PIT", "Within the band where predictions are calibrated.", _wide("plot_loo_pit"),
    ),
    "plot_khat": (
        "Pareto k of every row", "Above the threshold, leaving that row out says little.", _wide("plot_khat"),
    ),
}  # fmt: skip
