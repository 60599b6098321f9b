"""Numbers that double precision cannot square are refused by name; columns of any other unit change nothing."""

import numpy as np
import pytest

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.data.dataset import Dataset

NOISE = bnn.Gaussian(0.1)
NNGP = priors.NNGP(bnn.mlp(1, "relu", 1.4, 0.1))
RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 2))
Y = X[:, 0] + 0.1 * RNG.normal(size=20)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (X, Y * 1e-300, "y spreads by less than 1e-70 in column 0; change its unit"),
        (X, Y * 1e200, r"y has values beyond 1e\+70 in 20 rows .first: row 0., whose squares overflow"),
        (X * [1.0, 1e-320], Y, "X spreads by less than 1e-70 in column 1"),
        (
            np.where(np.arange(20)[:, None] == 7, 1e155, X),
            Y,
            r"beyond 1e\+70 in 1 rows .first: row 7, column 0.",
        ),
        (X, np.full(20, 0.3), "y is constant .value 0.3.: there is nothing to explain"),
        (X, np.where(np.arange(20) < 5, 0.3, 0.1 + 0.2), "y is constant .value 0.3."),
        (X[:1], Y[:1], "at least 2 rows are needed; got 1"),
    ],
)
def test_refused_in_one_line(X, y, message):
    with pytest.raises(ValueError, match=message) as refused:
        bnn.fit(NNGP, X, y, NOISE)
    assert "\n" not in str(refused.value)


def test_numbers_too_large_are_refused_as_they_are_too():
    for inputs, targets in ((X * 1e200, Y), (X, Y * 1e200)):
        with pytest.raises(ValueError, match="another unit"):
            Dataset.of(inputs, targets, NOISE, standardize=False)
    with pytest.raises(ValueError, match="X has values beyond"):
        Dataset.of(X, Y, NOISE).new_inputs(X * 1e200)


def test_any_other_unit_changes_nothing():
    plain = Dataset.of(X, Y, NOISE)
    scaled = Dataset.of(X * [1e60, 1e-60], Y * 1e-65, NOISE)
    np.testing.assert_allclose(scaled.X, plain.X, rtol=1e-12)
    np.testing.assert_allclose(scaled.Y, plain.Y, rtol=1e-12)


def test_a_column_that_is_constant_but_for_rounding_is_not_blown_up():
    rounded = np.where(np.arange(20) < 5, 0.3, 0.1 + 0.2)
    data = Dataset.of(np.column_stack([X, rounded]), Y, NOISE)
    assert np.abs(data.X[:, 2]).max() < 1e-15
