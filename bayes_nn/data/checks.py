"""Checks of what the user gives as inputs and targets, with errors that name the column or the row."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from bayes_nn.data.frames import as_table, column_names, first_other_than_numbers, in_words, numbers_of, shown

#: Numbers beyond this one, and spreads below its inverse, have squares and products that double precision cannot hold.
LARGEST = 1e70
#: What to do about inputs that are not numeric.
ENCODE = "encode them with bayes_nn.encode, or drop them"


def as_matrix(values: Any, name: str, *, positions: bool = False, advice: str = ENCODE) -> np.ndarray:
    """A float64 matrix of finite numbers; one-dimensional values become a column.

    Args:
        values: numbers of shape (N,) or (N, d): NumPy, JAX, pandas, Polars, PyArrow or lists. Numbers stored as objects
            or text are read.
        name: what the user calls them, for the error.
        positions: whether sequences (N, T, C) and images (N, H, W, C) are accepted too.
        advice: what to do about columns that are not numeric.

    Raises:
        ValueError: naming the column that holds text, missing or huge values; for sparse matrices, masked arrays and
            complex numbers.

    Example:
        >>> as_matrix([1, 2, 3], "X").shape
        (3, 1)
    """
    table = as_table(values, name)
    named = isinstance(table, pd.DataFrame)
    array = None if named else _as_array(table, name)
    if array is not None and array.dtype.kind in "OUSV" and array.ndim in (1, 2) and array.size:
        table = pd.DataFrame(array, dtype=object)
    if isinstance(table, pd.DataFrame):
        columns = list(table.columns)
        matrix = _numbers_of_columns(table, name, named, advice)
    else:
        assert array is not None
        matrix = _numbers_of_array(array, name)
        columns = list(range(matrix.shape[1])) if matrix.ndim == 2 else []
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim < 2 or (matrix.ndim > 2 and not positions):
        raise ValueError(f"{name} must have one or two dimensions; got shape {matrix.shape}")
    if 0 in matrix.shape[1:]:
        raise ValueError(f"{name} has no columns")
    unusable = ~np.isfinite(matrix)
    if unusable.any():
        rows, where = _first(unusable, columns)
        raise ValueError(
            f"{name} has NaN or infinite values in {rows} rows (first: {where}); impute or drop those rows"
        )
    huge = np.abs(matrix) > LARGEST
    if huge.any():
        rows, where = _first(huge, columns)
        raise ValueError(
            f"{name} has values beyond {LARGEST:g} in {rows} rows (first: {where}), whose squares overflow: give them "
            "in another unit"
        )
    return matrix


def spread(rows: Float[np.ndarray, "N d"], name: str) -> Float[np.ndarray, " d"]:
    """Population standard deviation of every column; 0 where a column is constant, but for rounding.

    Args:
        rows: checked numbers.
        name: what the user calls them, for the error.

    Raises:
        ValueError: naming a column whose spread is too small for its square to be held.

    Example:
        >>> spread(np.array([[1.0, 0.3], [3.0, 0.1 + 0.2]]), "X").tolist()
        [1.0, 0.0]
    """
    rounding = np.spacing(np.abs(rows).max(axis=0, initial=0.0))
    constant = np.ptp(rows, axis=0) <= 2.0 * rounding
    std = np.where(constant, 0.0, rows.std(axis=0))
    tiny = np.flatnonzero(~constant & (std < 1.0 / LARGEST))
    if tiny.size:
        raise ValueError(
            f"{name} spreads by less than {1.0 / LARGEST:g} in column {tiny[0]}; change its unit, such as by a "
            "factor, or drop it"
        )
    return std


def _as_array(values: Any, name: str) -> np.ndarray:
    """What is no table, as NumPy reads it.

    Raises:
        ValueError: if it does not.
    """
    try:
        array = np.asarray(values)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be numeric; it could not be read as an array of numbers") from None
    if array.ndim == 0:
        raise ValueError(f"{name} must have one or two dimensions; got {type(values).__name__} of shape ()")
    return array


def _numbers_of_array(array: np.ndarray, name: str) -> np.ndarray:
    """An array of a numeric kind in double precision.

    Raises:
        ValueError: for complex numbers, dates and objects.
    """
    if array.dtype.kind == "c":
        raise ValueError(f"{name} holds complex numbers: pass their real and imaginary parts as separate columns")
    if array.dtype.kind in "mM":
        raise ValueError(f"{name} must be numeric; it holds dates: pass a number, such as days since the first")
    try:
        with np.errstate(over="ignore"):
            return array.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} must be numeric; it could not be read as an array of numbers") from None


def _numbers_of_columns(table: pd.DataFrame, name: str, named: bool, advice: str) -> Float[np.ndarray, "N d"]:
    """The columns of a frame as numbers, NaN where they are missing.

    Raises:
        ValueError: naming the columns that hold anything else.
    """
    columns = [table.iloc[:, place] for place in range(table.shape[1])]
    found = [numbers_of(column) for column in columns]
    bad = [place for place, numbers in enumerate(found) if numbers is None]
    if bad:
        first = first_other_than_numbers(columns[bad[0]])
        example = "" if first is None else f" (row {first[0]} holds {shown(first[1])})"
        names = in_words(table.columns[place] for place in bad)
        if not named:
            raise ValueError(f"{name} must be numeric; column {names} is not{example}: {advice}")
        raise ValueError(f"{name} has non-numeric columns: {names}{example}; {advice}")
    numbers = [one for one in found if one is not None]
    return np.stack(numbers, axis=1) if numbers else np.empty((len(table), 0))


def _first(bad: np.ndarray, columns: list) -> tuple[int, str]:
    """The number of rows with a bad entry, and the place of the first in words."""
    rows = np.flatnonzero(bad.reshape(len(bad), -1).any(axis=1))
    column = f", column {in_words([columns[np.flatnonzero(bad[rows[0]])[0]]])}" if columns else ""
    return len(rows), f"row {rows[0]}{column}"


def in_order_of(values: Any, columns: tuple[str, ...], name: str) -> Any:
    """A table with its columns in the order of the training data, matched by name; all else as it is.

    Values without names, such as NumPy arrays, are taken by position. Frames whose columns are numbered, as pandas does
    where no names are given, are matched only if their numbers are those of the training data.

    Args:
        values: new inputs.
        columns: names of the training data's columns; () if they had none.
        name: what the user calls the new inputs, for the error.

    Raises:
        ValueError: naming columns that are missing, new, or present twice.

    Example:
        >>> in_order_of(pd.DataFrame({"b": [1], "a": [2]}), ("a", "b"), "X").to_numpy().tolist()
        [[2, 1]]
    """
    values = as_table(values, name)
    given = column_names(values)
    if not columns or not given or given == columns:
        return values
    missing = [column for column in columns if column not in given]
    new = [column for column in given if column not in columns]
    if missing or new:
        if _numbered(columns) or _numbered(given):
            return values
        found = (("lacks", missing), ("has the new", new))
        parts = [f"{what} {in_words(columns)}" for what, columns in found if columns]
        raise ValueError(f"{name} {' and '.join(parts)}: its columns must be those of the training data")
    if len(set(given)) < len(given) or len(given) != len(columns):
        raise ValueError(f"{name} has several columns of one name, so that they cannot be matched: {in_words(given)}")
    return values.iloc[:, [given.index(column) for column in columns]]


def _numbered(columns: tuple[str, ...]) -> bool:
    """Whether these are the numbers that pandas gives to columns without names."""
    return all(column.isdecimal() for column in columns)


def as_new_inputs(
    X: Any, input_shape: tuple[int, ...], columns: tuple[str, ...] = (), name: str = "X"
) -> Float[np.ndarray, "T *shape"]:
    """New inputs as the training data's were, on the user's scale.

    Args:
        X: inputs, (T,), (T, d) or (T, H, W, C).
        input_shape: of one training input.
        columns: names of the training data's columns; frames are matched to them (:func:`in_order_of`).
        name: what the user calls the inputs, for the error.

    Raises:
        ValueError: for missing values, or columns or shapes other than the training data's.

    Example:
        >>> as_new_inputs([0.5, 1.5], (1,)).shape
        (2, 1)
    """
    matrix = as_matrix(in_order_of(X, columns, name), name, positions=True)
    if matrix.shape[1:] != input_shape:
        if matrix.ndim == 2 and len(input_shape) == 1:
            raise ValueError(f"{name} has {matrix.shape[1]} columns; the prior was fitted to {input_shape[0]}")
        raise ValueError(f"{name} has inputs of shape {matrix.shape[1:]}; the prior was fitted to {input_shape}")
    return matrix
