"""A verdict in two sentences, from its numbers."""

import math

from bayes_nn.inference.verdict.verdict import Verdict


def in_two_sentences(verdict: Verdict) -> str:
    """What the data say of the network, and by how much.

    Args:
        verdict: of a comparison.

    Example:
        >>> in_two_sentences(Verdict("undecided", reasons=("the candidates lack an NNGP",)))
        'The candidates lack an NNGP. There is no network and no NNGP whose numbers could be compared.'
    """
    finding = _finding(verdict)
    return f"{finding[:1].upper()}{finding[1:]}. {_numbers(verdict)}."


def _finding(verdict: Verdict) -> str:
    network, found = verdict.network, verdict.explained_by
    match verdict.outcome:
        case "needs hidden features":
            return f"No prior without them does as well as {network}"
        case "no finite-width gain":
            return f"{found}, of infinite width, does as well as {network}"
        case "undecided":
            return verdict.reasons[0] if verdict.reasons else "the data or the computation cannot tell"
        case _:
            return f"{found}, which learns no hidden features, does as well as {network}"


def _numbers(verdict: Verdict) -> str:
    if not verdict.network:
        return "There is no network and no NNGP whose numbers could be compared"
    gains = f"{verdict.log_bayes_factor:+.1f} \u00b1 {verdict.log_bayes_factor_error:.1f} nats of evidence"
    if math.isfinite(verdict.gain):
        gains += f" and {verdict.gain:+.3f} \u00b1 {verdict.gain_error:.3f} nats per test point"
    moved = ""
    if math.isfinite(verdict.feature_information):
        moved = f", and the data moved its hidden weights by {verdict.feature_information:.1f} nats"
    return f"Over {verdict.nngp} the network gains {gains}{moved}"
