"""Tables that people bring to the command line: read rightly, or refused in one line that says what to do."""

import json

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from typer.testing import CliRunner

import bayes_nn as bnn
from bayes_nn.cli import app
from bayes_nn.cli.columns import TrainingTable
from bayes_nn.cli.files import parse_csv

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=12).round(2), RNG.normal(size=12).round(2)
RIGHT = pd.DataFrame({"a": A, "price": B})


def text_of(delimiter=",", decimal=".", thousands="", factor=1.0):
    def cell(number):
        return f"{factor * number:{',' if thousands else ''}.2f}".translate({44: thousands, 46: decimal})

    lines = [delimiter.join(map(cell, pair)) for pair in zip(A, B, strict=True)]
    return "\n".join([f"a{delimiter}price", *lines, ""])


@pytest.mark.parametrize(
    "content",
    [
        text_of().encode(),
        text_of().replace("\n", "\r\n").encode("utf-8-sig"),
        text_of(";").encode("utf-16"),
        text_of("\t").encode("utf-32"),
        text_of("|").encode(),
        text_of(";", decimal=",").encode(),
        text_of("\t", decimal=",").encode(),
        ("sep=;\n" + text_of(";")).encode(),
        text_of().replace("\n", "\n\n").encode(),
        text_of().replace(",", ", ").encode(),
        text_of().replace("\n", ",\n").encode(),
    ],
)
def test_every_common_way_of_writing_a_file_gives_the_same_numbers(content):
    pd.testing.assert_frame_equal(parse_csv(content), RIGHT)


@pytest.mark.parametrize(
    ("delimiter", "decimal", "thousands"), [(";", ",", "."), (";", ".", ","), (",", ".", " "), (";", ".", "'")]
)
def test_thousands_are_told_from_fractions(delimiter, decimal, thousands):
    content = text_of(delimiter, decimal, thousands, 1e5).encode()
    pd.testing.assert_frame_equal(parse_csv(content), (1e5 * RIGHT).round(2))


@pytest.mark.parametrize(
    ("content", "options", "right"),
    [
        (b"a;b\n1,234;5\n", {"decimal": ","}, [[1.234, 5.0]]),
        (b"a;b\n1,234;5\n", {"thousands": ","}, [[1234.0, 5.0]]),
        (b"a;b\n1.234;5\n", {}, [[1.234, 5.0]]),
        (b"a;b\n1.234;5,5\n", {}, [[1234.0, 5.5]]),
        (b"a;b,c\n1;2,3\n", {"delimiter": ","}, [["1;2", 3.0]]),
        (b"a b\n1 2\n", {"delimiter": " "}, [[1.0, 2.0]]),
        (b"a\tb\n1\t2\n", {"delimiter": "tab"}, [[1.0, 2.0]]),
        ("a,b\né,2\n".encode("latin-1"), {"encoding": "latin-1"}, [["é", 2.0]]),
        ("a,b\né,2\n".encode("utf-16-le"), {"encoding": "utf-16-le"}, [["é", 2.0]]),
        (b"a,b\n1,NA\n2,3\n", {}, [[1.0, np.nan], [2.0, 3.0]]),
        (b"a,b\nNA,1\nyes,2\n", {}, [["NA", 1.0], ["yes", 2.0]]),
        (b'a,b\n"x, ""y""",1e3\n', {}, [['x, "y"', 1000.0]]),
        (b"0,1\n5,6\n", {}, [[5.0, 6.0]]),
    ],
)
def test_options_and_hard_cells(content, options, right):
    assert repr(parse_csv(content, **options).to_numpy().tolist()) == repr(right)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", {}, "it is empty"),
        (b"\n , \n", {}, "it is empty"),
        (b"a,b\n", {}, "a header .a, b. but no rows"),
        (b"1.5,2\n3,4\n", {}, "first line holds numbers"),
        (b"a,b,a\n1,2,3\n", {}, "several of its columns are called a"),
        (b"a,b\n1,2\n\n3\n", {}, "line 4 has 1 fields where the header has 2"),
        (b"a,b\n1,2\n3,4,5\n", {}, "line 3 has 3 fields where the header has 2"),
        (b'a,b\n1,"2\n3,4\n', {}, "line 3: unexpected end"),
        (b"a;b,c\n1;2,3\n", {}, "separated by ',' or ';': say which with --delimiter"),
        (b"a;b\n1,234;5\n", {}, "column a has '1,234', which may be 1234 or 1.234; .* --decimal or --thousands"),
        (b"a;b\n1.5;2,5\n", {}, "the columns a, b do not write numbers in one way"),
        (b"a;b\n1.5;2\n", {"decimal": ","}, "column a has numbers that are not written with decimal ','"),
        (b"a,b\n1,2\n3,4kg\n5,6\n", {}, "column b holds numbers, but '4kg' in row 2"),
        (b"a,b\n\xe9,2\n", {}, "not UTF-8: name its encoding, such as --encoding latin-1"),
        ("a,b\n1,2\n".encode("utf-16-le"), {}, "zero bytes.*--encoding utf-16-le"),
        (b"a,b\n\xe9,2\n", {"encoding": "ascii"}, "not in --encoding ascii"),
        (b"\xef\xbb\xbfa,b\n1,2\n", {"encoding": "latin-1"}, "mark of utf-8-sig: leave out --encoding latin-1"),
        (b"a,b\n1,2\n", {"encoding": "klingon"}, "--encoding klingon is not known"),
        (b"a,b\n1,2\n", {"delimiter": ";;"}, "--delimiter must be one character"),
        (b"a,b\n1,2\n", {"decimal": "x"}, "--decimal must be"),
    ],
)
def test_files_that_cannot_be_read_rightly_are_refused(content, options, message):
    with pytest.raises(ValueError, match=message) as refused:
        parse_csv(content, **options)
    assert len(str(refused.value).splitlines()) == 1


def made(frame, likelihood=None, target="price", **options):
    return TrainingTable.of(pd.DataFrame(frame), target, likelihood or bnn.Gaussian(), **options)


@pytest.mark.parametrize(
    ("name", "values", "out"),
    [
        ("Unnamed: 0", np.arange(12), True),
        ("case", np.arange(12), True),
        ("case", np.arange(1.0, 13.0), True),
        ("patient_id", 1000 + np.arange(12) ** 2, True),
        ("PassengerId", np.arange(12) + 7, True),
        ("year", 1950 + np.arange(12), False),
        ("age", A, False),
        ("patient_id", np.arange(12)[::-1], False),
        ("patient_id", np.full(12, 3), False),
        ("name", [f"person {i}" for i in range(12)], True),
        ("town", ["York", "Bath"] * 6, False),
        ("empty", [None] * 12, True),
    ],
)
def test_what_only_numbers_or_names_the_rows_is_left_out(name, values, out):
    frame = {name: values, "a": A, "price": B}
    table = made(frame)
    assert any(column.startswith(name) for column in table.X) != out
    assert any(note.startswith(name) and "left out; --keep-columns" in note for note in table.notes) == out
    if out and name != "empty":
        assert any(column.startswith(name) for column in made(frame, keep_columns=True).X)


def test_the_only_input_is_kept():
    assert list(made({"x": np.arange(12), "price": B}).X) == ["x"]


def test_blanks_are_named_dropped_or_filled():
    frame = {"a": [1.0, None, 3.0, 8.0], "b": [1.0, 2.0, None, 0.0], "price": [1.0, 2.0, 3.0, 4.0]}
    with pytest.raises(ValueError, match=r"column a is blank in row 2, and 1 more cells are: --missing drop .* mean"):
        made(frame)
    dropped, filled = made(frame, missing="drop"), made(frame, missing="mean")
    assert dropped.X.to_numpy().tolist() == [[1.0, 1.0], [8.0, 0.0]]
    assert dropped.y.tolist() == [1.0, 4.0]
    assert filled.X.to_numpy().tolist() == [[1.0, 1.0], [4.0, 2.0], [3.0, 1.0], [8.0, 0.0]]
    for table, message in [
        (frame | {"price": [1.0, None, 2.0, 3.0]}, "the target price has blanks"),
        (frame | {"a": ["x", None, "y", "x"]}, "column a has blanks and no mean"),
    ]:
        with pytest.raises(ValueError, match=message):
            made(table, missing="mean")
    with pytest.raises(ValueError, match="leaves none"):
        made({"a": [1.0, None], "b": [None, 1.0], "price": [1.0, 2.0]}, missing="drop")
    with pytest.raises(ValueError, match="--missing must be drop or mean"):
        made(frame, missing="median")


def test_targets_that_look_like_classes():
    kinds, two = ["red"] * 6 + ["blue"] * 5 + ["green"], ["no", "yes"] * 6
    with pytest.raises(
        ValueError, match=r"text of 3 classes \(5 of blue, 1 of green, 6 of red\): use --likelihood categ"
    ):
        made({"a": A, "price": kinds})
    with pytest.raises(ValueError, match=r"text of 2 classes .6 of no, 6 of yes.: use --likelihood bernoulli"):
        made({"a": A, "price": two})
    with pytest.raises(ValueError, match="another one in most rows"):
        made({"a": A, "price": [f"person {i}" for i in range(12)]})
    (note,) = made({"a": A, "price": [0.5, 1.5] * 6}).notes
    assert note == "price has two values only (6 of 0.5, 6 of 1.5): if they are classes, use --likelihood bernoulli"
    notes = made({"a": A, "price": kinds}, bnn.Categorical()).notes
    assert notes[0] == "classes of price: 5 of blue, 1 of green, 6 of red"
    assert notes[1] == "a single row is of class green: it cannot be both trained on and tested"
    assert made({"a": A, "price": B}).notes == ()


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


FEW = ["--target", "price", "--depth", 1, "--weight-std", 1.4, "--bias-std", 0.1, "--noise-std", 0.5]


@pytest.fixture
def shop(tmp_path):
    frame = pd.DataFrame({"number": range(1, 41), "colour": ["red", "blue"] * 20})
    frame["price"] = np.random.default_rng(1).normal(size=40) + (frame.colour == "red")
    frame.to_csv(tmp_path / "shop.csv", sep=";", decimal=",", index=False)
    return tmp_path / "shop.csv"


@pytest.mark.slow
def test_levels_are_kept_in_what_is_written(shop, tmp_path):
    done = run("compare", shop, *FEW, "--priors", "nngp", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "number looks like a row number: left out" in done.output
    assert "text columns are one-hot encoded: colour (2 levels)" in done.output
    levels = bnn.load(tmp_path / "out" / "result.nc").settings["levels"]
    assert levels == {"colour": ["blue", "red"]}
    assert bnn.encode(pd.DataFrame({"colour": ["red"]}), levels=levels).frame.to_numpy().tolist() == [[0.0, 1.0]]
    done = run("fit", shop, *FEW, "--prior", "nngp", "--out", tmp_path / "posterior.nc")
    assert done.exit_code == 0, done.output
    with xr.open_datatree(tmp_path / "posterior.nc", engine="h5netcdf") as tree:
        assert json.loads(tree.attrs["levels"]) == levels


@pytest.mark.parametrize("command", ["fit", "compare", "sweep"])
@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (b"", [], "it is empty"),
        (b"\xff\xfe\x00", [], "not in|not UTF-8|zero bytes"),
        (b"price\n1\n2\n", [], "at least one input column"),
        (b"a;price\n1,234;5\n", [], "--decimal"),
        (b"a,price\n1,2\n,3\n", [], "column a is blank in row 2"),
        (b"a,price\n1,x\n2,y\n3,x\n", [], "use --likelihood bernoulli"),
        (b"a,price\n1,1e300\n2,3\n4,5\n6,7\n8,9\n1,0\n2,5\n9,9\n", [], "row [0-9].*squares overflow"),
        (b"a,price\n1,2\n2,2\n3,2\n4,2\n5,2\n6,2\n7,2\n8,2\n", [], "price is constant|y is constant"),
        (b"a,price\n" + b"1,2\n2,3\n3,4\n4,5\n5,6\n6,7\n7,8\n8,9\n", ["--seed", "-1"], "seed must not be negative"),
    ],
)
def test_every_command_says_it_in_one_line(tmp_path, command, content, options, message):
    path = tmp_path / "shop.csv"
    path.write_bytes(content)
    done = run(command, path, "--target", "price", *options)
    assert done.exit_code == 2, done.output
    assert done.exception is None or isinstance(done.exception, SystemExit)
    assert len(done.stderr.strip().splitlines()) == 1
    assert pd.Series([done.stderr]).str.contains(message).all(), done.stderr
