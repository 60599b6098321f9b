"""Colours: one for every rung of the ladder of priors, the same in every plot and on every page.

They are those of Okabe and Ito (2008, "Color Universal Design"), which people with any of the common deficiencies of
colour vision tell apart.
"""

from collections.abc import Iterable

import numpy as np
from matplotlib.colors import to_hex, to_rgb

from bayes_nn.priors.prior import RUNG_NAMES

_BLUE, _SKY_BLUE, _GREEN, _VERMILLION, _PURPLE, _GREY = (
    "#0072b2", "#56b4e9", "#009e73", "#d55e00", "#cc79a7", "#999999",
)  # fmt: skip
#: By the name of the rung, from the lowest; the last but one is a verdict's name for what is on no rung, and the last,
#: which names none, is for what is undecided.
COLOURS = dict(zip(RUNG_NAMES.values(), (_BLUE, _SKY_BLUE, _GREEN, _VERMILLION, _PURPLE), strict=True)) | {
    "another kernel": _PURPLE,
    "": _GREY,
}
#: Of hidden features before the data have moved them, which is the prior of infinite width, and after.
BEFORE, AFTER = COLOURS[RUNG_NAMES[0]], COLOURS[RUNG_NAMES[3]]


def colour_of(rung: str) -> str:
    """The colour of a rung.

    Args:
        rung: its name; empty for what is undecided.

    Example:
        >>> colour_of("infinite width")
        '#0072b2'
    """
    return COLOURS[rung]


def in_order(rungs: Iterable[str]) -> list[str]:
    """The names of rungs, each once, from the lowest.

    Args:
        rungs: names in any order.

    Example:
        >>> in_order(["scale", "infinite width", "scale"])
        ['infinite width', 'scale']
    """
    found = set(rungs)
    return [name for name in COLOURS if name in found]


def shades(colour: str, count: int) -> list[str]:
    """Shades of one colour from dark to light, the colour itself in the middle, for lines that belong to one rung.

    Args:
        colour: of the rung.
        count: how many.

    Example:
        >>> shades("#0072b2", 1)
        ['#0072b2']
        >>> len(set(shades("#0072b2", 4)))
        4
    """
    own, towards = np.array(to_rgb(colour)), np.linspace(-0.5, 0.5, count) if count > 1 else np.zeros(1)
    mixed = [own * (1.0 + one) if one < 0.0 else own + one * (1.0 - own) for one in towards]
    return [to_hex(tuple(one)) for one in mixed]
