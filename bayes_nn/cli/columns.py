"""What the commands make of a table before anything is fitted: its target, its inputs as numbers, and what to say."""

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

import bayes_nn as bnn
from bayes_nn.data.class_labels import as_labels
from bayes_nn.data.frames import in_words, numbers_of, shown
from bayes_nn.runtime.random_keys import checked_seed

#: Rows from which on text that differs in every row is taken for a name of the row.
FEWEST_NAMES = 10


@dataclass(frozen=True)
class TrainingTable:
    """Inputs and target of a table.

    Attributes:
        X: inputs, all numbers.
        y: target.
        levels: of the columns of text, by name, in the order of their columns of 0 and 1.
        notes: what was done to the table, a line each.

    Example:
        >>> frame = pd.DataFrame({"id": [1, 2, 3], "colour": ["red", "blue", "red"], "price": [3.0, 1.0, 2.0]})
        >>> for note in TrainingTable.of(frame, "price", bnn.Gaussian()).notes:
        ...     print(note)
        id looks like a row number: left out; --keep-columns to use it
        text columns are one-hot encoded: colour (2 levels)
    """

    X: pd.DataFrame
    y: pd.Series
    levels: dict[str, tuple[str, ...]]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        frame: pd.DataFrame,
        target: str,
        likelihood: bnn.Likelihood,
        missing: str | None = None,
        keep_columns: bool = False,
    ) -> "TrainingTable":
        """Split a frame into inputs and target, and make numbers of the inputs.

        Args:
            frame: the table.
            target: name of the column to predict.
            likelihood: says whether the target is a label.
            missing: ``"drop"`` leaves out rows with blanks, ``"mean"`` fills in the mean of the column.
            keep_columns: use columns that look like row numbers or names of rows too.

        Raises:
            ValueError: naming the column that is missing, blank, or no input or target.
        """
        frame = frame.set_axis([str(name) for name in frame.columns], axis=1)
        if target not in frame.columns:
            hint = "" if frame.shape[1] > 1 else " (if another character separates columns, name it with --delimiter)"
            raise ValueError(f"there is no column {target!r}; the columns are {in_words(frame.columns)}{hint}")
        if not frame.columns.is_unique:
            twice = in_words(frame.columns[frame.columns.duplicated()])
            raise ValueError(f"several columns are called {twice}: give each a name of its own")
        notes: list[str] = []
        frame = frame if keep_columns else _without_row_names(frame, target, notes)
        if frame.shape[1] < 2:
            raise ValueError("the table needs at least one input column besides the target")
        frame = _without_blanks(frame, target, missing, notes)
        _look_at_target(frame[target], likelihood, notes)
        encoded = bnn.encode(frame.drop(columns=target), name="the table")
        if encoded.levels:
            levels = in_words(f"{name} ({len(levels)} levels)" for name, levels in encoded.levels.items())
            notes.append(f"text columns are one-hot encoded: {levels}")
        return cls(encoded.frame, frame[target], encoded.levels, tuple(notes))


def _without_row_names(frame: pd.DataFrame, target: str, notes: list[str]) -> pd.DataFrame:
    """The frame without inputs that number or name the rows, or are blank throughout, unless nothing else were left."""
    why = {name: _row_name(frame[name]) for name in frame.columns if name != target}
    out = {name: reason for name, reason in why.items() if reason}
    if len(out) == len(why):
        return frame
    for name, reason in out.items():
        notes.append(f"{in_words([name])} {reason}: left out; --keep-columns to use it")
    return frame.drop(columns=list(out))


def _row_name(column: pd.Series) -> str | None:
    """Why a column tells nothing but which row it is; None if it does not look so."""
    if column.isna().all():
        return "is blank throughout"
    numbers = numbers_of(column)
    if numbers is None:
        texts = len(column) >= FEWEST_NAMES and all(isinstance(value, str) for value in column)
        return "has another text in every row" if texts and column.is_unique else None
    if pd.api.types.is_bool_dtype(column.dtype) or not np.array_equal(numbers, np.round(numbers)):
        return None
    counts = np.arange(len(numbers))
    counting = np.array_equal(numbers, counts) or np.array_equal(numbers, counts + 1)
    named = re.search(r"^(unnamed: \d+|index|idx|row|row.?(nr|no|number)|nr|no)$|id$", str(column.name).strip().lower())
    return "looks like a row number" if counting or (named and (np.diff(numbers) > 0).all()) else None


def _without_blanks(frame: pd.DataFrame, target: str, missing: str | None, notes: list[str]) -> pd.DataFrame:
    """The frame without missing entries.

    Raises:
        ValueError: naming the first, if the user has not said what to do about them.
    """
    if missing not in (None, "drop", "mean"):
        raise ValueError(f"--missing must be drop or mean; got {missing!r}")
    blank = frame.isna()
    rows, places = np.nonzero(blank.to_numpy())
    if not len(rows):
        return frame
    first = f"column {in_words([frame.columns[places[0]]])} is blank in row {rows[0] + 1}"
    if missing is None:
        more = f", and {len(rows) - 1} more cells are" if len(rows) > 1 else ""
        raise ValueError(f"{first}{more}: --missing drop leaves such rows out, --missing mean fills in column means")
    if missing == "drop":
        kept = frame[~blank.any(axis=1)]
        if not len(kept):
            raise ValueError(f"every row has a blank ({first}), so that --missing drop leaves none")
        notes.append(f"{len(frame) - len(kept)} of {len(frame)} rows have blanks: left out")
        return kept.reset_index(drop=True)
    if blank[target].any():
        raise ValueError(f"the target {in_words([target])} has blanks, which no mean can stand for: use --missing drop")
    filled = {}
    for name in frame.columns[blank.any()]:
        numbers = numbers_of(frame[name])
        if numbers is None or np.isnan(numbers).all():
            raise ValueError(f"column {in_words([name])} has blanks and no mean, not being numbers: use --missing drop")
        filled[name] = np.where(np.isnan(numbers), np.nanmean(numbers), numbers)
    notes.append(f"{len(rows)} blanks are filled with the mean of their column over all rows: {in_words(filled)}")
    return frame.assign(**filled)


def _look_at_target(y: pd.Series, likelihood: bnn.Likelihood, notes: list[str]) -> None:
    """Note what classes the target has, or that it may be one.

    Raises:
        ValueError: for text where the likelihood is for numbers, or values that are no labels.
    """
    name, text = in_words([y.name]), numbers_of(y) is None
    if not (likelihood.labels or text or y.nunique() == 2):
        return
    values = as_labels(y, f"the target {name}") if likelihood.labels or text else y
    labels, counts = np.unique(values, return_counts=True)
    fitting = "bernoulli" if len(labels) == 2 else "categorical"
    classes = in_words(f"{count} of {label}" for label, count in zip(labels, counts, strict=True))
    if text and not likelihood.labels:
        if len(labels) == 1:
            raise ValueError(f"the target {name} is {shown(y.iloc[0])} in every row: there is nothing to explain")
        if len(labels) > max(2, len(y) // 2):
            raise ValueError(f"the target {name} is text such as {shown(y.iloc[0])}, another one in most rows")
        raise ValueError(f"the target {name} is text of {len(labels)} classes ({classes}): use --likelihood {fitting}")
    if not likelihood.labels:
        notes.append(f"{name} has two values only ({classes}): if they are classes, use --likelihood bernoulli")
        return
    notes.append(f"classes of {name}: {classes}")
    single = [label for label, count in zip(labels, counts, strict=True) if count == 1]
    if single:
        notes.append(f"a single row is of class {in_words(single)}: it cannot be both trained on and tested")


def hold_out(rows: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers for training and for testing.

    Raises:
        ValueError: if either part would have fewer than 2 rows, or for a negative seed.
    """
    tested = round(rows * fraction) if 0.0 < fraction < 1.0 else 0
    if tested < 2 or rows - tested < 2:
        raise ValueError(f"--test-fraction {fraction} of {rows} rows leaves fewer than 2 rows on one side")
    order = np.random.default_rng(checked_seed(seed)).permutation(rows)
    return order[tested:], order[:tested]
