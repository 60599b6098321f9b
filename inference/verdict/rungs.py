"""The rungs of the ladder of priors, from the infinite width to hidden features."""

from collections.abc import Iterable

from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.priors.prior import RUNG_NAMES

#: What z may change on every rung, and what the outcome is called where that rung is the lowest that explains the gain.
OUTCOMES = "no finite-width gain", "explained by scale", "explained by a learned input metric", "needs hidden features"
RUNGS = {rung: (RUNG_NAMES[rung], outcome) for rung, outcome in enumerate(OUTCOMES)}
#: The same for priors without hidden weights that are on no rung, such as kernels that a user brings.
OTHER = ("another kernel", "explained by a better prior")
#: The name of the rung that an outcome names; empty where it names none.
RUNG_OF_OUTCOME = {outcome: name for name, outcome in (*RUNGS.values(), OTHER)} | {"undecided": ""}


def is_feature_free(row: PriorResult) -> bool:
    """Whether a prior has no hidden weights, and was not made from the data that it is fitted to."""
    return not (row.has_hidden_weights or row.learns_features or row.peeks)


def best(rows: Iterable[PriorResult]) -> PriorResult:
    """The row of highest evidence."""
    return max(rows, key=lambda row: row.log_evidence)


def climbed(rows: Iterable[PriorResult]) -> list[tuple[int | None, list[PriorResult]]]:
    """The feature-free rows of every rung that has some, from the lowest, and last those on no rung."""
    free = [row for row in rows if is_feature_free(row)]
    groups = [(rung, [row for row in free if row.rung == rung]) for rung in (0, 1, 2, None)]
    return [(rung, group) for rung, group in groups if group]
