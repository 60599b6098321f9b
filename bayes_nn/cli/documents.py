"""What the commands of ``bayes-nn`` answer machines: one document of plain values, NaN as null."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bayes_nn.inference.comparison.result import Comparison
    from bayes_nn.inference.comparison.sweep import Sweep
    from bayes_nn.inference.posterior.posterior import Posterior


def comparison_document(result: Comparison, files: Sequence[Path]) -> dict[str, Any]:
    """A comparison: outcome, sentences, verdict, priors, settings, provenance and the files that were written."""
    from bayes_nn.inference.verdict.sentences import in_two_sentences

    table = result.table.reset_index().to_dict("records")
    priors = [
        record | {"lower": row.bounds[0], "upper": row.bounds[1], "method": row.method} | _reasons(row.reasons)
        for record, row in zip(table, result.rows, strict=True)
    ]
    return plain(
        {
            "outcome": result.verdict.outcome,
            "explained_by": result.verdict.explained_by,
            "sentences": in_two_sentences(result.verdict),
            "verdict": asdict(result.verdict),
            "priors": priors,
            "training_rows": result.n_train,
            "standardized": result.standardized,
            "settings": result.settings,
            "provenance": result.provenance,
            "files": files,
        }
    )


def sweep_document(result: Sweep, files: Sequence[Path]) -> dict[str, Any]:
    """A sweep: its outcome, a record for every architecture and width, and the comparison of every architecture."""
    comparisons = {name: comparison_document(one, ()) for name, one in result.comparisons.items()}
    table = result.table.reset_index().to_dict("records")
    return plain({"outcome": result.outcome, "table": table, "comparisons": comparisons, "files": files})


def fit_document(posterior: Posterior, files: Sequence[Path]) -> dict[str, Any]:
    """A fit: prior, sampler, evidence where the sampler found one, and why not to trust it."""
    evidence = posterior.sampler_evidence
    return plain(
        {
            "prior": posterior.prior.name,
            "sampler": posterior.sampler,
            "chains": posterior.shape[0],
            "draws": posterior.shape[1],
            "seconds": posterior.seconds,
            "converged": posterior.convergence.converged,
            "chain_weights": list(posterior.chain_weights.values),
            "log_evidence": evidence and evidence.value,
            "mcse": evidence and evidence.mcse,
            "reliable": not posterior.reasons,
            "noise_notes": posterior.noise_notes,
            "files": files,
        }
        | _reasons(posterior.reasons)
    )


def plain(value: Any) -> Any:
    """A value of plain parts: numbers that are not finite are None, paths and all that is not plain are text.

    Example:
        >>> plain({"gain": float("nan"), "reasons": ("one",), "file": Path("report.html")})
        {'gain': None, 'reasons': ['one'], 'file': 'report.html'}
    """
    if hasattr(value, "item"):  # of NumPy
        value = value.item()
    if isinstance(value, Mapping):
        return {str(name): plain(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | bool | int | float | None) else str(value)


def _reasons(reasons: Sequence[str]) -> dict[str, Any]:
    from bayes_nn.runtime.diagnostic_codes import codes_in

    return {"reasons": list(reasons), "codes": codes_in(reasons)}
