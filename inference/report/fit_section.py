"""What is known of the draws of one fit, for pages and plots: facts, tables, and what ArviZ could not compute."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
import xarray as xr

from bayes_nn.priors.prior import RUNG_NAMES


@dataclass(frozen=True, eq=False)
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
        rung: of the prior, in words; figures are drawn in shades of its colour.
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
    rung: str = RUNG_NAMES[None]

    @property
    def chains(self) -> int:
        """Chains, islands or systems of the record."""
        return 0 if self.record is None else int(self.record.attrs["chains"])


def one_line(name: str, error: Exception) -> str:
    r"""That a function of ArviZ failed, in one line.

    Example:
        >>> one_line("plot_energy", ValueError("no energy\nat all"))
        'arviz.plot_energy failed on this fit: no energy'
    """
    text = str(error).strip().splitlines()
    return f"arviz.{name} failed on this fit: {text[0][:160] if text else type(error).__name__}"
