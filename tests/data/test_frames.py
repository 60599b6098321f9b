"""Tables of every library and kind of array: read as numbers, or refused by column."""

from decimal import Decimal

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import sparse
from scipy.stats import norm

import bayes_nn as bnn
from bayes_nn import priors
from bayes_nn.data.checks import as_matrix
from bayes_nn.data.class_labels import as_labels
from bayes_nn.data.dataset import Dataset

COLUMNS = {"age": [30.0, 40.0, 55.0], "height": [1.7, 1.9, 1.6]}
RIGHT = np.array(list(COLUMNS.values())).T
Y = [1.0, 3.0, 2.0]
NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)


def polars():
    return pytest.importorskip("polars")


LIBRARIES = {
    "pandas": pd.DataFrame,
    "PyArrow": pa.table,
    "Polars": lambda columns: polars().DataFrame(columns),
    "lazy Polars": lambda columns: polars().LazyFrame(columns),
}


@pytest.mark.parametrize("library", LIBRARIES)
def test_frames_of_every_library_are_matched_by_name(library):
    make = LIBRARIES[library]
    data = Dataset.of(make(COLUMNS), make({"y": Y}), bnn.Gaussian(0.1), standardize=False)
    np.testing.assert_array_equal(data.inputs, RIGHT)
    assert data.columns == ("age", "height")
    reordered = make(dict(reversed(COLUMNS.items())))
    np.testing.assert_array_equal(data.new_inputs(reordered), RIGHT)
    for names, message in [
        (["age"], "X lacks height"),
        (["age", "height", "width"], "X has the new width"),
        (["age", "Height"], "X lacks height and has the new Height"),
    ]:
        with pytest.raises(ValueError, match=message):
            data.new_inputs(make(dict.fromkeys(names, Y)))
    with pytest.raises(ValueError, match=r"X has NaN or infinite values in 1 rows \(first: row 1, column age\)"):
        data.new_inputs(make(COLUMNS | {"age": [1.0, None, 2.0]}))
    with pytest.raises(ValueError, match=r"X has non-numeric columns: age \(row 0 holds 'x'\); encode them"):
        data.new_inputs(make(COLUMNS | {"age": ["x", "y", "z"]}))
    assert as_labels(make({"y": ["b", "a", "b"]}), "y").tolist() == ["b", "a", "b"]


def test_outputs_are_matched_by_name():
    targets = pd.DataFrame({"u": Y, "v": [5.0, 7.0, 4.0]})
    data = Dataset.of(RIGHT, targets, bnn.Gaussian(0.1), standardize=False)
    np.testing.assert_array_equal(data.new_targets(targets[["v", "u"]]), targets)
    np.testing.assert_array_equal(data.test_pair(RIGHT, targets[["v", "u"]])[1], targets)
    with pytest.raises(ValueError, match="y_test lacks v and has the new w"):
        data.new_targets(targets.rename(columns={"v": "w"}))


def test_columns_are_matched_by_name_in_all_that_takes_new_inputs():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(12, 2)), columns=["a", "b"])
    y, new = frame.a + rng.normal(size=12), frame[["b", "a"]] + 0.1
    posterior = bnn.fit(priors.NNGP(NET), frame, y, bnn.Gaussian(0.5))
    right = posterior.predict(new[["a", "b"]].to_numpy())
    np.testing.assert_allclose(posterior.predict(new).mean, right.mean)
    assert np.abs(posterior.predict(new.to_numpy()).mean - right.mean).max() > 0.01
    result = bnn.compare([priors.NNGP(NET)], frame, y, new, y, likelihood=bnn.Gaussian(0.5))
    np.testing.assert_allclose(result.rows[0].lpd_test[0], right.log_prob(y))
    settings = {"members": 1, "steps": 2, "stop": "steps", "noise_std": 0.5}
    ensemble = bnn.train(NET, frame, y, 3, **settings)
    np.testing.assert_allclose(ensemble.predict(new).mean, ensemble.predict(new[["a", "b"]].to_numpy()).mean)
    renamed = new.rename(columns={"a": "A"})
    for call in (
        lambda: posterior.predict(renamed),
        lambda: posterior.convergence_at(renamed),
        lambda: bnn.compare([priors.NNGP(NET)], frame, y, renamed, y),
        lambda: ensemble.predict(renamed),
        lambda: bnn.train(NET, renamed, y, 3, start=ensemble, **settings),
        lambda: bnn.inference.transfer(priors.NNGP(NET), (frame, y), (renamed, y), bnn.Gaussian(0.5)),
    ):
        with pytest.raises(ValueError, match="lacks a and has the new A"):
            call()


@pytest.mark.parametrize(
    "values",
    [
        RIGHT.astype(object),
        RIGHT.astype(str),
        [[str(cell) for cell in row] for row in RIGHT],
        jnp.asarray(RIGHT),
        pd.DataFrame(COLUMNS).astype("Float64"),
        pd.DataFrame(COLUMNS, dtype=object),
        pd.DataFrame({name: [Decimal(str(cell)) for cell in column] for name, column in COLUMNS.items()}),
        pd.DataFrame(RIGHT, columns=["age", "age"]),
        pd.DataFrame(COLUMNS).astype(pd.SparseDtype(float)),
    ],
)
def test_numbers_however_they_are_stored(values):
    np.testing.assert_allclose(as_matrix(values, "X"), RIGHT, rtol=1e-15)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (sparse.csr_matrix(RIGHT), r"X is a sparse matrix: pass X.toarray\(\)"),
        (sparse.coo_array(RIGHT), r"X is a sparse matrix: pass X.toarray\(\)"),
        (np.ma.masked_array(RIGHT, RIGHT > 50), "X is a masked array"),
        (RIGHT + 1j, "X holds complex numbers: pass their real and imaginary parts"),
        (np.array(["2020-01-01"], "M8[D]"), "it holds dates"),
        (pd.DataFrame({"a": [1j]}), "X has non-numeric columns: a"),
        (pd.DataFrame({"day": pd.to_datetime(["2020-01-01"])}), "X has non-numeric columns: day"),
        (pd.DataFrame({"a": [1.0], "c": pd.Categorical([1])}), "X has non-numeric columns: c"),
        (
            np.array([[1.0, "red"], [2.0, "3"]], dtype=object),
            r"X must be numeric; column 1 is not \(row 0 holds 'red'\)",
        ),
        ([[1, 2], [3]], "X must be numeric; it could not be read"),
        ([10**400], r"column 0 is not \(row 0 holds 1000"),
        ([1e200], "X has values beyond 1e.70 in 1 rows .first: row 0., whose squares overflow"),
        (pd.DataFrame({"two\nlines": [np.inf]}), r"row 0, column 'two\\nlines'"),
        (None, "X must have one or two dimensions; got NoneType"),
        ({1.0, 2.0}, "X must have one or two dimensions; got set"),
    ],
)
def test_what_is_no_table_of_numbers_is_refused(values, message):
    with pytest.raises(ValueError, match=message) as refused:
        as_matrix(values, "X")
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 2.5], "holds 2.5: labels are whole numbers, booleans or text"),
        ([0, 1e300], "holds 1e.300"),
        ([0, 1j], "holds 1j"),
        ([0, 10**400], "holds 1000"),
        ([["a"], ["b", "c"]], "y holds .*labels are|could not be read as one column"),
        (["a", None], r"1 missing labels \(first: row 1\)"),
        (["a", 1], "mixes text and numbers"),
    ],
)
def test_what_is_no_label_is_refused(labels, message):
    with pytest.raises(ValueError, match=message):
        as_labels(labels, "y")


def test_text_as_a_target_is_met_with_the_likelihoods_of_classes():
    with pytest.raises(ValueError, match=r"row 0 holds 'a'\): for classes use Bernoulli\(\) or Categorical\(\)"):
        Dataset.of(RIGHT, ["a", "b", "a"], bnn.Gaussian(0.1))


def test_spreads_of_any_size_are_standardised():
    for unit in (1e-60, 1.0, 1e60):
        data = Dataset.of(np.array([0.0, unit, 0.0, unit]), np.array([unit, 0.0, 0.0, unit]), bnn.Gaussian(0.1))
        np.testing.assert_allclose(np.abs(data.X), 1.0, rtol=1e-12)
        assert np.isfinite(data.Y).all()


def test_one_row_is_enough_where_nothing_is_standardised():
    """Of one row, y ~ N(0, 2 + 0.25) under a kernel of variance 2 and noise of 0.5."""
    net = bnn.mlp(depth=1, activation="identity", weight_std=1.0, bias_std=1.0)
    x, y = np.ones(1), np.array([0.7])
    variance = float(priors.NNGP(net).kernel.gram(jnp.ones((1, 1))).as_matrix()[0, 0]) + 0.25
    posterior = bnn.fit(priors.NNGP(net), x, y, bnn.Gaussian(0.5), standardize=False)
    assert posterior.log_evidence.value == pytest.approx(norm.logpdf(0.7, 0.0, variance**0.5), abs=1e-6)
    result = bnn.compare([priors.NNGP(net)], x, y, likelihood=bnn.Gaussian(0.5), standardize=False)
    assert result.rows[0].log_evidence == pytest.approx(posterior.log_evidence.value)
    labels = Dataset.of(x, ["yes"], bnn.Bernoulli(("no", "yes")), standardize=False)
    assert labels.targets.tolist() == [[1.0]]
    with pytest.raises(ValueError, match="at least 2 rows are needed; got 1; one is enough where standardize=False"):
        bnn.fit(priors.NNGP(net), x, y, bnn.Gaussian(0.5))


def test_a_split_without_variation_is_named_with_its_rows():
    X, y = np.arange(6.0), np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0])
    splits = [([3, 4, 5], [0]), ([0, 1, 2], [3, 4, 5])]
    for given in (splits, iter(splits)):
        with pytest.raises(ValueError, match="split 1 of 2, training rows 0, 1, 2: y is constant"):
            bnn.compare([priors.NNGP(NET)], X, y, splits=given)
    for pair, message in [
        (([0, 9], [1]), "split 0 of 1 has row 9, and the data have 6 rows"),
        (([0.5, 1.0], [1]), "split 0 of 1: rows must be given by their numbers"),
        (([True, False], [1]), "or by a mask of all 6"),
        ((0, 1), "split 0 of 1: rows must be given"),
        (3, "split 0 of 1 must be a pair"),
    ]:
        with pytest.raises(ValueError, match=message):
            bnn.compare([priors.NNGP(NET)], X, y, splits=[pair])
