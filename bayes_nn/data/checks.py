"""Checks of what the user gives as inputs, targets and labels, with errors that name the column or the row."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

#: Numbers beyond this one, and spreads below its inverse, have squares and products that double precision cannot hold.
LARGEST_NUMBER = 1e70


def as_matrix(values: Any, name: str, *, positions: bool = False) -> np.ndarray:
    """A float64 matrix from NumPy, JAX or pandas; one-dimensional values become a column.

    Args:
        values: numbers of shape (N,) or (N, d).
        name: what the user calls them, for the error.
        positions: whether sequences (N, T, C) and images (N, H, W, C) are accepted too.

    Raises:
        ValueError: naming the column that holds text, or the row of missing values or numbers beyond 1e70.

    Example:
        >>> as_matrix([1, 2, 3], "X").shape
        (3, 1)
    """
    if isinstance(values, (pd.DataFrame, pd.Series)):
        frame = values.to_frame() if isinstance(values, pd.Series) else values
        bad = [str(c) for c, kind in frame.dtypes.items() if not pd.api.types.is_numeric_dtype(kind)]
        if bad:
            raise ValueError(f"{name} has non-numeric columns: {', '.join(bad)}; encode or drop them first")
        values = frame.to_numpy(dtype=float, na_value=np.nan)
    try:
        matrix = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numeric; could not convert it to numbers ({error})") from None
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim < 2 or (matrix.ndim > 2 and not positions):
        raise ValueError(f"{name} must have one or two dimensions; got shape {matrix.shape}")
    if 0 in matrix.shape[1:]:
        raise ValueError(f"{name} has no columns")
    if not np.isfinite(matrix).all():
        rows = np.flatnonzero(~np.isfinite(matrix.reshape(len(matrix), -1)).all(axis=1))
        raise ValueError(
            f"{name} has NaN or infinite values in {len(rows)} rows (first: row {rows[0]}); impute or drop those rows"
        )
    if np.abs(matrix).max(initial=0.0) > LARGEST_NUMBER:
        row = np.flatnonzero((np.abs(matrix.reshape(len(matrix), -1)) > LARGEST_NUMBER).any(axis=1))[0]
        raise ValueError(f"{name} has numbers beyond {LARGEST_NUMBER:g} (first: row {row}); change its unit")
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
    tiny = np.flatnonzero(~constant & (std < 1.0 / LARGEST_NUMBER))
    if tiny.size:
        raise ValueError(
            f"{name} spreads by less than {1.0 / LARGEST_NUMBER:g} in column {tiny[0]}; change its unit, such as by a "
            "factor, or drop it"
        )
    return std


def as_labels(values: Any, name: str) -> np.ndarray:
    """Labels (N,) from NumPy, JAX, pandas or a list: whole numbers, booleans or text.

    Args:
        values: one label per row.
        name: what the user calls them, for the error.

    Raises:
        ValueError: for missing labels, several columns, or numbers that are no labels.

    Example:
        >>> as_labels([0.0, 1.0], "y").tolist()
        [0, 1]
    """
    if values is None or np.ndim(values) == 0:
        raise ValueError(f"{name} must hold one label per row; got {values!r}")
    objects = np.asarray(values, dtype=object)
    if objects.ndim == 2 and objects.shape[1] == 1:
        objects = objects[:, 0]
    if objects.ndim != 1 or not len(objects):
        raise ValueError(f"{name} must hold one label per row; got shape {objects.shape}")
    missing = pd.isna(objects)
    if missing.any():
        raise ValueError(f"{name} has {int(missing.sum())} missing labels; drop those rows")
    if len({isinstance(label, str) for label in objects}) > 1:
        raise ValueError(f"{name} mixes text and numbers; give labels of one kind")
    labels = np.asarray(objects.tolist())
    if labels.dtype.kind == "f":
        broken = labels[labels != np.round(labels)] if np.isfinite(labels).all() else labels[~np.isfinite(labels)]
        if broken.size:
            raise ValueError(f"{name} holds numbers such as {broken[0]}, which are no labels")
        labels = labels.astype(int)
    return labels


def class_numbers(values: Any, classes: tuple, name: str) -> Int[np.ndarray, " N"]:
    """The position of every label among the classes.

    Args:
        values: one label per row.
        classes: all labels that are allowed.
        name: what the user calls the labels, for the error.

    Raises:
        ValueError: for a label that is none of the classes.

    Example:
        >>> class_numbers(["b", "a"], ("a", "b"), "y").tolist()
        [1, 0]
    """
    labels = as_labels(values, name)
    foreign = np.setdiff1d(labels, np.asarray(classes)).tolist()
    if foreign:
        raise ValueError(f"{name} holds {foreign[0]!r}, which is not among the classes {classes}")
    place = {label: number for number, label in enumerate(classes)}
    return np.array([place[label] for label in labels.tolist()], dtype=int)


def column_names(values: Any) -> tuple[str, ...]:
    """The names of the columns of a pandas frame; () for anything else.

    Example:
        >>> column_names(pd.DataFrame({"age": [30], "height": [1.7]}))
        ('age', 'height')
    """
    return tuple(str(column) for column in values.columns) if isinstance(values, pd.DataFrame) else ()


def in_order_of(values: Any, columns: tuple[str, ...], name: str) -> Any:
    """A frame with its columns in the order of the training data, matched by name; all else as it is.

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
    given = column_names(values)
    if not columns or not given or given == columns:
        return values
    missing = [column for column in columns if column not in given]
    new = [column for column in given if column not in columns]
    if missing or new:
        if _numbered(columns) or _numbered(given):
            return values
        parts = [f"{what} {', '.join(found)}" for what, found in (("lacks", missing), ("has the new", new)) if found]
        raise ValueError(f"{name} {' and '.join(parts)}: its columns must be those of the training data")
    if len(set(given)) < len(given) or len(given) != len(columns):
        raise ValueError(f"{name} has several columns of one name, so that they cannot be matched: {', '.join(given)}")
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
