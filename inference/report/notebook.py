"""What notebooks show of results: small tables and lists, all text escaped."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape

import pandas as pd

from bayes_nn.runtime.diagnostic_codes import DIAGNOSTICS, codes_in
from bayes_nn.runtime.diagnostic_paragraphs import PARAGRAPHS


def as_list(heading: str, lines: Sequence[str]) -> str:
    """A heading and a list of lines under it.

    Example:
        >>> as_list("a < b", ["one"])
        '<div><strong>a &lt; b</strong><ul><li>one</li></ul></div>'
    """
    items = "".join(f"<li>{escape(line.strip())}</li>" for line in lines)
    return f"<div><strong>{escape(heading)}</strong>{f'<ul>{items}</ul>' if items else ''}</div>"


def as_pairs(heading: str, pairs: Mapping[str, str]) -> str:
    """A heading and a table of two columns under it.

    Example:
        >>> as_pairs("NNGP", {"rows": "30"})
        '<div><strong>NNGP</strong><table><tr><th>rows</th><td>30</td></tr></table></div>'
    """
    rows = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in pairs.items())
    return f"<div><strong>{escape(heading)}</strong><table>{rows}</table></div>"


def as_table(frame: pd.DataFrame) -> str:
    """A table with three decimals.

    Example:
        >>> "<td>0.333</td>" in as_table(pd.DataFrame({"third": [1 / 3]}))
        True
    """
    return frame.to_html(float_format="{:.3f}".format, na_rep="n/a", border=0, escape=True)


def as_paragraphs(reasons: Iterable[str]) -> str:
    """What to do about the codes that reasons carry, each to be unfolded; nothing where they carry none.

    Example:
        >>> as_paragraphs(["R-hat 1.2 [B101]"]).partition("<br>")[0]
        '<div><details><summary>B101: chains disagree</summary>The rank-normalised R-hat of f at some ...'
    """
    folded = "".join(
        f"<details><summary>{code}: {DIAGNOSTICS[code].name}</summary>{escape(PARAGRAPHS[code])}</details>"
        for code in codes_in(reasons)
    )
    return f"<div>{folded}</div>" if folded else ""
