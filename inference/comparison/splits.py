"""Splits of the data into training and test rows, checked once and scaled by their training rows."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, Int

from bayes_nn.data.dataset import Dataset
from bayes_nn.data.frames import in_words, shown
from bayes_nn.runtime.random_keys import checked_key

#: Row numbers for training and for testing, or two masks of the rows.
RowPair = tuple[Any, Any]

#: Fraction of the rows held out in each random split.
TEST_FRACTION = 0.2
#: Folds where there are no test data, and rows from which on there are folds at all.
FOLDS, FEWEST_ROWS = 5, 10


@dataclass(frozen=True, eq=False)
class Split:
    """Training data, and test data on the user's scale.

    Attributes:
        train: the training rows, on their own scale.
        test_inputs: (T, d), columns as in the training data; None without test data.
        test_targets: (T, C), labels encoded; None without test data.
    """

    train: Dataset
    test_inputs: Float[np.ndarray, "T *shape"] | None = None
    test_targets: Float[np.ndarray, "T C"] | None = None

    @property
    def y_test(self) -> np.ndarray:
        """Test targets as the user gives them: numbers (T, C), or labels (T,)."""
        assert self.test_targets is not None
        return self.train.likelihood.decode(self.test_targets)

    @property
    def test_columns(self) -> Float[np.ndarray, "T K"]:
        """Test targets in the columns of the predictive means: labels as one column per class."""
        return self.train.likelihood.test_columns(self.y_test, "y_test")


def splits_of(
    dataset: Dataset,
    X_test: Any,
    y_test: Any,
    splits: int | Iterable[RowPair] | None,
    key: int | Array,
    standardize: bool,
) -> list[Split]:
    """The splits that the user asks for.

    Args:
        dataset: all rows, checked.
        X_test: test inputs, or None.
        y_test: test targets, or None.
        splits: a number of random splits, pairs of rows, 0 for no test data, or None for folds where there are none.
        key: for random splits and folds.
        standardize: bring every split to the scale of its training rows.

    Raises:
        ValueError: for test data that do not fit, both kinds of test data, or a split, named, whose row numbers are
            none or whose training rows leave nothing to explain.

    Example:
        >>> import bayes_nn as bnn
        >>> data = Dataset.of(np.arange(10.0), np.arange(10.0) ** 2, bnn.Gaussian())
        >>> [len(one.train) for one in splits_of(data, None, None, 3, 0, True)]
        [8, 8, 8]
    """
    if (X_test is None) != (y_test is None):
        raise ValueError("pass X_test and y_test together")
    if X_test is not None and splits is not None:
        raise ValueError("pass either X_test and y_test or splits, not both")
    if X_test is not None:
        return [Split(dataset, *dataset.test_pair(X_test, y_test))]
    if splits is None and len(dataset) >= FEWEST_ROWS:
        splits = folds(len(dataset), key)
    if splits is None or (isinstance(splits, int) and splits == 0 and not isinstance(splits, bool)):
        return [Split(dataset)]
    pairs = list(splits) if isinstance(splits, Iterable) else random_splits(len(dataset), splits, key)
    found = []
    for number, pair in enumerate(pairs):
        name = f"split {number} of {len(pairs)}"
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise ValueError(f"{name} must be a pair (training rows, test rows); got {shown(pair)}")
        train, test = (checked_rows(rows, len(dataset), name) for rows in pair)
        trained, tested = dataset.rows(train), dataset.rows(test)
        try:
            trained.check(standardize)
        except ValueError as error:
            raise ValueError(f"{name}, training rows {in_words(train)}: {error}") from None
        found.append(Split(trained.rescaled(standardize), tested.inputs, tested.targets))
    if not found:
        raise ValueError("splits is empty: pass at least one pair of row numbers, or a number of random splits")
    return found


def checked_rows(given: Any, rows: int, name: str) -> Int[np.ndarray, " R"]:
    """Row numbers, from numbers or from a mask of all rows.

    Args:
        given: numbers, a mask or a slice.
        rows: of all data.
        name: what the rows belong to, for the error.

    Raises:
        ValueError: for what is neither, or numbers of rows that are not there.

    Example:
        >>> checked_rows([True, False, True], 3, "split 0").tolist()
        [0, 2]
    """
    numbers = np.arange(rows)[given] if isinstance(given, slice) else np.asarray(given)
    if numbers.dtype == bool and numbers.shape == (rows,):
        return np.flatnonzero(numbers)
    if numbers.ndim != 1 or numbers.dtype.kind not in "iu" or not numbers.size:
        raise ValueError(f"{name}: rows must be given by their numbers, or by a mask of all {rows}; got {shown(given)}")
    if numbers.min() < -rows or numbers.max() >= rows:
        raise ValueError(f"{name} has row {numbers[np.argmax(np.abs(numbers))]}, and the data have {rows} rows")
    return numbers


def folds(rows: int, key: int | Array) -> list[RowPair]:
    """The row numbers in random order, cut into ``FOLDS`` parts, each of which is tested on once.

    All folds train on as many rows as the one with the largest test part, so that they share compiled programs: where
    the number of rows is no multiple of ``FOLDS``, the others leave out one.

    Args:
        rows: number of rows.
        key: a JAX key or an integer seed.

    Example:
        >>> sorted(np.concatenate([test for train, test in folds(11, 0)]).tolist()) == list(range(11))
        True
        >>> [len(train) for train, test in folds(11, 0)]
        [8, 8, 8, 8, 8]
    """
    key = key if isinstance(key, Array) else checked_key(key)
    parts = np.array_split(np.asarray(jax.random.permutation(jax.random.fold_in(key, 0), rows)), FOLDS)
    trained_on = rows - len(parts[0])
    return [(np.concatenate([*parts[:i], *parts[i + 1 :]])[:trained_on], parts[i]) for i in range(FOLDS)]


def random_splits(rows: int, count: int, key: int | Array) -> list[RowPair]:
    """Random splits of the row numbers with ``TEST_FRACTION`` held out.

    Args:
        rows: number of rows.
        count: number of splits.
        key: a JAX key or an integer seed.

    Raises:
        ValueError: if there are too few rows or splits.

    Example:
        >>> [test.shape for train, test in random_splits(20, 2, 0)]
        [(4,), (4,)]
    """
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)):
        raise ValueError(f"splits must be a whole number, or pairs of row numbers; got {count!r}")
    held_out = round(TEST_FRACTION * rows)
    if count < 1 or held_out < 2 or rows - held_out < 2:
        raise ValueError(f"splits must be at least 1 with at least 2 test rows each; got {count} splits of {rows} rows")
    key = key if isinstance(key, Array) else checked_key(key)
    orders = [np.asarray(jax.random.permutation(jax.random.fold_in(key, i), rows)) for i in range(count)]
    return [(order[held_out:], order[:held_out]) for order in orders]
