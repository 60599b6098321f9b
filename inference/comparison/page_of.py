"""The page on a comparison: what is known of its rows, its verdict and its fits, brought together."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import pandas as pd
import xarray as xr

from bayes_nn.inference.features.feature_record import figure_of_features
from bayes_nn.inference.posterior.diagnostics import compare_by_loo, fit_section
from bayes_nn.inference.report.fit_section import FitSection
from bayes_nn.inference.report.page import KernelScores, Page
from bayes_nn.inference.verdict.mixture import describe_mixture
from bayes_nn.inference.verdict.prior_result import CODE_LENGTH, PriorResult
from bayes_nn.inference.verdict.sentences import in_two_sentences
from bayes_nn.inference.verdict.short_names import short_names, shortened
from bayes_nn.inference.verdict.verdict import Verdict


def page_of(
    rows: Sequence[PriorResult],
    table: pd.DataFrame,
    verdict: Verdict,
    sections: Sequence[FitSection],
    features: xr.Dataset | None,
    feature_free: PriorResult | None,
    figures: Mapping[str, Any],
    **about: Any,
) -> Page:
    """Everything that the page shows.

    Args:
        rows: of the comparison, best evidence first.
        table: of the same.
        verdict: on them.
        sections: on the draws of the first split, in the order of the rows.
        features: what the features of the judged network became, where that is known.
        feature_free: all feature-free priors as one.
        figures: waterfall, evidence and predictions, by name.
        about: what :class:`Page` takes as it is: settings, provenance, n_train, standardized.
    """
    short, shared = short_names([row.name for row in rows])
    bounds = pd.DataFrame([row.bounds for row in rows], columns=["lower", "upper"], index=table.index)
    loo, loo_failure = compare_by_loo(sections, {row.name: row.log_evidence_by_split[0] for row in rows})
    contradictions = [reason for reason in verdict.reasons if "contradict" in reason]
    comparable = [row.name for row in rows if row.has_comparable_evidence]
    if loo is not None and comparable and loo.index[0] != comparable[0] and loo.index[0] in comparable:
        contradictions.append(
            f"the best by leave-one-out, {loo.index[0]}, is not the best by evidence, {comparable[0]}"
        )
    listed = {f"{row.name}: {reason}" for row in rows for reason in row.reasons}
    own = tuple(reason for reason in verdict.reasons if reason not in listed)
    return Page(
        verdict=_shortened_parts(asdict(replace(verdict, reasons=own)), short),
        table=table.join(bounds).assign(rung=[row.rung_name for row in rows]).reset_index().to_dict("records"),
        reasons=[(row.name, reason) for row in rows for reason in row.reasons],
        code_lengths=[row.name for row in rows if row.method == CODE_LENGTH],
        approximations=[(row.name, row.approximation) for row in rows if row.approximation],
        peeking=[row.name for row in rows if row.peeks],
        accuracy="accuracy" in table,
        mixture=shortened(describe_mixture(feature_free), short),
        kernels=_kernels(features),
        features=None if features is None else figure_of_features(features),
        sentences=shortened(in_two_sentences(verdict), short),
        short=short,
        shared=shared,
        information=[_information(row) for row in rows if row.feature_information != 0.0],
        contradictions=[shortened(one, short) for one in contradictions],
        fits=sections,
        loo=None if loo is None else loo.rename(index=short),
        loo_failure=loo_failure,
        **figures,
        **about,
    )


def _shortened_parts(parts: dict[str, Any], short: Mapping[str, str]) -> dict[str, Any]:
    """The texts among the parts, and in tuples of them, with short names."""
    made: dict[str, Any] = {}
    for name, part in parts.items():
        made[name] = shortened(part, short) if isinstance(part, str) else part
        if isinstance(part, tuple) and all(isinstance(one, str) for one in part):
            made[name] = tuple(shortened(one, short) for one in part)
    return made


def sections_of(rows: Sequence[PriorResult], records: Mapping[str, xr.DataTree]) -> list[FitSection]:
    """What is known of the draws of every row.

    Args:
        rows: of the comparison.
        records: of the draws of the first split, by name.
    """
    return [
        fit_section(row.name, records.get(row.name), row.details, row.reasons, _evidence_of(row), row.rung_name)
        for row in rows
    ]


def _evidence_of(row: PriorResult) -> list[tuple[str, str]]:
    values = ", ".join(
        f"{value:.2f} \u00b1 {mcse:.2f}"
        for value, mcse in zip(row.log_evidence_by_split, row.mcse_by_split, strict=True)
    )
    return [("log evidence" if len(row.mcse_by_split) == 1 else "log evidence of splits", f"{values} ({row.method})")]


def _information(row: PriorResult) -> dict[str, float | str]:
    """What the data spent on hidden weights or a metric."""
    return {
        "prior": row.name,
        "value": row.feature_information,
        "mcse": row.feature_information_mcse,
        "on_scale": row.nats_on_scale,
        "on_shape": row.nats_on_shape,
    }


def _kernels(features: xr.Dataset | None) -> list[KernelScores]:
    """Scores of the judged network's kernels, where they are known."""
    if features is None:
        return []
    names = "before the data (NNGP)", "after the data"
    return [KernelScores(name, *map(float, score)) for name, score in zip(names, features["score"].values, strict=True)]
