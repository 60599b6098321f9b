"""Data are checked once; columns are matched by name; the scale and the way back."""

import jax
import numpy as np
import pandas as pd
import pytest

import bayes_nn as bnn
from bayes_nn.data import dataset as module
from bayes_nn.data.checks import as_new_inputs
from bayes_nn.data.dataset import Dataset
from bayes_nn.data.scale import Scale

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(3.0 + 2.0 * RNG.normal(size=(6, 3)), columns=["age", "height", 7])
Y = 10.0 + 5.0 * RNG.normal(size=6)
NEW = pd.DataFrame(RNG.normal(size=(2, 3)), columns=FRAME.columns)


@pytest.fixture
def data():
    return Dataset.of(FRAME, Y, bnn.Gaussian(0.1))


def test_scaled_once_by_the_population_moments(data):
    np.testing.assert_allclose(data.X, (FRAME - FRAME.mean()) / FRAME.std(ddof=0))
    np.testing.assert_allclose(data.Y[:, 0], (Y - Y.mean()) / Y.std())
    assert data.X is data.X
    assert isinstance(data.X, jax.Array)
    assert data.scale.log_y_std == pytest.approx(np.log(Y.std()))
    np.testing.assert_allclose(data.scale.original(data.Y)[:, 0], Y)
    np.testing.assert_allclose(data.scale.original_inputs(data.X), FRAME)
    np.testing.assert_allclose(data.scale.original_std(np.ones((4, 1))), Y.std())
    assert len(data) == 6


def test_not_scaled_where_not_asked_for():
    data = Dataset.of(FRAME, Y, bnn.Gaussian(0.1), standardize=False)
    np.testing.assert_array_equal(data.X, FRAME)
    np.testing.assert_array_equal(data.Y[:, 0], Y)


def test_images_are_scaled_by_channel_and_constant_columns_only_centred():
    images = np.concatenate([RNG.normal(size=(6, 4, 4, 1)), np.full((6, 4, 4, 1), 3.0)], axis=-1)
    data = Dataset.of(images, Y, bnn.Gaussian(0.1))
    np.testing.assert_allclose(np.asarray(data.X).std(axis=(0, 1, 2)), [1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(np.asarray(data.X).mean(axis=(0, 1, 2)), 0.0, atol=1e-12)


def test_columns_are_matched_by_name(data):
    assert data.columns == ("age", "height", "7")
    expected = (NEW - FRAME.mean()) / FRAME.std(ddof=0)
    for new in (NEW, NEW[[7, "age", "height"]], NEW.to_numpy(), NEW.rename(columns={7: "7"})[["7", "height", "age"]]):
        np.testing.assert_allclose(data.new_inputs(new), expected)
    reordered, _ = data.test_pair(NEW[["height", 7, "age"]], [1.0, 2.0])
    np.testing.assert_array_equal(reordered, NEW)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["age", "height", "width"], "X_test lacks 7 and has the new width: its columns must be those of the training"),
        (["age", "height"], "X_test lacks 7: its columns"),
        (["age", "height", 7, "width", "depth"], "X_test has the new width, depth: its"),
        (["age", "age", "height", 7], "several columns of one name"),
    ],
)
def test_other_columns_are_refused_by_name(data, columns, message):
    frame = pd.DataFrame(np.ones((2, len(columns))), columns=columns)
    for refused in (lambda: data.new_inputs(frame, "X_test"), lambda: data.test_pair(frame, [1.0, 2.0])):
        with pytest.raises(ValueError, match=message):
            refused()


def test_numbered_columns_count_as_names_only_where_the_numbers_agree(data):
    numbered = pd.DataFrame(NEW.to_numpy())
    np.testing.assert_array_equal(data.new_inputs(numbered), data.new_inputs(NEW))
    unnamed = Dataset.of(pd.DataFrame(FRAME.to_numpy()), Y, bnn.Gaussian(0.1))
    for new in (numbered, numbered[[2, 0, 1]], NEW, NEW.to_numpy(), pd.DataFrame(NEW.to_numpy(), columns=[4, 5, 6])):
        np.testing.assert_array_equal(unnamed.new_inputs(new), data.new_inputs(NEW))


def test_shapes_are_compared_with_the_training_data(data):
    with pytest.raises(ValueError, match="X has 1 columns; the prior was fitted to 3"):
        data.new_inputs(np.ones(4))
    with pytest.raises(ValueError, match=r"X has inputs of shape \(2, 2\); the prior was fitted to \(3,\)"):
        as_new_inputs(np.ones((4, 2, 2)), (3,))
    with pytest.raises(ValueError, match="y_test has 2 outputs, the training data 1"):
        data.new_targets(np.ones((4, 2)))
    with pytest.raises(ValueError, match="X_test has 4 rows but y_test has 3"):
        data.test_pair(np.ones((4, 3)), np.ones(3))
    with pytest.raises(ValueError, match="training data have 3 inputs and 1 outputs, test data 2 and 1"):
        data.test_pair(np.ones((4, 2)), np.ones(4))


def test_rows_keep_scale_likelihood_and_names(data):
    for index in ([4, 1], slice(2, 4), np.arange(6) > 3):
        part = data.rows(index)
        np.testing.assert_array_equal(part.X, np.asarray(data.X)[index])
        np.testing.assert_array_equal(part.Y, np.asarray(data.Y)[index])
        assert part.scale is data.scale
        assert part.columns == data.columns
    own = data.rows([0, 1, 2]).rescaled()
    np.testing.assert_allclose(np.asarray(own.Y).std(), 1.0)
    np.testing.assert_array_equal(own.with_scale(data.scale).Y, data.Y[:3])
    with pytest.raises(ValueError, match="at least 2 rows are needed; got 1"):
        data.rows([3]).check()


def test_rows_are_not_checked_again(monkeypatch, data):
    def checked_again(*arguments, **options):
        raise AssertionError("data are checked once")

    monkeypatch.setattr(module, "as_matrix", checked_again)
    assert data.rows([1, 2]).rescaled().with_scale(data.scale).X.shape == (2, 3)


def test_labels_are_encoded_decoded_and_not_scaled():
    labels = np.array(["b", "a", "c", "a", "b", "c"])
    data = Dataset.of(FRAME, pd.Series(labels), bnn.Categorical())
    assert data.likelihood.classes == ("a", "b", "c")
    np.testing.assert_array_equal(data.Y, np.eye(3)[[1, 0, 2, 0, 1, 2]])
    np.testing.assert_array_equal(data.rows([0, 2]).original_targets, ["b", "c"])
    with pytest.raises(ValueError, match="single class 'a'"):
        data.rows([1, 3]).check()
    with pytest.raises(ValueError, match="'d', which is not among the classes"):
        data.new_targets(["a", "d"])


@pytest.mark.parametrize(
    ("X", "y", "options", "message"),
    [
        (FRAME[:0], Y[:0], {}, "at least 2 rows are needed; got 0"),
        (FRAME, np.ones(6), {}, "y is constant .value 1"),
        (FRAME, Y[:5], {}, "X has 6 rows but y has 5"),
        (FRAME, Y[:5], {"names": ("X_a", "y_a")}, "X_a has 6 rows but y_a has 5"),
        (FRAME.iloc[[0, 1, 0]], Y[[0, 1, 0]], {}, "1 rows repeat an earlier row .* row 2"),
        (FRAME, Y, {"duplicates": "drop"}, "duplicates must be"),
        (pd.DataFrame([["x", "y"]], columns=["a", "a"]), Y, {}, "non-numeric columns: a, a"),
    ],
)
def test_bad_data_are_refused(X, y, options, message):
    with pytest.raises(ValueError, match=message):
        Dataset.of(X, y, bnn.Gaussian(0.1), **options)


def test_repeated_rows_are_kept_where_told_so():
    assert len(Dataset.of(FRAME.iloc[[0, 1, 0]], Y[[0, 1, 0]], bnn.Gaussian(0.1), duplicates="keep")) == 3


def test_a_scale_of_one_spread_for_a_constant_column():
    assert Scale.of(np.ones((4, 1)), np.ones((4, 1)), True, scales_targets=False).x_std == 1.0
