"""Cross-validation by rows left out of training: it finds when to stop, and how large the noise is."""

from collections.abc import Sequence

import jax
import numpy as np
from jaxtyping import Array, Float, Int
from scipy.optimize import minimize_scalar

from bayes_nn.data.predictive import Predictive

#: No look further once this multiple of the best number of steps has passed.
PATIENCE = 3


def random_folds(rows: int, folds: int, key: Array) -> list[Int[np.ndarray, " H"]]:
    """The row numbers, divided at random into parts of almost equal size.

    Example:
        >>> [len(part) for part in random_folds(7, 3, jax.random.key(0))]
        [3, 2, 2]
    """
    return np.array_split(np.asarray(jax.random.permutation(key, rows)), folds)


def out_of_fold(
    predictions: Sequence[Float[np.ndarray, "M N C"]], folds: list[Int[np.ndarray, " H"]]
) -> Float[np.ndarray, "M N C"]:
    """Of every row, the predictions of the members that were trained without its fold.

    Args:
        predictions: for all rows, by the members trained without the first fold, without the second, and so on.
        folds: the rows of each fold.

    Example:
        >>> without_first, without_second = np.zeros((1, 2, 1)), np.ones((1, 2, 1))
        >>> out_of_fold([without_first, without_second], [np.array([0]), np.array([1])]).ravel().tolist()
        [0.0, 1.0]
    """
    chosen = np.empty_like(predictions[0])
    for predicted, rows in zip(predictions, folds, strict=True):
        chosen[:, rows] = predicted[:, rows]
    return chosen


class HeldOut:
    """The error of the ensemble's mean on rows left out, as training goes on.

    Attributes:
        recorded: numbers of steps at which the error was taken.
        loss: half the mean squared error, likewise.
        best_f: out-of-fold predictions (M, N, C) where the error was smallest.
        last_f: those after the last of the steps.

    Example:
        >>> held_out = HeldOut()
        >>> for step, f in ((1, 3.0), (5, 1.0), (9, 2.0)):
        ...     held_out.add(step, np.full((1, 4, 1), f), np.zeros((4, 1)))
        >>> held_out.best_step
        5
    """

    def __init__(self) -> None:
        self.recorded: list[int] = []
        self.loss: list[float] = []
        self.best_f = self.last_f = np.zeros(0)

    def add(self, step: int, f: Float[np.ndarray, "M N C"], Y: Float[np.ndarray, "N C"]) -> None:
        """Take in the out-of-fold predictions after a number of steps."""
        loss = float(0.5 * np.mean((f.mean(axis=0) - Y) ** 2))
        if not self.loss or loss < min(self.loss):
            self.best_f = f
        self.last_f = f
        self.recorded.append(step)
        self.loss.append(loss)

    @property
    def best_step(self) -> int:
        """The number of steps of smallest error."""
        return self.recorded[int(np.argmin(self.loss))]

    @property
    def past_its_best(self) -> bool:
        """Whether training on has been of no use for long."""
        return self.recorded[-1] >= PATIENCE * self.best_step and self.recorded[-1] > 10


def most_probable_noise(f: Float[np.ndarray, "M N C"], Y: Float[np.ndarray, "N C"]) -> float:
    """The noise_std that maximises the density of Y under the equally weighted mixture of N(f_m, noise_std^2).

    Args:
        f: predictions of members that have not seen the rows. Those that have are too close to Y, and the noise
            would come out too small: 0 for networks that interpolate.
        Y: targets.

    Example:
        >>> round(most_probable_noise(np.zeros((1, 2, 1)), np.array([[0.5], [-0.5]])), 3)
        0.5
    """
    largest = np.log(np.sqrt(np.mean((f - Y) ** 2)))

    def surprise(log_std: float) -> float:
        return -float(Predictive(f, np.full(f.shape, np.exp(log_std))).log_prob(Y).sum())

    # The best value is at most the root mean square of all residuals; below a thousandth of it is not looked.
    return float(np.exp(minimize_scalar(surprise, bounds=(largest - np.log(1e3), largest), method="bounded").x))
