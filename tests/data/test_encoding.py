"""Text becomes columns of 0 and 1, alike for old and new frames."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import bayes_nn as bnn

FRAME = pd.DataFrame(
    {
        "size": [1.0, 2.0, 3.0],
        "colour": ["red", "blue", "red"],
        "grade": pd.Categorical(["low", "high", "low"], ["low", "middle", "high"]),
        "old": [True, False, True],
        "count": pd.Series([1, 2, 3], dtype=object),
    }
)


def test_one_column_for_every_level_in_the_place_of_the_column():
    encoded = bnn.encode(FRAME)
    assert encoded.levels == {
        "colour": ("blue", "red"),
        "grade": ("low", "middle", "high"),
        "old": ("False", "True"),
    }
    assert list(encoded.frame) == [
        "size", "colour=blue", "colour=red", "grade=low", "grade=middle", "grade=high", "old=False", "old=True", "count"
    ]  # fmt: skip
    assert encoded.frame.to_numpy().tolist() == [
        [1, 0, 1, 1, 0, 0, 0, 1, 1],
        [2, 1, 0, 0, 0, 1, 1, 0, 2],
        [3, 0, 1, 1, 0, 0, 0, 1, 3],
    ]
    dummies = pd.get_dummies(FRAME[["colour", "grade"]], prefix_sep="=", dtype=float)
    pd.testing.assert_frame_equal(encoded.frame[list(dummies)], dummies)


def test_new_frames_are_encoded_equally():
    encoded = bnn.encode(FRAME)
    part = FRAME.iloc[[1]][["old", "grade", "size", "count", "colour"]]
    pd.testing.assert_frame_equal(encoded.transform(part), encoded.frame.iloc[[1]])
    pd.testing.assert_frame_equal(bnn.encode(FRAME, levels=encoded.levels).frame, encoded.frame)
    arrow = pa.Table.from_pandas(FRAME, preserve_index=False)
    pd.testing.assert_frame_equal(encoded.transform(arrow), encoded.frame)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": "purple"}, "column colour of X has 'purple' in row 0, which is none of its levels blue, red"),
        ({"colour": 3}, "column colour of X has '3' in row 0"),
        ({"colour": None}, "column colour of X has 3 missing entries"),
        ({"size": "big"}, "column size of X holds neither numbers nor levels .* such as 'big' in row 0"),
        ({"width": 1.0}, "X has the new width"),
    ],
)
def test_what_the_first_frame_did_not_have_is_refused_by_name(change, message):
    with pytest.raises(ValueError, match=message):
        bnn.encode(FRAME).transform(FRAME.assign(**change))


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (np.ones((2, 2)), "X must be a data frame, whose columns have names and kinds; got ndarray"),
        (pd.DataFrame({"day": pd.to_datetime(["2020-01-01"])}), "column day of X holds neither numbers nor levels"),
        (pd.DataFrame({"c": ["x", "y"], "c=x": [1, 2]}), "several columns called c=x"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "several columns of one name"),
        (pd.DataFrame({"c": pd.Categorical([1, "1"])}), "several columns called c=1"),
    ],
)
def test_what_cannot_be_encoded_is_refused(frame, message):
    with pytest.raises(ValueError, match=message):
        bnn.encode(frame)
    with pytest.raises(ValueError, match="X lacks d, whose levels are given"):
        bnn.encode(FRAME, levels={"d": ("x",)})
