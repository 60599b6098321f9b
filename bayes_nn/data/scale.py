"""The scale that the priors are written for, and the way back to the user's."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.data.checks import spread


@dataclass(frozen=True, eq=False)
class Scale:
    """Location and spread of the training data.

    Attributes:
        x_mean: mean per input column, or per channel of images.
        x_std: standard deviation, likewise; 1 for a column that is constant but for rounding.
        y_mean: mean per output.
        y_std: standard deviation per output.
        input_shape: shape of one input.

    Example:
        >>> scale = Scale.of(np.array([[0.0], [2.0]]), np.array([[10.0], [30.0]]), standardize=True)
        >>> scale.original(np.array([0.0, 1.0])).tolist()
        [20.0, 30.0]
    """

    x_mean: Float[np.ndarray, " d"]
    x_std: Float[np.ndarray, " d"]
    y_mean: Float[np.ndarray, " C"]
    y_std: Float[np.ndarray, " C"]
    input_shape: tuple[int, ...]

    @classmethod
    def of(
        cls,
        X: Float[np.ndarray, "N *shape"],
        y: Float[np.ndarray, "N C"],
        standardize: bool,
        scales_targets: bool = True,
    ) -> "Scale":
        """Population mean and standard deviation of the training rows.

        Args:
            X: checked inputs.
            y: checked targets.
            standardize: False for a scale that changes nothing.
            scales_targets: whether y is brought to mean 0 and standard deviation 1 too.

        Raises:
            ValueError: naming a column whose spread is below 1e-70.
        """
        d, C = X.shape[-1], y.shape[1]
        x_mean, x_std, y_mean, y_std = np.zeros(d), np.ones(d), np.zeros(C), np.ones(C)
        if standardize:
            rows = X.reshape(-1, d)
            x_mean, of_inputs = rows.mean(axis=0), spread(rows, "X")
            x_std = np.where(of_inputs == 0.0, 1.0, of_inputs)
        if standardize and scales_targets:
            y_mean, y_std = y.mean(axis=0), spread(y, "y")
        return cls(x_mean, x_std, y_mean, y_std, X.shape[1:])

    def inputs(self, X: Float[np.ndarray, "N *shape"]) -> Float[Array, "N *shape"]:
        """Checked inputs, brought to the model's scale."""
        return jnp.asarray((X - self.x_mean) / self.x_std)

    def targets(self, y: Float[np.ndarray, "N C"]) -> Float[Array, "N C"]:
        """Checked, encoded targets, brought to the model's scale."""
        return jnp.asarray((y - self.y_mean) / self.y_std)

    def original_inputs(self, X: Float[np.ndarray, "N *shape"]) -> Float[np.ndarray, "N *shape"]:
        """Inputs on the model's scale, brought back to the user's."""
        return np.asarray(X) * self.x_std + self.x_mean

    def original(self, y: Float[np.ndarray, "*batch C"]) -> Float[np.ndarray, "*batch C"]:
        """Targets, or means of them, brought back from the model's scale to the user's."""
        return np.asarray(y) * self.y_std + self.y_mean

    def original_std(self, std: float | Float[np.ndarray, "*batch #C"]) -> Float[np.ndarray, "*batch C"]:
        """Standard deviations of targets, brought back from the model's scale to the user's."""
        return np.asarray(std) * self.y_std

    @property
    def log_y_std(self) -> float:
        """Sum over outputs of log y_std, nats: a log density on the model's scale minus that on the user's."""
        return float(np.log(self.y_std).sum())


def _std(rows: Float[np.ndarray, "N d"]) -> Float[np.ndarray, " d"]:
    """Population standard deviation of every column, whose squares cannot underflow: taken in units of a power of 2."""
    _, exponent = np.frexp(np.abs(rows).max(axis=0))
    return np.ldexp(np.ldexp(rows, -exponent).std(axis=0), exponent)
