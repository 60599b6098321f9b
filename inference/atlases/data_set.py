"""Data sets of an atlas: bundled ones by name, or one's own, cut to a number of rows."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bayes_nn.data.dataset import Dataset
from bayes_nn.data.frames import shown
from bayes_nn.data.likelihoods.gaussian import Gaussian
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.inference.comparison.splits import FEWEST_ROWS
from bayes_nn.runtime.provenance import digest_of
from bayes_nn.tasks.bundled import bundled


@dataclass(frozen=True, eq=False)
class DataSet:
    """A data set of an atlas.

    Args:
        name: in tables.
        X: inputs, as in :func:`bayes_nn.compare`.
        y: targets.
        likelihood: how y depends on the function; Gaussian noise when left out.
        duplicates: ``"error"`` refuses rows that repeat both X and y, ``"keep"`` accepts them.

    Example:
        >>> DataSet("line", np.arange(20.0), 2.0 * np.arange(20.0)).name
        'line'
    """

    name: str
    X: Any
    y: Any
    likelihood: Likelihood = field(default_factory=Gaussian)
    duplicates: str = "error"


@dataclass(frozen=True, eq=False)
class Table:
    """A data set, checked and cut, as plain arrays that a worker is sent.

    Attributes:
        name: of the data set.
        X: inputs, (N, d) or of another shape, user's scale.
        y: targets, (N, C), or labels (N,), user's scale.
        likelihood: as given.
        digest: of inputs and targets.
        duplicates: as given.
        rows_before: rows that the data set had before it was cut.
    """

    name: str
    X: np.ndarray
    y: np.ndarray
    likelihood: Likelihood
    digest: str
    duplicates: str
    rows_before: int


def checked_tables(sets: Iterable[str | DataSet], rows: int, seed: int) -> list[Table]:
    """Data sets, checked, and cut to at most ``rows`` rows drawn at random.

    Args:
        sets: names of bundled data sets, or data sets of one's own.
        rows: at most.
        seed: of the rows that are drawn, which are the same on every machine.

    Raises:
        ValueError: naming the data set, if there is something wrong with it, or if two have one name.
    """
    given = [sets] if isinstance(sets, str | DataSet) else list(sets)
    if not given:
        raise ValueError("sets is empty: pass at least one, such as ['diabetes']")
    if isinstance(rows, bool) or not isinstance(rows, int) or rows < FEWEST_ROWS:
        raise ValueError(f"rows must be a whole number of at least {FEWEST_ROWS}, for folds; got {rows!r}")
    tables = [_checked(_named(one), rows, seed) for one in given]
    names = [table.name for table in tables]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"several data sets are called {', '.join(twice)}: give each a name of its own")
    return tables


def _named(one: str | DataSet) -> DataSet:
    if isinstance(one, str):
        return DataSet(one, *bundled(one))
    if not isinstance(one, DataSet):
        raise ValueError(f"every set must be the name of a bundled one or a DataSet(name, X, y); got {shown(one)}")
    return one


def _checked(given: DataSet, rows: int, seed: int) -> Table:
    try:
        whole = Dataset.of(given.X, given.y, given.likelihood, True, given.duplicates)
        kept = whole
        if len(whole) > rows:
            kept = whole.rows(np.sort(np.random.default_rng(seed).permutation(len(whole))[:rows]))
        if len(kept) < FEWEST_ROWS:
            raise ValueError(f"{len(kept)} rows are too few for folds; {FEWEST_ROWS} are needed")
        kept.check()
    except ValueError as error:
        raise ValueError(f"{given.name}: {error}") from None
    inputs, targets = kept.inputs, kept.original_targets
    return Table(
        given.name, inputs, targets, kept.likelihood, digest_of(inputs, kept.targets), given.duplicates, len(whole)
    )
