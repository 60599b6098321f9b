"""Targets on +-1 inputs: sparse parities and staircases."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Array, Float

from bayes_nn.tasks.task import Task, check_counts, checked_number, random_streams, with_noise


def sparse_parity(
    bits: int = 3,
    inputs: int = 12,
    rows: int = 200,
    noise_std: float = 0.3,
    test_rows: int = 500,
    *,
    coordinates: Sequence[int] | None = None,
    key: int | Array = 0,
) -> Task:
    """The product of a few of many +-1 inputs: uncorrelated with every function of fewer of them.

    Args:
        bits: inputs in the product.
        inputs: d, input columns.
        rows: training rows.
        noise_std: of the noise on y.
        test_rows: test rows; no two rows of the task are alike where the 2^d points are enough.
        coordinates: which inputs, to share them between tasks; drawn where left out.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> task = sparse_parity(coordinates=(0, 4, 7), noise_std=0.0)
        >>> bool((task.y == task.X[:, 0] * task.X[:, 4] * task.X[:, 7]).all())
        True
    """
    check_counts(bits=bits, inputs=inputs, rows=rows, test_rows=test_rows)
    noise_std = checked_number(noise_std, "noise_std", zero_allowed=True)
    target, at, noise = random_streams(key)
    chosen = _coordinates(coordinates, bits, inputs, target)
    X = _signs(rows + test_rows, inputs, at)
    return with_noise(
        f"{bits}-sparse parity of {inputs} inputs",
        X,
        X[:, chosen].prod(axis=1),
        rows,
        noise_std,
        noise,
        answer="relevances of the inputs (InputMetric), or hidden features: "
        "a kernel that treats all inputs alike spreads over every product of as many "
        "inputs, and there are of the order of d^bits; a network can find the few",
        citation="Barak et al. 2022, arXiv:2207.08799; Daniely & Malach 2020, arXiv:2002.07400",
        directions=np.eye(inputs)[:, chosen],
    )


def staircase(
    steps: int = 3,
    inputs: int = 12,
    rows: int = 200,
    noise_std: float = 0.3,
    test_rows: int = 500,
    *,
    coordinates: Sequence[int] | None = None,
    key: int | Array = 0,
) -> Task:
    """``(x_1 + x_1 x_2 + x_1 x_2 x_3 + ...) / sqrt(steps)`` of a few of many +-1 inputs.

    Each term leads to the next, so gradient descent finds the inputs one after another, where a parity gives no hint.

    Args:
        steps: terms, and inputs that matter.
        inputs: d, input columns.
        rows: training rows.
        noise_std: of the noise on y.
        test_rows: test rows; no two rows of the task are alike where the 2^d points are enough.
        coordinates: which inputs, in order, to share them between tasks; drawn where left out.
        key: a seed or a JAX key.

    Raises:
        ValueError: for a bad argument.

    Example:
        >>> staircase(rows=40, test_rows=10)
        Task(staircase of 3 steps in 12 inputs: 40 rows, 10 test rows, inputs of shape (12,))
    """
    check_counts(steps=steps, inputs=inputs, rows=rows, test_rows=test_rows)
    noise_std = checked_number(noise_std, "noise_std", zero_allowed=True)
    target, at, noise = random_streams(key)
    chosen = _coordinates(coordinates, steps, inputs, target)
    X = _signs(rows + test_rows, inputs, at)
    return with_noise(
        f"staircase of {steps} steps in {inputs} inputs",
        X,
        np.cumprod(X[:, chosen], axis=1).sum(axis=1) / np.sqrt(steps),
        rows,
        noise_std,
        noise,
        answer="relevances of the inputs (InputMetric), or hidden features, and rewards them early: "
        "a kernel that treats all inputs alike cannot reach the "
        "higher terms, and each term found points to the next",
        citation="Abbe, Boix-Adsera, Brennan, Bresler & Nagaraj 2021, arXiv:2108.10573; Abbe, Boix-Adsera & "
        "Misiakiewicz 2022, arXiv:2202.08658",
        directions=np.eye(inputs)[:, chosen],
    )


def _coordinates(given: Sequence[int] | None, count: int, inputs: int, generator: np.random.Generator) -> list[int]:
    if count > inputs:
        raise ValueError(f"{count} different inputs cannot be chosen among {inputs}")
    if given is None:
        return generator.choice(inputs, count, replace=False).tolist()
    chosen = np.asarray(given)
    if chosen.shape != (count,) or chosen.dtype.kind != "i" or len(set(chosen.tolist())) < count:
        raise ValueError(f"coordinates must be {count} different column numbers; got {given!r}")
    if chosen.min() < 0 or chosen.max() >= inputs:
        raise ValueError(f"coordinates must lie between 0 and {inputs - 1}; got {given!r}")
    return chosen.tolist()


def _signs(count: int, inputs: int, generator: np.random.Generator) -> Float[np.ndarray, "count d"]:
    """Random +-1 rows, without replacement where there are enough of them: repeats are drawn again."""
    rows = generator.choice([-1.0, 1.0], (count, inputs))
    while count <= 2**inputs:
        _, first = np.unique(rows, axis=0, return_index=True)
        rows = rows[np.sort(first)]
        if len(rows) >= count:
            break
        rows = np.vstack([rows, generator.choice([-1.0, 1.0], (count, inputs))])
    return rows[:count]
