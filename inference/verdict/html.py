"""A comparison as a notebook shows it."""

from collections.abc import Sequence

import pandas as pd

from bayes_nn.inference.report.notebook import as_list, as_paragraphs, as_table
from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.inference.verdict.verdict import Verdict


def comparison_html(table: pd.DataFrame, rows: Sequence[PriorResult], together: str, verdict: Verdict) -> str:
    """The table, what is not reliable, the mixture of feature-free priors, the verdict, and what to do about codes.

    Args:
        table: one row per prior.
        rows: what is known of every prior.
        together: what all feature-free priors as one are worth; empty where not known.
        verdict: on all of them.

    Example:
        >>> comparison_html(pd.DataFrame(), [], "", Verdict("undecided")).endswith("undecided</strong></div>")
        True
    """
    reasons = [f"{row.name}: {reason}" for row in rows for reason in row.reasons]
    distrusted = [as_list("Not reliable", reasons)] if reasons else []
    mixture = [as_list(together, ())] if together else []
    what_to_do = as_paragraphs([*reasons, *verdict.reasons])
    return "".join([as_table(table), *distrusted, *mixture, verdict.listed, what_to_do])
