"""Paired differences and their errors, by hand."""

import numpy as np
import pytest

from bayes_nn.data.scores import paired_difference


def test_one_split_over_points_and_several_over_splits():
    first, second = np.array([1.0, 2.0, 6.0]), np.array([0.0, 1.0, 2.0])
    mean, error = paired_difference([first], [second])
    assert (mean, error) == pytest.approx((2.0, np.sqrt(3.0 / 3.0)))
    mean, error = paired_difference([first, second], [second, second], test_to_train=0.25)
    assert (mean, error) == pytest.approx((1.0, np.std([2.0, 0.0], ddof=1) * np.sqrt(0.5 + 0.25)))
    assert paired_difference([first[:1]], [second[:1]])[1] == np.inf
