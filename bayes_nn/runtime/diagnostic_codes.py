"""Stable codes of what may fail a fit or its evidence, with what to do about each.

B1xx concern draws, B2xx evidences. A code keeps its meaning for good: new ones are added, none is used again.
:mod:`bayes_nn.runtime.diagnostic_paragraphs` and ``docs/diagnostics.md`` have a paragraph for each.
"""

import re
from collections.abc import Iterable
from typing import NamedTuple


class Diagnostic(NamedTuple):
    """What may fail.

    Attributes:
        name: in a few words.
        what_to_do: in a sentence.
    """

    name: str
    what_to_do: str


#: All of them, by code.
DIAGNOSTICS = {
    "B101": Diagnostic(
        "chains disagree", 'Draw more or longer; where modes are separated, sampler="replica_exchange".'
    ),
    "B102": Diagnostic("too few effective draws", "Draw more: draws of chains, particles of SMC, rounds of exchange."),
    "B103": Diagnostic("draws that are not finite", "Look at X, y and the likelihood for values of extreme scale."),
    "B104": Diagnostic(
        "no chain has moved", "Look at the scale of the data; fewer steps per trajectory, more warm-up."
    ),
    "B105": Diagnostic("a single chain", "Run at least 2 chains or islands, so that they can check each other."),
    "B106": Diagnostic("divergent trajectories", "Raise target_accept of Markov chains; lower max_steps of SMC."),
    "B107": Diagnostic("few moves accepted", "Raise particles or islands, or lower max_steps."),
    "B108": Diagnostic("posterior not reached", "Raise max_temperatures."),
    "B109": Diagnostic("few particles survive", "Raise particles, or target_ess."),
    "B110": Diagnostic("draws do not carry over to another prior", "Fit under the other prior itself."),
    "B201": Diagnostic(
        "estimates of the evidence disagree", 'Raise particles; where modes are separated, "replica_exchange".'
    ),
    "B202": Diagnostic("agreement may be luck", "Raise islands."),
    "B203": Diagnostic("evidence not closed from both sides", "Raise rounds."),
    "B204": Diagnostic("rounds disagree or are too few", "Raise rounds, or max_seconds."),
    "B205": Diagnostic("replicas do not travel", "Raise rounds, or max_seconds."),
    "B206": Diagnostic("two methods contradict each other", "Trust neither: run both longer, and a third method."),
    "B207": Diagnostic("checks on the same run fail", "Raise particles or accepted_moves."),
    "B208": Diagnostic("a grid that does not hold the posterior", 'Use method="smc".'),
    "B209": Diagnostic("few prior draws carry the evidence", 'Use method="smc", or more draws.'),
    "B210": Diagnostic("an approximation around one peak", 'Use method="smc" or "replica_exchange".'),
    "B211": Diagnostic("nested sampling did not end", "Raise max_seconds, or use another method."),
}
#: A code in a text.
CODE = re.compile(r"\[(B\d{3})\]")


def coded(code: str, reason: str) -> str:
    """A reason with its code behind it.

    Args:
        code: one of ``DIAGNOSTICS``.
        reason: in words.

    Raises:
        KeyError: for a code that is none.

    Example:
        >>> coded("B101", "R-hat 1.200 exceeds 1.05")
        'R-hat 1.200 exceeds 1.05 [B101]'
    """
    _ = DIAGNOSTICS[code]
    return f"{reason} [{code}]"


def codes_in(reasons: Iterable[str]) -> list[str]:
    """The codes that reasons carry, each once, in order.

    Args:
        reasons: texts.

    Example:
        >>> codes_in(["the islands disagree [B201]", "R-hat 1.2 [B101]", "again [B201]"])
        ['B101', 'B201']
    """
    return sorted({code for reason in reasons for code in CODE.findall(reason) if code in DIAGNOSTICS})
