"""The real data sets that scikit-learn ships with, as tasks or whole: nothing is downloaded."""

from typing import Any

import numpy as np
from jaxtyping import Array

from bayes_nn.data.likelihoods.gaussian import Gaussian
from bayes_nn.data.likelihoods.labels import Bernoulli, Categorical
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.tasks.task import Task, check_counts, random_streams

_UNKNOWN = "not known in advance"

#: Data sets by name: what loads them, and how their targets depend on the function.
BUNDLED: dict[str, tuple[str, type[Gaussian | Bernoulli | Categorical]]] = {
    "diabetes": ("load_diabetes", Gaussian),
    "digits": ("load_digits", Categorical),
    "breast_cancer": ("load_breast_cancer", Bernoulli),
    "wine": ("load_wine", Categorical),
    "iris": ("load_iris", Categorical),
}


def bundled(name: str) -> tuple[np.ndarray, np.ndarray, Likelihood]:
    """All rows of a bundled data set as they are, repeated ones left out: inputs, targets and a likelihood for them.

    Args:
        name: one of ``BUNDLED``.

    Raises:
        ValueError: for another name.
        ImportError: without scikit-learn.

    Example:
        >>> X, y, likelihood = bundled("diabetes")
        >>> X.shape, likelihood.labels
        ((442, 10), False)
    """
    if name not in BUNDLED:
        raise ValueError(f"there is no bundled data set {name!r}; choose from {', '.join(BUNDLED)}")
    loader, likelihood = BUNDLED[name]
    return *_load(loader), likelihood()


def diabetes(rows: int = 200, test_rows: int | None = None, *, key: int | Array = 0) -> Task:
    """Disease progression of 442 patients from 10 measurements; y is standardised by the training rows.

    Args:
        rows: training rows, drawn at random.
        test_rows: test rows; all the others where left out.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.
        ImportError: without scikit-learn.

    Example:
        >>> diabetes()
        Task(diabetes: 200 rows, 242 test rows, inputs of shape (10,))
    """
    X, y = _load("load_diabetes")
    train, test = _split(len(X), rows, test_rows, key)
    X = _standardised(X, train)
    return _task(
        "diabetes",
        X,
        (y - y[train].mean()) / y[train].std(),
        (train, test),
        "Efron et al. 2004, Annals of Statistics 32(2), arXiv:math/0406456",
        f"{_UNKNOWN}; networks of depth 2 and width 32 showed no finite-width gain here",
    )


def digits(rows: int = 200, test_rows: int | None = None, *, images: bool = False, key: int | Array = 0) -> Task:
    """1,797 handwritten digits of 8 x 8 pixels, labels 0 to 9: for ``bnn.Categorical()``.

    Args:
        rows: training rows, drawn at random.
        test_rows: test rows; all the others where left out.
        images: give X as (N, 8, 8, 1) and not (N, 64); either way its values have mean 0 and standard deviation 1
            over all pixels of the training rows.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.
        ImportError: without scikit-learn.

    Example:
        >>> digits(images=True).X.shape
        (200, 8, 8, 1)
    """
    X, y = _load("load_digits")
    train, test = _split(len(X), rows, test_rows, key)
    X = (X - X[train].mean()) / X[train].std()
    X = X.reshape(-1, 8, 8, 1) if images else X
    return _task("digits", X, y, (train, test), "Alpaydin & Kaynak 1998, UCI Machine Learning Repository")


def breast_cancer(rows: int = 200, test_rows: int | None = None, *, key: int | Array = 0) -> Task:
    """569 tumours, malignant (0) or benign (1), from 30 measurements of cell nuclei: for ``bnn.Bernoulli()``.

    Args:
        rows: training rows, drawn at random.
        test_rows: test rows; all the others where left out.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.
        ImportError: without scikit-learn.

    Example:
        >>> breast_cancer()
        Task(breast cancer: 200 rows, 369 test rows, inputs of shape (30,))
    """
    return _labelled("breast cancer", "load_breast_cancer", rows, test_rows, key, "Street et al. 1993, SPIE 1905")


def wine(rows: int = 100, test_rows: int | None = None, *, key: int | Array = 0) -> Task:
    """178 wines of 3 cultivars from 13 chemical measurements: for ``bnn.Categorical()``.

    Args:
        rows: training rows, drawn at random.
        test_rows: test rows; all the others where left out.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.
        ImportError: without scikit-learn.

    Example:
        >>> wine()
        Task(wine: 100 rows, 78 test rows, inputs of shape (13,))
    """
    return _labelled(
        "wine", "load_wine", rows, test_rows, key, "Aeberhard & Forina 1991, UCI Machine Learning Repository"
    )


def iris(rows: int = 100, test_rows: int | None = None, *, key: int | Array = 0) -> Task:
    """149 irises of 3 species from 4 lengths, one repeated flower left out: for ``bnn.Categorical()``.

    Args:
        rows: training rows, drawn at random.
        test_rows: test rows; all the others where left out.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.
        ImportError: without scikit-learn.

    Example:
        >>> iris()
        Task(iris: 100 rows, 49 test rows, inputs of shape (4,))
    """
    return _labelled("iris", "load_iris", rows, test_rows, key, "Fisher 1936, Annals of Eugenics 7(2)")


def _labelled(name: str, loader: str, rows: int, test_rows: int | None, key: int | Array, citation: str) -> Task:
    X, y = _load(loader)
    train, test = _split(len(X), rows, test_rows, key)
    return _task(name, _standardised(X, train), y, (train, test), citation)


def _load(loader: str) -> tuple[np.ndarray, np.ndarray]:
    """Inputs and targets without repeated rows, so that no test row is a training row."""
    try:
        from sklearn import datasets
    except ImportError:
        raise ImportError(
            "this data set comes with scikit-learn, which is not installed: pip install 'bayes_nn[data]'"
        ) from None
    X, y = getattr(datasets, loader)(return_X_y=True)
    _, first = np.unique(np.column_stack([X, y]), axis=0, return_index=True)
    kept = np.sort(first)
    return X[kept], y[kept]


def _split(count: int, rows: int, test_rows: int | None, key: int | Array) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers for training and for testing."""
    check_counts(rows=rows, **({} if test_rows is None else {"test_rows": test_rows}))
    test_rows = count - rows if test_rows is None else test_rows
    if test_rows < 2 or rows + test_rows > count:
        raise ValueError(f"{rows} training and {test_rows} test rows cannot be taken from {count}")
    order = random_streams(key)[1].permutation(count)
    return order[:rows], order[rows : rows + test_rows]


def _standardised(X: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and standard deviation 1 over the training rows; constant ones only centred."""
    spread = X[train].std(axis=0)
    return (X - X[train].mean(axis=0)) / np.where(spread > 0.0, spread, 1.0)


def _task(
    name: str, X: np.ndarray, y: np.ndarray, split: tuple[Any, Any], citation: str, answer: str = _UNKNOWN
) -> Task:
    train, test = split
    return Task(name, X[train], y[train], X[test], y[test], answer, citation)
