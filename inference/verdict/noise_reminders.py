"""What the residuals of a comparison say of the noise, once for all rows."""

from collections.abc import Sequence

from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.inference.verdict.rungs import best


def noise_reminders(rows: Sequence[PriorResult]) -> tuple[str, ...]:
    """What contradicts Gaussian noise under the prior of highest evidence, and how many others share it.

    The noise is not to blame where that prior has no such note. Every row is tested at its part of the rate of false
    notes. That holds if another row made the data, too: such data that give a row the higher evidence and a note are at
    least as probable under that row, whose rate of notes is known.

    Args:
        rows: of a comparison.

    Example:
        >>> noise_reminders([])
        ()
    """
    comparable = [row for row in rows if row.has_comparable_evidence]
    if not comparable:
        return ()
    first = best(comparable)
    reminders = []
    for kind, note in first.noise_notes.items():
        others = sum(kind in row.noise_notes for row in rows if row is not first)
        shared = f" and {others} of {len(rows) - 1} other priors" if len(rows) > 1 else ""
        reminders.append(f"under {first.name}{shared}, {note}")
    return tuple(reminders)
