"""Tables of any library as pandas frames, and their columns as numbers."""

from collections.abc import Iterable
from numbers import Number
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
from jaxtyping import Float
from scipy import sparse

#: Names that an error lists before it only counts.
NAMED_IN_ERRORS = 10
#: Characters of a value that an error shows.
LONGEST_SHOWN = 60


def as_table(values: Any, name: str) -> Any:
    """Frames and series of pandas, Polars, PyArrow and whatever else Narwhals reads as a pandas frame; all else as is.

    Args:
        values: what the user gave.
        name: what the user calls it, for the error.

    Raises:
        ValueError: for sparse matrices and masked arrays, which would lose what they say about missing entries.

    Example:
        >>> as_table(pd.Series([1, 2], name="age"), "X").columns.tolist(), as_table([1, 2], "X")
        (['age'], [1, 2])
    """
    if sparse.issparse(values):
        raise ValueError(f"{name} is a sparse matrix: pass {name}.toarray()")
    if np.ma.isMaskedArray(values):
        raise ValueError(f"{name} is a masked array: pass {name}.filled(value), or drop the rows with masked entries")
    if isinstance(values, pd.DataFrame):
        return values
    if isinstance(values, pd.Series):
        return values.to_frame()
    table = nw.from_native(values, allow_series=True, pass_through=True)
    if isinstance(table, nw.LazyFrame):
        table = table.collect()
    if isinstance(table, nw.Series):
        table = table.to_frame()
    if not isinstance(table, nw.DataFrame):
        return values
    columns = [_as_pandas(column) for column in table.iter_columns()]
    return pd.concat(columns, axis=1) if columns else pd.DataFrame(index=range(len(table)))


def _as_pandas(column: nw.Series) -> pd.Series:
    """A column with its name, categories kept as such."""
    values = column.to_numpy()
    if column.dtype in (nw.Categorical, nw.Enum):
        return pd.Series(pd.Categorical(values, column.cat.get_categories().to_list()), name=column.name)
    return pd.Series(values, name=column.name)


def column_names(values: Any) -> tuple[str, ...]:
    """The names of the columns of a pandas frame; () for anything else.

    Example:
        >>> column_names(pd.DataFrame({"age": [30], "height": [1.7]}))
        ('age', 'height')
    """
    return tuple(str(column) for column in values.columns) if isinstance(values, pd.DataFrame) else ()


def in_words(names: Iterable[Any]) -> str:
    r"""Names on one line: those with line breaks and the like quoted, and of many the first few.

    Example:
        >>> in_words(["age", "two\nlines", ""]), in_words(range(12))
        ("age, 'two\\nlines', ''", '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more')
    """
    texts = [str(name) for name in names]
    shown = [text if text.isprintable() and text.strip() else repr(text) for text in texts[:NAMED_IN_ERRORS]]
    more = len(texts) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def shown(value: Any) -> str:
    """A value on one short line, as Python writes it.

    Example:
        >>> shown("red"), shown(list(range(100)))
        ("'red'", '[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 1...')
    """
    text = " ".join(repr(value).split())
    return text if len(text) <= LONGEST_SHOWN else f"{text[: LONGEST_SHOWN - 3]}..."


def numbers_of(column: pd.Series) -> Float[np.ndarray, " N"] | None:
    """A column as numbers, NaN where it is missing; None where it holds anything else, such as text or dates.

    Numbers may be stored as objects, and as text that is a number throughout. Categories are none, whatever they hold.

    Example:
        >>> numbers_of(pd.Series([1, True, "2.5", None], dtype=object)).tolist()
        [1.0, 1.0, 2.5, nan]
        >>> numbers_of(pd.Series(["red", "2"])) is None
        True
    """
    kind: Any = column.dtype
    if pd.api.types.is_complex_dtype(kind):
        return None
    if pd.api.types.is_numeric_dtype(kind):
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    of_objects = pd.api.types.is_object_dtype(kind) or pd.api.types.is_string_dtype(kind)
    if isinstance(kind, pd.CategoricalDtype) or not of_objects:
        return None
    objects = column.astype(object).where(column.notna(), np.nan).to_numpy()
    if not all(isinstance(value, (Number, str, np.bool_)) for value in objects):
        return None
    try:
        return objects.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        return None


def first_other_than_numbers(column: pd.Series) -> tuple[int, Any] | None:
    """The first row, and its value, that keeps a column from being numbers; None if no single one does.

    Example:
        >>> first_other_than_numbers(pd.Series([1, "red"], dtype=object))
        (1, 'red')
    """
    given = enumerate(column.astype(object))
    return next(((row, value) for row, value in given if numbers_of(pd.Series([value], dtype=object)) is None), None)
