"""Checking data and bringing it to the scale the priors are written for."""

from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np
import pandas as pd
from jaxtyping import Array, Float, Int

from bayes_nn.likelihood import Labels, Likelihood


def as_matrix(values: Any, name: str, *, positions: bool = False) -> np.ndarray:
    """A float64 matrix from NumPy, JAX or pandas; one-dimensional values become a column.

    Args:
        values: what the user gave.
        name: what the user calls it, for the error.
        positions: whether sequences (N, T, C) and images (N, H, W, C) are welcome too.

    Raises:
        ValueError: naming the column that holds text or missing values.
    """
    if isinstance(values, (pd.DataFrame, pd.Series)):
        frame = values.to_frame() if isinstance(values, pd.Series) else values
        bad = [str(c) for c in frame.columns if not pd.api.types.is_numeric_dtype(frame[c])]
        if bad:
            raise ValueError(f"{name} has non-numeric columns: {', '.join(bad)}; encode or drop them first")
        values = frame.to_numpy(dtype=float, na_value=np.nan)
    try:
        matrix = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} must be numeric; could not convert it to numbers ({error})") from None
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim < 2 or (matrix.ndim > 2 and not positions):
        raise ValueError(f"{name} must have one or two dimensions; got shape {matrix.shape}")
    if 0 in matrix.shape[1:]:
        raise ValueError(f"{name} has no columns")
    if not np.isfinite(matrix).all():
        rows = np.flatnonzero(~np.isfinite(matrix.reshape(len(matrix), -1)).all(axis=1))
        raise ValueError(
            f"{name} has NaN or infinite values in {len(rows)} rows (first: row {rows[0]}); impute or drop those rows"
        )
    return matrix


def as_labels(values: Any, name: str) -> np.ndarray:
    """Labels (N,) from NumPy, JAX, pandas or a list: whole numbers, booleans or text.

    Args:
        values: what the user gave.
        name: what the user calls it, for the error.

    Raises:
        ValueError: for missing labels, several columns, or numbers that are no labels.
    """
    if values is None or np.ndim(values) == 0:
        raise ValueError(f"{name} must hold one label per row; got {values!r}")
    objects = np.asarray(values, dtype=object)
    if objects.ndim == 2 and objects.shape[1] == 1:
        objects = objects[:, 0]
    if objects.ndim != 1 or not len(objects):
        raise ValueError(f"{name} must hold one label per row; got shape {objects.shape}")
    missing = pd.isna(objects)
    if missing.any():
        raise ValueError(f"{name} has {int(missing.sum())} missing labels; drop those rows")
    if len({isinstance(label, str) for label in objects}) > 1:
        raise ValueError(f"{name} mixes text and numbers; give labels of one kind")
    labels = np.asarray(objects.tolist())
    if labels.dtype.kind == "f":
        broken = labels[labels != np.round(labels)] if np.isfinite(labels).all() else labels[~np.isfinite(labels)]
        if broken.size:
            raise ValueError(f"{name} holds numbers such as {broken[0]}, which are no labels")
        labels = labels.astype(int)
    return labels


def class_numbers(values: Any, classes: tuple, name: str) -> Int[np.ndarray, " N"]:
    """The place of every label among the classes.

    Raises:
        ValueError: for a label that is none of them.
    """
    labels = as_labels(values, name)
    foreign = np.setdiff1d(labels, np.asarray(classes)).tolist()
    if foreign:
        raise ValueError(f"{name} holds {foreign[0]!r}, which is not among the classes {classes}")
    place = {label: number for number, label in enumerate(classes)}
    return np.array([place[label] for label in labels.tolist()], dtype=int)


def as_targets(values: Any, likelihood: Likelihood, name: str) -> Float[np.ndarray, "N C"]:
    """Targets as the latent functions see them: numbers as they are, labels encoded.

    Raises:
        ValueError: for values that the likelihood is not for.
    """
    if isinstance(likelihood, Labels):
        assert likelihood.classes is not None, "with_classes comes first"
        return likelihood.encode(class_numbers(values, likelihood.classes, name), len(likelihood.classes))
    return as_matrix(values, name)


def with_classes[L: Likelihood](likelihood: L, y: Any) -> L:
    """The likelihood, with the classes found in y where it is one of labels and does not name them."""
    return likelihood.among(as_labels(y, "y")) if isinstance(likelihood, Labels) else likelihood


def checked_pair(
    X: Any, y: Any, likelihood: Likelihood, *, duplicates: str = "error"
) -> tuple[np.ndarray, Float[np.ndarray, "N C"]]:
    """Training inputs (N, d) or (N, H, W, C) and encoded targets (N, C), or a ValueError that says what is wrong.

    Args:
        X: inputs, (N,), (N, d), (N, T, C) or (N, H, W, C).
        y: targets, (N,) or (N, C).
        likelihood: says whether y is numbers or labels.
        duplicates: ``"error"`` refuses rows that repeat both inputs and targets exactly, most
            often a copying mistake that counts the same measurement twice; ``"keep"`` accepts them.
    """
    if duplicates not in ("error", "keep"):
        raise ValueError(f"duplicates must be 'error' or 'keep'; got {duplicates!r}")
    inputs, targets = as_matrix(X, "X", positions=True), as_targets(y, likelihood, "y")
    if len(inputs) != len(targets):
        raise ValueError(f"X has {len(inputs)} rows but y has {len(targets)}")
    if len(inputs) < 2:
        raise ValueError(f"at least 2 rows are needed; got {len(inputs)}")
    constant = np.flatnonzero(np.ptp(targets, axis=0) == 0)
    if isinstance(likelihood, Labels):
        likelihood.classes_of(as_labels(y, "y"))
    elif constant.size:
        raise ValueError(f"y is constant (value {targets[0, constant[0]]:g}): there is nothing to explain")
    if duplicates == "error":
        flat = inputs.reshape(len(inputs), -1)
        repeated = pd.DataFrame(np.hstack([flat, targets])).duplicated().to_numpy()
        if repeated.any():
            raise ValueError(
                f"{repeated.sum()} rows repeat an earlier row in X and y (first: row {np.flatnonzero(repeated)[0]}); "
                "drop them, or pass duplicates='keep' if they are separate measurements"
            )
    return inputs, targets


@dataclass(frozen=True)
class Scale:
    """Location and spread of the training data, and the way back to the user's scale.

    Attributes:
        x_mean, x_std: per input column, or per channel of images; a constant one has spread 1.
        input_shape: of one input.
        y_mean, y_std: per output.
    """

    x_mean: Float[np.ndarray, " d"]
    x_std: Float[np.ndarray, " d"]
    y_mean: Float[np.ndarray, " C"]
    y_std: Float[np.ndarray, " C"]
    input_shape: tuple[int, ...]

    @classmethod
    def of(
        cls, X: Float[np.ndarray, "N *shape"], y: Float[np.ndarray, "N C"], standardize: bool, labels: bool = False
    ) -> "Scale":
        """Population mean and standard deviation of the training rows, or no change at all; labels have no scale."""
        d, C = X.shape[-1], y.shape[1]
        x_mean, x_std, y_mean, y_std = np.zeros(d), np.ones(d), np.zeros(C), np.ones(C)
        if standardize:
            rows = X.reshape(-1, d)
            x_mean, x_std = rows.mean(axis=0), np.where(np.ptp(rows, axis=0) == 0, 1.0, rows.std(axis=0))
        if standardize and not labels:
            y_mean, y_std = y.mean(axis=0), y.std(axis=0)
        return cls(x_mean, x_std, y_mean, y_std, X.shape[1:])

    def inputs(self, X: Any) -> Float[Array, "N *shape"]:
        """Inputs on the model's scale.

        Raises:
            ValueError: if the number of columns is not that of the training data.
        """
        matrix = as_matrix(X, "X", positions=True)
        if matrix.shape[1:] != self.input_shape:
            if matrix.ndim == 2 and len(self.input_shape) == 1:
                raise ValueError(f"X has {matrix.shape[1]} columns; the prior was fitted to {len(self.x_mean)}")
            raise ValueError(f"X has inputs of shape {matrix.shape[1:]}; the prior was fitted to {self.input_shape}")
        return jnp.asarray((matrix - self.x_mean) / self.x_std)

    def targets(self, y: Float[np.ndarray, "N C"]) -> Float[Array, "N C"]:
        """Encoded targets on the model's scale."""
        return jnp.asarray((y - self.y_mean) / self.y_std)
