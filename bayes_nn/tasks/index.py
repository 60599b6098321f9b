"""Targets that depend on a few directions of Gaussian inputs: single-index and multi-index models."""

import math
import re
from collections.abc import Callable

import numpy as np
from jaxtyping import Array, Float
from numpy.polynomial import hermite_e

from bayes_nn.tasks.task import Task, check_counts, checked_number, random_streams, with_noise

Function = Callable[[np.ndarray], np.ndarray]
Link = str | Function

_DAMIAN = "Damian et al. 2022, arXiv:2206.15144"
_WHY = (
    "a kernel that treats all directions alike needs of the order of d^p rows for a polynomial of degree p, a network "
    "or a metric that finds the directions far fewer; with too few rows (or too narrow a network) neither predicts"
)
_NO_METRIC = (
    "needs hidden features: every direction of the inputs matters alike, so that no metric of the inputs does better "
    "than the NNGP, while two hidden units turn to each kink"
)


def single_index(
    rows: int = 200,
    inputs: int = 20,
    noise_std: float = 0.3,
    test_rows: int = 500,
    *,
    link: Link = "hermite2",
    direction: np.ndarray | None = None,
    key: int | Array = 0,
) -> Task:
    """A function of one direction of standard-normal inputs, ``y = link(u'x) + noise``.

    Args:
        rows: training rows.
        inputs: d, input columns.
        noise_std: of the noise on y.
        test_rows: test rows.
        link: ``"hermite2"`` is ``(t^2 - 1) / sqrt(2)``, and ``"hermite1"``, ``"hermite3"``, ... the other normalised
            Hermite polynomials, all of mean 0 and variance 1; or a function of t, (M,) to (M,), taken as it is.
        direction: u, a unit vector (d,) or (d, 1), to share it between tasks; drawn where left out.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> single_index(rows=50)
        Task(single index, hermite2: 50 rows, 500 test rows, inputs of shape (20,))
    """
    check_counts(rows=rows, inputs=inputs, test_rows=test_rows)
    noise_std = checked_number(noise_std, "noise_std", zero_allowed=True)
    function = link if callable(link) else _hermite_named(link)
    target, at, noise = random_streams(key)
    U = _given_or_drawn(direction, inputs, 1, target)
    X = at.standard_normal((rows + test_rows, inputs))
    linear = "no finite-width gain: a linear target needs no features"
    return with_noise(
        f"single index, {'own link' if callable(link) else link}",
        X,
        _linked(function, (X @ U)[:, 0]),
        rows,
        noise_std,
        noise,
        answer=linear if link == "hermite1" else f"explained by a learned input metric (InputMetric, rank=2): {_WHY}",
        citation=f"Bietti et al. 2022, arXiv:2210.15651; Ba et al. 2022, arXiv:2205.01445; {_DAMIAN}",
        directions=U,
    )


def multi_index(
    rows: int = 200,
    inputs: int = 20,
    noise_std: float = 0.3,
    test_rows: int = 500,
    *,
    count: int = 2,
    link: Link = "product",
    directions: np.ndarray | None = None,
    key: int | Array = 0,
) -> Task:
    """A function of a few orthonormal directions of standard-normal inputs, ``y = link(U'x) + noise``.

    Args:
        rows: training rows.
        inputs: d, input columns.
        noise_std: of the noise on y.
        test_rows: test rows.
        count: k, number of directions.
        link: ``"product"`` is ``t_1 ... t_k``; ``"sum"`` is the sum of ``(t_j^2 - 1) / sqrt(2 k)``; ``"kinks"`` is
            that of ``(|t_j| - sqrt(2/pi)) / sqrt(k (1 - 2/pi))`` with alternating signs, which with as many directions
            as inputs no metric explains; all have mean 0 and variance 1. Or a function of t, (M, k) to (M,), taken as
            it is.
        directions: U, (d, k), to share it between tasks; drawn where left out.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> multi_index(count=3, inputs=10).directions.shape
        (10, 3)
    """
    check_counts(rows=rows, inputs=inputs, test_rows=test_rows, count=count)
    noise_std = checked_number(noise_std, "noise_std", zero_allowed=True)
    named: dict[str, Function] = {
        "product": lambda t: t.prod(axis=1),
        "sum": lambda t: _hermite(2)(t).sum(axis=1) / math.sqrt(count),
        "kinks": lambda t: _centred_size(t) @ (-1.0) ** np.arange(count) / math.sqrt(count),
    }
    if not (callable(link) or (isinstance(link, str) and link in named)):
        raise ValueError(f"link must be 'product', 'sum', 'kinks', or a function of one array; got {link!r}")
    target, at, noise = random_streams(key)
    U = _given_or_drawn(directions, inputs, count, target)
    X = at.standard_normal((rows + test_rows, inputs))
    return with_noise(
        f"{count} directions, {'own link' if callable(link) else link}",
        X,
        _linked(link if callable(link) else named[link], X @ U),
        rows,
        noise_std,
        noise,
        answer=_NO_METRIC
        if link == "kinks" and count == inputs
        else f"a learned input metric of rank {count}, or hidden features: {_WHY}",
        citation=f"{_DAMIAN}; Abbe et al. 2022, arXiv:2202.08658",
        directions=U,
    )


def _centred_size(t: np.ndarray) -> np.ndarray:
    """``|t|`` of standard-normal t, brought to mean 0 and variance 1."""
    return (abs(t) - math.sqrt(2.0 / math.pi)) / math.sqrt(1.0 - 2.0 / math.pi)


def orthonormal_directions(
    inputs: int, count: int = 1, *, orthogonal_to: Float[np.ndarray, "d *k"] | None = None, key: int | Array = 0
) -> Float[np.ndarray, "d count"]:
    """Random orthonormal directions, uniform over those orthogonal to given ones.

    Args:
        inputs: d, the dimension.
        count: how many.
        orthogonal_to: directions (d,) or (d, k) to stay away from, such as those of another task.
        key: a seed or a JAX key.

    Raises:
        ValueError: if there is no room for so many.

    Example:
        >>> source = single_index(key=0)
        >>> related = single_index(direction=source.directions, link="hermite3", key=1)
        >>> elsewhere = orthonormal_directions(20, orthogonal_to=source.directions, key=1)
        >>> unrelated = single_index(direction=elsewhere, link="hermite3", key=1)
    """
    check_counts(inputs=inputs, count=count)
    return _directions(inputs, count, orthogonal_to, random_streams(key)[0])


def _directions(
    inputs: int, count: int, orthogonal_to: np.ndarray | None, generator: np.random.Generator
) -> Float[np.ndarray, "d count"]:
    avoided = np.zeros((inputs, 0)) if orthogonal_to is None else np.asarray(orthogonal_to, dtype=float)
    avoided = avoided.reshape(len(avoided), -1)
    if len(avoided) != inputs or avoided.shape[1] + count > inputs or not np.isfinite(avoided).all():
        raise ValueError(f"{count} directions orthogonal to {avoided.shape[1]} others do not fit into {inputs} inputs")
    basis, triangle = np.linalg.qr(np.hstack([avoided, generator.standard_normal((inputs, count))]))
    return (basis * np.sign(np.diagonal(triangle)))[:, avoided.shape[1] :]  # the signs make it uniform


def _given_or_drawn(
    directions: np.ndarray | None, inputs: int, count: int, generator: np.random.Generator
) -> Float[np.ndarray, "d k"]:
    """The directions given, one column each and checked, or random ones."""
    if directions is None:
        return _directions(inputs, count, None, generator)
    U = np.asarray(directions, dtype=float)
    U = U[:, None] if U.ndim == 1 else U
    orthonormal = U.ndim == 2 and U.shape == (inputs, count) and np.allclose(U.T @ U, np.eye(count), atol=1e-8)
    if not orthonormal:
        raise ValueError(
            f"directions must be orthonormal columns, of shape ({inputs}, {count}); got shape {U.shape}: "
            "tasks.orthonormal_directions makes such, and so does numpy.linalg.qr"
        )
    return U


def _linked(link: Function, t: np.ndarray) -> Float[np.ndarray, " M"]:
    values = np.asarray(link(t), dtype=float)
    if values.shape != t.shape[:1] or not np.isfinite(values).all():
        raise ValueError(f"link must give one finite number per row; got shape {values.shape} for {t.shape}")
    return values


def _hermite_named(name: str) -> Function:
    found = re.fullmatch(r"hermite([1-9]\d?)", name) if isinstance(name, str) else None
    if found is None:
        raise ValueError(f"link must be 'hermite2', 'hermite3', ..., or a function of one array; got {name!r}")
    return _hermite(int(found.group(1)))


def _hermite(order: int) -> Function:
    """The normalised Hermite polynomial ``He_k / sqrt(k!)``: mean 0, variance 1, orthogonal to lower degrees."""
    coefficients = [0.0] * order + [1.0 / math.sqrt(math.factorial(order))]
    return lambda t: hermite_e.hermeval(t, coefficients)
