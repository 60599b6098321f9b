"""Labels of classes as the user gives them, and their numbers."""

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Int

from bayes_nn.data.frames import as_table, shown

#: Whole numbers beyond this are not told apart in double precision.
LARGEST_LABEL = 2**53


def as_labels(values: Any, name: str) -> np.ndarray:
    """Labels (N,) from NumPy, JAX, any data frame or a list: whole numbers, booleans or text.

    Args:
        values: one label per row.
        name: what the user calls them, for the error.

    Raises:
        ValueError: for missing labels, several columns, or values that are no labels.

    Example:
        >>> as_labels([0.0, 1.0], "y").tolist()
        [0, 1]
    """
    table = as_table(values, name)
    try:
        objects = np.asarray(table, dtype=object)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must hold one label per row; it could not be read as one column") from None
    if objects.ndim == 0:
        raise ValueError(f"{name} must hold one label per row; got {shown(values)}")
    if objects.ndim == 2 and objects.shape[1] == 1:
        objects = objects[:, 0]
    if objects.ndim != 1 or not len(objects):
        raise ValueError(f"{name} must hold one label per row; got shape {objects.shape}")
    missing = pd.isna(objects)
    if missing.any():
        first = np.flatnonzero(missing)[0]
        raise ValueError(f"{name} has {int(missing.sum())} missing labels (first: row {first}); drop those rows")
    foreign = next((label for label in objects if not _is_label(label)), None)
    if foreign is not None:
        raise ValueError(f"{name} holds {shown(foreign)}: labels are whole numbers, booleans or text")
    if len({isinstance(label, str) for label in objects}) > 1:
        raise ValueError(f"{name} mixes text and numbers; give labels of one kind")
    labels = np.asarray(objects.tolist())
    return labels.astype(int) if labels.dtype.kind == "f" else labels


def _is_label(value: Any) -> bool:
    """Whether a value is text, a boolean or a whole number that double precision tells from its neighbours."""
    if isinstance(value, (str, bool, np.bool_)):
        return True
    number: Any = value if isinstance(value, Real) else np.nan
    return bool(-LARGEST_LABEL <= number <= LARGEST_LABEL and number % 1 == 0)


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
    place = {label: number for number, label in enumerate(classes)}
    foreign = [label for label in labels.tolist() if label not in place]
    if foreign:
        raise ValueError(f"{name} holds {shown(foreign[0])}, which is not among the classes {shown(classes)}")
    return np.array([place[label] for label in labels.tolist()], dtype=int)
