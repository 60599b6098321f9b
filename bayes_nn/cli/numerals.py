"""How a file writes its numbers: decimal points or commas, and what separates thousands."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayes_nn.data.frames import in_words, shown

#: Cells that say nothing, in lower case; the words count as such only where the rest of a column are numbers.
BLANK, BLANK_WORDS = "", {"", "na", "n/a", "#n/a", "nan", "-nan", "<na>", "null", "none", "?"}
_EXPONENT = r"(?:[eE][+-]?[0-9]+)?"
#: Separators of thousands that are tried, beside none: those that no decimal sign can be taken for, and the other one.
_SPACES = " '\u00a0\u202f"


@dataclass(frozen=True)
class Numerals:
    """One way of writing numbers.

    Attributes:
        decimal: sign before the fraction, ``"."`` or ``","``.
        thousands: sign between groups of three digits; empty for none.

    Example:
        >>> Numerals(",", ".").read(pd.Series(["1.234,5", "7", ""])).tolist()
        [1234.5, 7.0, nan]
        >>> Numerals(".", "").read(pd.Series(["1.5", "1,5"])) is None
        True
    """

    decimal: str = "."
    thousands: str = ""

    def __str__(self) -> str:
        return f"decimal {self.decimal!r}" + (f" and thousands {self.thousands!r}" if self.thousands else "")

    def is_number(self, cells: pd.Series) -> pd.Series:
        """Which cells are numbers."""
        whole = "[0-9]+"
        if self.thousands:
            whole += f"|[0-9]{{1,3}}(?:{re.escape(self.thousands)}[0-9]{{3}})+"
        point = re.escape(self.decimal)
        return cells.str.fullmatch(f"[+-]?(?:(?:{whole})(?:{point}[0-9]*)?|{point}[0-9]+){_EXPONENT}")

    def read(self, cells: pd.Series) -> Float[np.ndarray, " N"] | None:
        """A column as numbers, NaN where it is blank; None if some cell is neither, or all are blank."""
        blank = cells.str.lower().isin(BLANK_WORDS)
        given = cells[~blank]
        if not len(given) or not self.is_number(given).all():
            return None
        numbers = np.full(len(cells), np.nan)
        plain = given.str.replace(self.thousands, "", regex=False) if self.thousands else given
        numbers[~blank] = plain.str.replace(self.decimal, ".", regex=False).to_numpy(dtype=object).astype(np.float64)
        return numbers


def read_columns(cells: pd.DataFrame, decimal: str | None = None, thousands: str | None = None) -> pd.DataFrame:
    """Columns of text as numbers where they are numbers, and as text where they are not.

    All columns of a file are written in one way: the plain one, with decimal points and nothing else, if it reads
    every column that is numbers in some way, otherwise the one that does.

    Args:
        cells: of text, without spaces at the ends.
        decimal: the decimal sign, where it is known.
        thousands: the separator of thousands, where it is known.

    Returns:
        Numbers with NaN for blanks, and text with None for empty cells.

    Raises:
        ValueError: where two ways give different numbers, or none fits all columns, naming the option that decides;
            for a column of numbers with some other entry.

    Example:
        >>> read_columns(pd.DataFrame({"a": ["1,5", "2"], "b": ["x", ""]})).to_dict("list")
        {'a': [1.5, 2.0], 'b': ['x', None]}
    """
    ways = _ways(decimal, thousands)
    texts = [cells.iloc[:, place] for place in range(cells.shape[1])]
    read = {way: [way.read(column) for column in texts] for way in ways[:1]}
    if any(column is None for column in read[ways[0]]):
        read |= {way: [way.read(column) for column in texts] for way in ways[1:]}
    fitting = _fitting(read, cells)
    if not fitting:
        bad = in_words(name for name, *found in zip(cells.columns, *read.values(), strict=True) if any(_some(found)))
        raise ValueError(f"the columns {bad} do not write numbers in one way; say which with --decimal and --thousands")
    first = read[fitting[0]]
    for other in fitting[1:] if fitting[0] is not ways[0] else []:
        for name, column, mine, its in zip(cells.columns, texts, first, read[other], strict=True):
            if mine is not None and its is not None and not np.array_equal(mine, its, equal_nan=True):
                cell = column[np.flatnonzero((mine != its) & ~np.isnan(mine))[0]]
                raise ValueError(
                    f"column {in_words([name])} has {shown(cell)}, which may be {mine[mine != its][0]:g} or "
                    f"{its[mine != its][0]:g}; say which with --decimal or --thousands"
                )
    columns = [
        pd.Series(_text(column, name, fitting[0]) if numbers is None else numbers)
        for name, column, numbers in zip(cells.columns, texts, first, strict=True)
    ]
    return pd.concat(columns, axis=1).set_axis(cells.columns, axis=1)


def _ways(decimal: str | None, thousands: str | None) -> list[Numerals]:
    """The ways of writing numbers that are possible, the plain one first.

    Raises:
        ValueError: for signs that none of them uses.
    """
    other = {".": ",", ",": "."}
    every = [Numerals(point, mark) for point in other for mark in ("", other[point], *_SPACES)]
    found = [way for way in every if decimal in (None, way.decimal) and thousands in (None, way.thousands)]
    if not found:
        raise ValueError(
            f"--decimal must be '.' or ',', and --thousands the other of the two, a space or an apostrophe; got "
            f"{decimal!r} and {thousands!r}"
        )
    return found


def _some(columns: list) -> list[bool]:
    return [column is not None for column in columns]


def _fitting(read: dict[Numerals, list], cells: pd.DataFrame) -> list[Numerals]:
    """The ways under which every column is a number that is one under any."""
    numeric = [any(_some(list(found))) for found in zip(*read.values(), strict=True)]
    return [way for way, found in read.items() if _some(found) == numeric]


def _text(column: pd.Series, name: str, way: Numerals) -> pd.Series:
    """A column of text, None for empty cells.

    Raises:
        ValueError: if it is numbers, but not as the user says that they are written, or if most of its entries are, so
            that the others look like mistakes.
    """
    if any(other.read(column) is not None for other in _ways(None, None)):
        raise ValueError(f"column {in_words([name])} has numbers that are not written with {way}: see --decimal")
    given = column[~column.str.lower().isin(BLANK_WORDS)]
    numbers = way.is_number(given)
    if len(given) and numbers.mean() >= 0.5:
        row = given.index[~numbers][0]
        raise ValueError(
            f"column {in_words([name])} holds numbers, but {shown(column[row])} in row {row + 1}: correct it"
        )
    return column.astype(object).where(column != BLANK, None)
