"""Names of priors without what all of them share, for tables that have little room."""

from collections.abc import Mapping, Sequence

#: Between the parts of a name such as ``NNGP(relu, depth=1)``.
_SEPARATOR = ", "


def short_names(names: Sequence[str]) -> tuple[dict[str, str], str]:
    """Names without the architecture that all share, each still unique, and that architecture.

    Args:
        names: unique.

    Example:
        >>> short, shared = short_names(["NNGP(relu, depth=1)", "BayesianNetwork(relu, depth=1, width=6)", "Matern"])
        >>> list(short.values()), shared
        (['NNGP', 'BayesianNetwork(width=6)', 'Matern'], 'relu, depth=1')
    """
    architectures = {tuple(one[:2]) for one in map(_arguments, names) if len(one) > 1 and one[1].startswith("depth=")}
    unchanged = {name: name for name in names}
    if len(architectures) != 1:
        return unchanged, ""
    shared = _SEPARATOR.join(*architectures)
    short = {name: name.replace(shared, "", 1).replace(f"({_SEPARATOR}", "(").replace("()", "") for name in names}
    return (short, shared) if len(set(short.values())) == len(names) else (unchanged, "")


def shortened(text: str, short: Mapping[str, str]) -> str:
    """A text with short names in it.

    Args:
        text: with the names of priors.
        short: short names by names.

    Example:
        >>> shortened("NNGP(relu, depth=1) does", {"NNGP(relu, depth=1)": "NNGP"})
        'NNGP does'
    """
    for name in sorted(short, key=len, reverse=True):  # the longest first, since a name may begin with another
        text = text.replace(name, short[name])
    return text


def _arguments(name: str) -> list[str]:
    return name.partition("(")[2].partition(")")[0].split(_SEPARATOR)
