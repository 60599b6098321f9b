"""What a task with a known answer is, and the checks and random streams that all of them share."""

from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.runtime.random_keys import checked_seed, is_seed

#: Generators for the target, the inputs and the noise.
Streams = tuple[np.random.Generator, np.random.Generator, np.random.Generator]


@dataclass(frozen=True, eq=False, repr=False)
class Task:
    """Training and test data, with the verdict that a good test of feature learning should reach on them.

    Attributes:
        name: its name in plots and tables.
        X: training inputs, (N, d), or images (N, H, W, C).
        y: training targets, (N,) or (N, C); whole numbers where they are labels.
        X_test: test inputs.
        y_test: test targets, noise included.
        answer: the right verdict, in words, and why.
        citation: where the task comes from.
        noise_std: of the Gaussian noise on y; None where nobody knows.
        directions: orthonormal directions of the inputs that y depends on, (d, k); None where it is all of them, or
            where nobody knows.

    Example:
        >>> import bayes_nn as bnn
        >>> task = bnn.tasks.sparse_parity(rows=50, test_rows=20)
        >>> task
        Task(3-sparse parity of 12 inputs: 50 rows, 20 test rows, inputs of shape (12,))
        >>> net = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
        >>> result = bnn.compare([bnn.priors.NNGP(net)], *task.data, likelihood=bnn.Gaussian(task.noise_std))
    """

    name: str
    X: Float[np.ndarray, "N *shape"]
    y: np.ndarray
    X_test: Float[np.ndarray, "T *shape"]
    y_test: np.ndarray
    answer: str
    citation: str
    noise_std: float | None = None
    directions: Float[np.ndarray, "d k"] | None = None

    @property
    def data(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """``X, y, X_test, y_test``, in the order of :func:`bayes_nn.compare`."""
        return self.X, self.y, self.X_test, self.y_test

    def __repr__(self) -> str:
        sizes = f"{len(self.X)} rows, {len(self.X_test)} test rows, inputs of shape {self.X.shape[1:]}"
        return f"Task({self.name}: {sizes})"


def random_streams(key: int | Array) -> Streams:
    """Independent generators for the target, the inputs and the noise.

    Three of them, so that under one key the inputs stay the same whatever the target is. A seed gives what
    ``jax.random.key(seed)`` gives, without starting JAX's backend.

    Raises:
        ValueError: if the key is neither.
    """
    words = list(divmod(checked_seed(key), 2**32)) if is_seed(key) else _key_words(key)
    target, inputs, noise = np.random.default_rng(words).spawn(3)
    return target, inputs, noise


def _key_words(key: Any) -> list[int]:
    try:
        words = np.asarray(jax.random.key_data(key))
    except (TypeError, ValueError):
        words = np.zeros(())
    if words.ndim != 1:
        raise ValueError(f"key must be an integer seed or one JAX key; got {key!r}")
    return words.tolist()


def check_counts(**counts: int) -> None:
    """Refuse counts that are not positive whole numbers, and fewer than 2 rows.

    Raises:
        ValueError: naming the count.
    """
    for name, count in counts.items():
        least = 2 if name in ("rows", "test_rows") else 1
        if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < least:
            raise ValueError(f"{name} must be a whole number of at least {least}; got {count!r}")


def checked_number(value: float, name: str, *, zero_allowed: bool) -> float:
    """A finite number that is positive, or zero where that is allowed.

    Raises:
        ValueError: if it is none.
    """
    real = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not real or not np.isfinite(value) or value < 0 or (value == 0 and not zero_allowed):
        least = "zero or a positive number" if zero_allowed else "a positive number"
        raise ValueError(f"{name} must be {least}; got {value!r}")
    return float(value)


def with_noise(
    name: str,
    X: Float[np.ndarray, "M d"],
    f: Float[np.ndarray, "M *C"],
    rows: int,
    noise_std: float,
    noise: np.random.Generator,
    *,
    answer: str,
    citation: str,
    directions: Float[np.ndarray, "d k"] | None = None,
) -> Task:
    """The task of predicting ``y = f + noise_std * noise``: the first rows are for training, the others for testing."""
    y = f + noise_std * noise.standard_normal(f.shape)
    return Task(name, X[:rows], y[:rows], X[rows:], y[rows:], answer, citation, noise_std, directions)
