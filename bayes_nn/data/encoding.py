"""Text, categories and booleans as numbers: one column of 0 and 1 for every level, the same for new data."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from bayes_nn.data.checks import in_order_of
from bayes_nn.data.frames import as_table, column_names, first_other_than_numbers, in_words, numbers_of, shown

#: The levels of every encoded column, by its name, in the order of their columns of 0 and 1.
Levels = Mapping[str, Sequence[str]]


@dataclass(frozen=True, eq=False)
class Encoded:
    """A frame of numbers, and how it was made from a frame that also held text: what :func:`encode` returns.

    Attributes:
        frame: the numbers, with a column ``name=level`` for every level of an encoded column.
        columns: names of the columns that were given.
        levels: of every encoded column, as text.

    Example:
        >>> encoded = encode(pd.DataFrame({"colour": ["red", "blue"], "size": [1.0, 2.0]}))
        >>> encoded.transform(pd.DataFrame({"size": [3.0], "colour": ["red"]})).to_numpy().tolist()
        [[0.0, 1.0, 3.0]]
    """

    frame: pd.DataFrame
    columns: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]

    def transform(self, new: Any, name: str = "X") -> pd.DataFrame:
        """A new frame, encoded as this one was, its columns matched by name.

        Args:
            new: a frame with the same columns.
            name: what the user calls it, for the error.

        Raises:
            ValueError: naming missing or new columns, or a level that this frame did not have.
        """
        table = in_order_of(_checked_frame(new, name), self.columns, name)
        return encode(table, levels=self.levels, name=name).frame


def encode(frame: Any, *, levels: Levels | None = None, name: str = "X") -> Encoded:
    """One-hot: every column that holds text, categories or booleans becomes one column of 0 and 1 for each level.

    No level is left out, so that under a prior that treats inputs alike any two levels are equally far apart. Columns
    that hold numbers, though stored as objects or text, stay numbers.

    Args:
        frame: of pandas, Polars, PyArrow or whatever else Narwhals reads.
        levels: of the columns to encode, such as those of an earlier frame; left out, those found: categories in their
            own order, text in alphabetical order.
        name: what the user calls the frame, for the error.

    Returns:
        The encoded frame, its levels, and ``transform`` for new frames.

    Raises:
        ValueError: for what is no frame; naming the column for dates and the like, for missing values in a column of
            text, for a level that is not among ``levels``, and for encoded columns of one name.

    Example:
        >>> encoded = encode(pd.DataFrame({"colour": ["red", "blue"], "size": [1.0, 2.0]}))
        >>> encoded.frame.columns.tolist(), encoded.levels
        (['colour=blue', 'colour=red', 'size'], {'colour': ('blue', 'red')})
    """
    table = _checked_frame(frame, name)
    names = column_names(table)
    if len(set(names)) < len(names):
        raise ValueError(f"{name} has several columns of one name: {in_words(names)}; give each a name of its own")
    absent = [] if levels is None else [column for column in levels if column not in names]
    if absent:
        raise ValueError(f"{name} lacks {in_words(absent)}, whose levels are given")
    parts: list[pd.DataFrame] = []
    found: dict[str, tuple[str, ...]] = {}
    for place, column_name in enumerate(names):
        column, where = table.iloc[:, place], f"column {in_words([column_name])} of {name}"
        if _has_levels(column) if levels is None else column_name in levels:
            own = _levels_of(column, where) if levels is None else tuple(levels[column_name])
            found[column_name] = own
            parts.append(_zeros_and_ones(column, column_name, own, where))
        else:
            parts.append(pd.DataFrame({column_name: _numbers(column, where)}))
    encoded = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=range(len(table)))
    twice = encoded.columns[encoded.columns.duplicated()]
    if len(twice):
        raise ValueError(f"{name} would have several columns called {in_words(twice)}: rename where they come from")
    return Encoded(encoded.set_axis(table.index, axis=0), names, found)


def _checked_frame(frame: Any, name: str) -> pd.DataFrame:
    """A frame of any library as one of pandas.

    Raises:
        ValueError: for anything else.
    """
    table = as_table(frame, name)
    if not isinstance(table, pd.DataFrame):
        raise ValueError(f"{name} must be a data frame, whose columns have names and kinds; got {type(frame).__name__}")
    return table


def _has_levels(column: pd.Series) -> bool:
    """Whether a column is to be encoded: categories, booleans, or text that is not a number throughout."""
    kind: Any = column.dtype
    if isinstance(kind, pd.CategoricalDtype) or pd.api.types.is_bool_dtype(kind):
        return True
    given = column.dropna()
    if not (pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind)) or not len(given):
        return False
    if all(isinstance(value, (bool, np.bool_)) for value in given):
        return True
    return all(isinstance(value, (str, Number, np.bool_)) for value in given) and numbers_of(column) is None


def _texts(column: pd.Series, where: str) -> np.ndarray:
    """The entries as text.

    Raises:
        ValueError: if one is missing.
    """
    missing = np.flatnonzero(column.isna())
    if missing.size:
        raise ValueError(
            f"{where} has {missing.size} missing entries (first: row {missing[0]}); fill or drop those rows"
        )
    return np.array([str(value) for value in column.astype(object)], dtype=object)


def _levels_of(column: pd.Series, where: str) -> tuple[str, ...]:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return tuple(str(level) for level in column.cat.categories)
    return tuple(sorted(set(_texts(column, where))))


def _zeros_and_ones(column: pd.Series, column_name: str, levels: tuple[str, ...], where: str) -> pd.DataFrame:
    """A column for every level.

    Raises:
        ValueError: for an entry that is none of them.
    """
    texts = _texts(column, where)
    unseen = np.flatnonzero([text not in levels for text in texts])
    if unseen.size:
        entry = shown(texts[unseen[0]])
        raise ValueError(f"{where} has {entry} in row {unseen[0]}, which is none of its levels {in_words(levels)}")
    ones = (texts[:, None] == np.array(levels, dtype=object)).astype(np.float64)
    return pd.DataFrame(ones, columns=[f"{column_name}={level}" for level in levels])


def _numbers(column: pd.Series, where: str) -> np.ndarray:
    """A column of numbers.

    Raises:
        ValueError: for anything else.
    """
    numbers = numbers_of(column)
    if numbers is None:
        first = first_other_than_numbers(column)
        example = "" if first is None else f" such as {shown(first[1])} in row {first[0]}"
        raise ValueError(f"{where} holds neither numbers nor levels but {column.dtype}{example}: make numbers of it")
    return numbers
