"""Bad data get a clear error before any sampling starts."""

import numpy as np
import pandas as pd
import pytest

import bayes_nn as bnn
from bayes_nn import inference, priors

NET = bnn.mlp(depth=1, weight_std=1.4, bias_std=0.1)
GOOD_X, GOOD_Y = np.arange(10.0).reshape(5, 2) ** 1.5, np.array([0.1, 0.4, 0.2, 0.9, 0.5])


def with_nan(values):
    bad = np.array(values, dtype=float)
    bad.flat[1] = np.nan
    return bad


BAD_DATA = {
    "NaN in X": (with_nan(GOOD_X), GOOD_Y, "X has NaN or infinite values in 1 rows .first: row 0"),
    "NaN in y": (GOOD_X, with_nan(GOOD_Y), "y has NaN or infinite values"),
    "infinite X": (np.where(GOOD_X > 20, np.inf, GOOD_X), GOOD_Y, "X has NaN or infinite"),
    "missing in a frame": (pd.DataFrame({"a": [1, None, 3, 4, 5]}), GOOD_Y, "X has NaN"),
    "text column": (pd.DataFrame({"a": GOOD_Y, "colour": list("rgbrg")}), GOOD_Y, "non-numeric columns: colour"),
    "text array": (np.array([["a"], ["b"]]), GOOD_Y[:2], "X must be numeric"),
    "constant target": (GOOD_X, np.full(5, 3.0), "y is constant .value 3"),
    "length mismatch": (GOOD_X, GOOD_Y[:4], "X has 5 rows but y has 4"),
    "one row": (GOOD_X[:1], GOOD_Y[:1], "at least 2 rows are needed; got 1"),
    "no rows": (GOOD_X[:0], GOOD_Y[:0], "at least 2 rows"),
    "three dimensions": (GOOD_X[:, None], GOOD_Y, "put Flatten.. or GlobalAvgPool"),
    "targets in three dimensions": (GOOD_X, GOOD_Y[:, None, None], "y must have one or two dimensions"),
    "no columns": (GOOD_X[:, :0], GOOD_Y, "X has no columns"),
    "repeated rows": (GOOD_X[[0, 1, 2, 3, 0]], GOOD_Y[[0, 1, 2, 3, 0]], "1 rows repeat an earlier row .* row 4"),
}


@pytest.fixture
def no_sampling(monkeypatch):
    """Fails the test if any sampler or exact evaluation starts."""
    from bayes_nn.inference.sampling.code_length import CodeLength
    from bayes_nn.inference.sampling.samplers import SAMPLERS

    def forbidden(*args, **kwargs):
        raise AssertionError("sampling started before the input was checked")

    for sampler in (*SAMPLERS.values(), CodeLength):
        monkeypatch.setattr(sampler, "draw", forbidden)


@pytest.mark.parametrize("case", BAD_DATA)
@pytest.mark.usefixtures("no_sampling")
def test_fit_refuses(case):
    X, y, message = BAD_DATA[case]
    with pytest.raises(ValueError, match=message):
        bnn.fit(bnn.BayesianNetwork(NET, 4), X, y)


@pytest.mark.parametrize("case", BAD_DATA)
@pytest.mark.usefixtures("no_sampling")
def test_compare_refuses(case):
    X, y, message = BAD_DATA[case]
    with pytest.raises(ValueError, match=message):
        bnn.compare([priors.NNGP(NET), bnn.BayesianNetwork(NET, 4)], X, y)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sampler": "gibbs"}, "unknown sampler 'gibbs'"),
        ({"sampler": "exact"}, "no exact posterior"),
        ({"sampler": 3}, "sampler must be a name"),
        ({"likelihood": "gaussian"}, "expected a likelihood"),
        ({"duplicates": "ignore"}, "duplicates must be"),
    ],
)
@pytest.mark.usefixtures("no_sampling")
def test_fit_refuses_bad_settings(arguments, message):
    with pytest.raises(ValueError, match=message):
        bnn.fit(bnn.BayesianNetwork(NET, 4), GOOD_X, GOOD_Y, **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"candidates": []}, "at least one prior"),
        ({"candidates": priors.NNGP(NET)}, "list of at least one prior"),
        ({"candidates": ["nngp"]}, "every candidate must be a prior"),
        ({"X_test": GOOD_X}, "pass X_test and y_test together"),
        ({"X_test": GOOD_X, "y_test": GOOD_Y, "splits": 3}, "not both"),
        ({"X_test": GOOD_X[:, :1], "y_test": GOOD_Y}, "2 inputs and 1 outputs, test data 1"),
        ({"X_test": GOOD_X, "y_test": GOOD_Y[:3]}, "X_test has 5 rows but y_test has 3"),
        ({"X_test": with_nan(GOOD_X), "y_test": GOOD_Y}, "X_test has NaN"),
        ({"splits": -1}, "splits must be at least 1"),
        ({"splits": True}, "splits must be a whole number"),
        ({"splits": []}, "splits is empty"),
        ({"sampler": inference.NUTS()}, "compare needs evidences"),
    ],
)
@pytest.mark.usefixtures("no_sampling")
def test_compare_refuses_bad_settings(arguments, message):
    call = {"candidates": [priors.NNGP(NET)], "X": GOOD_X, "y": GOOD_Y} | arguments
    with pytest.raises(ValueError, match=message):
        bnn.compare(**call)


def test_predictions_refuse_other_columns():
    posterior = bnn.fit(priors.NNGP(NET), GOOD_X, GOOD_Y, bnn.Gaussian(0.1))
    with pytest.raises(ValueError, match="X has 1 columns; the prior was fitted to 2"):
        posterior.predict(GOOD_X[:, 0])
    with pytest.raises(ValueError, match="y has shape"):
        posterior.predict(GOOD_X).log_prob(GOOD_Y[:2])


def test_separate_measurements_may_repeat_when_told_so():
    X, y, _ = BAD_DATA["repeated rows"]
    posterior = bnn.fit(priors.NNGP(NET), X, y, bnn.Gaussian(0.1), duplicates="keep")
    assert np.isfinite(posterior.log_evidence.value)


def test_a_constant_input_column_is_harmless():
    X = np.column_stack([GOOD_X, np.full(5, 7.0)])
    posterior = bnn.fit(priors.NNGP(NET), X, GOOD_Y, bnn.Gaussian(0.1))
    assert np.isfinite(posterior.log_evidence.value)
