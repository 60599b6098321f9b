"""The data of one fit: checked once, with their scale, their likelihood and the names of their columns."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
import pandas as pd
from jaxtyping import Array, Float

from bayes_nn.data.checks import as_matrix, as_new_inputs, in_order_of
from bayes_nn.data.frames import as_table, column_names
from bayes_nn.data.likelihoods.likelihood import Likelihood
from bayes_nn.data.scale import Scale
from bayes_nn.runtime.environment import require_double_precision


@dataclass(frozen=True, eq=False)
class Dataset:
    """Inputs and targets on the user's scale, and how they are brought to the model's.

    Made by :meth:`of`, which checks them, once for every split of the data.

    Attributes:
        inputs: (N, d), or images (N, H, W, C).
        targets: (N, C), labels encoded.
        scale: the way to the model's scale and back.
        likelihood: with its classes known.
        columns: names of the input columns; () where they have none.
        outputs: names of the targets' columns, where there are several with names.

    Example:
        >>> import bayes_nn as bnn
        >>> frame = pd.DataFrame({"age": [20.0, 30.0, 40.0], "height": [1.8, 1.7, 1.9]})
        >>> data = Dataset.of(frame, [1.0, 2.0, 4.0], bnn.Gaussian(0.1))
        >>> len(data), data.columns, data.X.shape
        (3, ('age', 'height'), (3, 2))
        >>> bool((data.new_inputs(frame[["height", "age"]]) == data.X).all())
        True
    """

    inputs: Float[np.ndarray, "N *shape"]
    targets: Float[np.ndarray, "N C"]
    scale: Scale
    likelihood: Likelihood
    columns: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        X: Any,
        y: Any,
        likelihood: Likelihood,
        standardize: bool = True,
        duplicates: Literal["error", "keep"] | str = "error",
        *,
        names: tuple[str, str] = ("X", "y"),
    ) -> "Dataset":
        """Check training data.

        Args:
            X: inputs, (N,), (N, d), (N, T, C) or (N, H, W, C); NumPy, JAX, or frames of pandas, Polars, PyArrow, ...
            y: targets, (N,) or (N, C); labels (N,) where the likelihood is for labels.
            likelihood: says whether y is numbers, counts or labels; classes that it does not name are found in y.
            standardize: bring the inputs, and the targets where the likelihood scales them, to mean 0 and standard
                deviation 1.
            duplicates: ``"error"`` refuses rows that repeat both inputs and targets exactly, most often a copying
                mistake that counts the same measurement twice; ``"keep"`` accepts them.
            names: what the user calls X and y, for errors.

        Raises:
            ValueError: saying what is wrong with the data, or if JAX computes in float32.
        """
        if duplicates not in ("error", "keep"):
            raise ValueError(f"duplicates must be 'error' or 'keep'; got {duplicates!r}")
        require_double_precision()
        X, y = as_table(X, names[0]), as_table(y, names[1])
        likelihood = likelihood.of_targets(y)
        inputs, targets = as_matrix(X, names[0], positions=True), likelihood.encode(y, names[1])
        if len(inputs) != len(targets):
            raise ValueError(f"{names[0]} has {len(inputs)} rows but {names[1]} has {len(targets)}")
        scale, outputs = Scale.of(inputs, targets, standardize=False), column_names(y) if targets.shape[1] > 1 else ()
        data = cls(inputs, targets, scale, likelihood, column_names(X), outputs)
        data.check(standardize)
        if duplicates == "error":
            _refuse_repeated_rows(inputs, targets)
        return data.rescaled(standardize)

    def check(self, standardize: bool = True) -> None:
        """Refuse rows that leave nothing to explain.

        Args:
            standardize: whether they give a scale; if not, a single row will do.

        Raises:
            ValueError: for too few rows, or constant targets.
        """
        if len(self) == 1 and not standardize:
            return
        if len(self) < 2:
            alone = "; one is enough where standardize=False" if len(self) else ""
            raise ValueError(f"at least 2 rows are needed; got {len(self)}{alone}")
        self.likelihood.check_targets(self.targets)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self.inputs)

    @cached_property
    def X(self) -> Float[Array, "N *shape"]:  # noqa: N802
        """Inputs on the model's scale."""
        return self.scale.inputs(self.inputs)

    @cached_property
    def Y(self) -> Float[Array, "N C"]:  # noqa: N802
        """Encoded targets on the model's scale."""
        return self.scale.targets(self.targets)

    @property
    def original_targets(self) -> np.ndarray:
        """Targets as the user gives them: numbers (N, C), or labels (N,)."""
        return self.likelihood.decode(self.targets)

    def rows(self, index: Any) -> "Dataset":
        """Some of the rows, on the same scale and under the same likelihood.

        They are not checked again, since rows for testing may be few or all alike: see :meth:`check`.

        Args:
            index: row numbers, a slice, or a mask (N,).
        """
        return replace(self, inputs=self.inputs[index], targets=self.targets[index])

    def with_scale(self, scale: Scale) -> "Dataset":
        """The same rows on a scale given from outside."""
        return replace(self, scale=scale)

    def rescaled(self, standardize: bool = True) -> "Dataset":
        """The same rows on a scale of their own.

        Args:
            standardize: False for the user's scale.
        """
        return self.with_scale(Scale.of(self.inputs, self.targets, standardize, self.likelihood.scales_targets))

    def new_inputs(self, X: Any, name: str = "X") -> Float[Array, "T *shape"]:
        """New inputs on the model's scale.

        Args:
            X: inputs, (T,), (T, d) or (T, H, W, C). The columns of a frame are matched by name where the training
                data had names; all else is taken by position.
            name: what the user calls them, for the error.

        Raises:
            ValueError: for missing values, or columns or shapes other than the training data's.
        """
        return self.scale.inputs(as_new_inputs(X, self.scale.input_shape, self.columns, name))

    def new_targets(self, y: Any, name: str = "y_test") -> Float[np.ndarray, "T C"]:
        """New targets, encoded, on the user's scale.

        Args:
            y: as the training targets.
            name: what the user calls them, for the error.

        Raises:
            ValueError: for values that the likelihood is not for, or another number of outputs.
        """
        targets = self.likelihood.encode(in_order_of(y, self.outputs, name), name)
        if targets.shape[1] != self.targets.shape[1]:
            raise ValueError(f"{name} has {targets.shape[1]} outputs, the training data {self.targets.shape[1]}")
        return targets

    def test_pair(
        self, X_test: Any, y_test: Any, names: tuple[str, str] = ("X_test", "y_test")
    ) -> tuple[Float[np.ndarray, "T *shape"], Float[np.ndarray, "T C"]]:
        """Test data, checked, on the user's scale.

        Args:
            X_test: inputs, as in :meth:`new_inputs`.
            y_test: targets, as in :meth:`new_targets`.
            names: what the user calls them, for errors.

        Returns:
            Inputs with columns in the order of the training data's, and encoded targets.

        Raises:
            ValueError: if they do not fit the training data, or each other.
        """
        inputs = as_matrix(in_order_of(X_test, self.columns, names[0]), names[0], positions=True)
        targets = self.likelihood.encode(in_order_of(y_test, self.outputs, names[1]), names[1])
        if len(inputs) != len(targets):
            raise ValueError(f"{names[0]} has {len(inputs)} rows but {names[1]} has {len(targets)}")
        if inputs.shape[1:] != self.inputs.shape[1:] or targets.shape[1] != self.targets.shape[1]:
            raise ValueError(
                f"training data have {_product(self.inputs)} inputs and {self.targets.shape[1]} outputs, test data "
                f"{_product(inputs)} and {targets.shape[1]}"
            )
        return inputs, targets


def _product(inputs: np.ndarray) -> str:
    return " x ".join(str(length) for length in inputs.shape[1:])


def _refuse_repeated_rows(inputs: np.ndarray, targets: np.ndarray) -> None:
    """Refuse rows that repeat an earlier row.

    Raises:
        ValueError: naming the first.
    """
    flat = inputs.reshape(len(inputs), -1)
    repeated = pd.DataFrame(np.hstack([flat, targets])).duplicated().to_numpy()
    if repeated.any():
        raise ValueError(
            f"{repeated.sum()} rows repeat an earlier row in X and y (first: row {np.flatnonzero(repeated)[0]}); "
            "drop them, or pass duplicates='keep' if they are separate measurements"
        )
