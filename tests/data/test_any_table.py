"""Whatever table comes: finite numbers in double precision, or one clear line.

``ANY_TABLE_EXAMPLES=1000 python -m pytest tests/data/test_any_table.py -s`` tries more of them, and prints how many
were answered and how many refused. Examples are the same in every run.
"""

import datetime
import os
from collections import Counter
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import typer
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse
from typer.testing import CliRunner

import bayes_nn as bnn
from bayes_nn.cli import app, fitting
from bayes_nn.cli.files import parse_csv
from bayes_nn.data.dataset import Dataset

try:
    import polars
except ImportError:
    polars = None

MANY = settings(
    max_examples=int(os.environ.get("ANY_TABLE_EXAMPLES", "100")),
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
#: Characters of the longest message that is still a line.
LONGEST_LINE = 600
TOLD = Counter()


@pytest.fixture(scope="module", autouse=True)
def counts():
    """Print what became of the tables."""
    yield
    for what in sorted({what for what, _ in TOLD}):
        tried, answered, refused = (TOLD[what, outcome] for outcome in ("tried", "answered", "refused"))
        wrong = tried - answered - refused
        print(f"\n{what}: {tried} tried, {answered} answered, {refused} refused, {wrong} wrong")


def answered_or_refused(what, call, check):
    """Check the answer, or that it is refused in one clear line; whether there was one."""
    TOLD[what, "tried"] += 1
    try:
        answer = call()
    except (ValueError, TypeError) as error:
        line = str(error)
        assert line.strip()
        assert len(line.splitlines()) == 1, line
        assert len(line) <= LONGEST_LINE, line
        TOLD[what, "refused"] += 1
        return False
    check(answer)
    TOLD[what, "answered"] += 1
    return True


PLAIN_FLOATS = st.floats(-1e6, 1e6, width=32)
NAMES = st.one_of(st.text(max_size=5), st.sampled_from(["age", "age", "a\nb", "7"]), st.integers(0, 3), st.none())
ODD = st.one_of(
    st.none(), st.floats(), st.integers(), st.text(max_size=4), st.booleans(), st.binary(max_size=3),
    st.complex_numbers(), st.decimals(), st.fractions(), st.dates(), st.datetimes(), st.timedeltas(),
    st.just(pd.NA), st.just(pd.NaT), st.just(10**400), st.lists(st.floats(), max_size=2), st.just(np.float32(1.5)),
    st.just(np.datetime64("2020-01-01")), st.just({}), st.just(np.ones(2)),
)  # fmt: skip


@st.composite
def columns(draw, rows, of_numbers):
    """A column of some kind."""
    kind = draw(st.sampled_from(NUMERIC if of_numbers else list(KINDS)))
    entries, made = KINDS[kind]
    return made(draw(st.lists(entries, min_size=rows, max_size=rows)))


def _of(dtype):
    return lambda values: pd.Series(values, dtype=dtype)


def _object(values):
    column = np.empty(len(values), dtype=object)
    column[:] = values
    return pd.Series(column, dtype=object)


KINDS = {
    "plain": (PLAIN_FLOATS, _of(float)),
    "float": (st.floats(), _of(float)),
    "large": (st.floats(min_value=1e140), _of(float)),
    "tiny": (st.floats(-1e-300, 1e-300), _of(float)),
    "float16": (st.floats(width=16), _of("float16")),
    "int8": (st.integers(-128, 127), _of("int8")),
    "uint64": (st.integers(0, 2**64 - 1), _of("uint64")),
    "bool": (st.booleans(), _of(bool)),
    "two": (st.sampled_from([0, 1]), _of(int)),
    "text": (st.text(max_size=4), _of("str")),
    "numerals": (st.integers(-99, 99).map(str), _of(object)),
    "numbers as objects": (st.one_of(st.integers(), PLAIN_FLOATS, st.booleans(), st.fractions()), _object),
    "odd": (ODD, _object),
    "dates": (st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), _of("datetime64[us]")),
    "durations": (st.integers(-99, 99), _of("timedelta64[s]")),
    "complex": (st.complex_numbers(), _of(complex)),
    "Int64": (st.one_of(st.none(), st.integers(-99, 99)), _of("Int64")),
    "boolean": (st.one_of(st.none(), st.booleans()), _of("boolean")),
    "category": (st.one_of(st.none(), st.text(max_size=2)), _of("category")),
    "category of numbers": (st.integers(0, 3), _of("category")),
}


NUMERIC = ["plain", "plain", "tiny", "int8", "two", "bool", "numerals", "numbers as objects"]


def _other_library(make):
    def converted(frame):
        try:
            return make(frame)
        except Exception:  # that library does not hold such a table
            return frame

    return converted


CONTAINERS = [
    lambda frame: frame,
    lambda frame: frame,
    lambda frame: frame.set_axis(range(5, 5 + len(frame)), axis=0),
    lambda frame: frame.to_numpy(),
    lambda frame: frame.to_numpy().tolist(),
    lambda frame: np.ma.masked_array(frame.to_numpy()),
    lambda frame: frame.to_numpy()[..., None],
    lambda frame: frame.iloc[:, 0] if frame.shape[1] else None,
    _other_library(lambda frame: frame.T.to_dict("list")),
    _other_library(lambda frame: sparse.csr_array(frame.to_numpy(float))),
    _other_library(lambda frame: frame.to_numpy(np.float32)),
    _other_library(lambda frame: frame.to_records()),
    _other_library(lambda frame: pa.table({str(name): frame.iloc[:, i].array for i, name in enumerate(frame)})),
    _other_library(
        lambda frame: polars.DataFrame({str(name): frame.iloc[:, i].tolist() for i, name in enumerate(frame)})
    ),
    _other_library(
        lambda frame: polars.LazyFrame({str(name): frame.iloc[:, i].tolist() for i, name in enumerate(frame)})
    ),
]


LIKELIHOODS = [bnn.Gaussian(0.1), bnn.Gaussian(0.1), bnn.Poisson(), bnn.Bernoulli(), bnn.Categorical()]


@st.composite
def tables(draw):
    """Inputs in some container, targets, and a likelihood."""
    well_made = draw(st.booleans())
    rows, count = draw(st.sampled_from([5, 8] if well_made else [0, 1, 2, 3, 5])), draw(st.integers(well_made, 4))
    parts = [draw(columns(rows, well_made)) for _ in range(count)]
    frame = pd.concat(parts, axis=1) if parts else pd.DataFrame(index=range(rows))
    frame.columns = draw(st.lists(NAMES, min_size=count, max_size=count))
    likelihood = draw(st.sampled_from(LIKELIHOODS))
    if well_made:
        entries = [0, 1] if likelihood.labels else range(9)
        y = pd.Series([*entries, *draw(st.lists(st.sampled_from(entries), min_size=rows, max_size=rows))][:rows])
    else:
        y = draw(columns(draw(st.sampled_from([rows, rows, 3])), False))
    return draw(st.sampled_from(CONTAINERS))(frame), draw(st.sampled_from(CONTAINERS[:4]))(y.to_frame()), likelihood


def assert_finite(data):
    for array in (data.inputs, data.targets, data.X, data.Y):
        assert array.dtype == np.float64
        assert np.isfinite(array).all()
    assert len(data.inputs) == len(data.targets) > 0


@MANY
@given(tables(), st.booleans())
def test_any_table_is_finite_numbers_or_one_line(table, standardize):
    X, y, likelihood = table

    def check_data(data):
        assert_finite(data)
        np.testing.assert_array_equal(data.new_inputs(X), data.X)

    def check_encoded(encoded):
        np.testing.assert_array_equal(encoded.transform(X), encoded.frame)
        assert all(kind == np.float64 for kind in encoded.frame.dtypes)

    answered_or_refused("frames", lambda: Dataset.of(X, y, likelihood, standardize, duplicates="keep"), check_data)
    answered_or_refused("encodings", lambda: bnn.encode(X), check_encoded)


@MANY
@given(st.lists(PLAIN_FLOATS, min_size=1, max_size=6), st.sampled_from(["Decimal", "Fraction", "text", "float"]))
def test_numbers_survive_their_container(numbers, kind):
    made = {"Decimal": Decimal, "Fraction": Fraction, "text": repr, "float": float}[kind]
    for container in (list, np.array, pd.Series, lambda values: pd.DataFrame({"a": values})):
        table = container([made(number) for number in numbers])
        data = Dataset.of(table, np.arange(len(numbers)), bnn.Gaussian(0.1), standardize=False, duplicates="keep")
        np.testing.assert_array_equal(data.inputs[:, 0], numbers)


CELLS = st.one_of(
    PLAIN_FLOATS.map(repr),
    st.integers(-99, 10**7).map(str),
    st.integers(0, 10**7).map(lambda number: f"{number:,}"),
    st.floats(0, 1e6).map(lambda number: f"{number:.2f}".replace(".", ",")),
    st.sampled_from(["", "NA", "nan", "?", "yes", "no", "1e999", '"x"', '"', "1,234", "1.234", "é", "2020-01-01", "-"]),
    st.text(max_size=4),
)


@st.composite
def contents(draw):
    """Bytes of a file, most often of one that could be a table."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=60))
    delimiter, end = draw(st.sampled_from(",,,;\t|")), draw(st.sampled_from(["\n", "\n", "\r\n", "\r"]))
    rows, count = draw(st.integers(0, 6)), draw(st.integers(1, 4))
    well_made = draw(st.booleans())
    names = st.sampled_from(["target", "a", "b", "id", "", "é"])
    header = draw(st.lists(names, min_size=count, max_size=count, unique=well_made))
    header = list(dict.fromkeys(["target", "b", *header])) if well_made else header
    kinds = [PLAIN_FLOATS.map(repr), st.integers(-9, 9).map(str), st.sampled_from(["yes", "no"])]
    of_columns = [draw(st.sampled_from(kinds if well_made else [*kinds, CELLS, CELLS])) for _ in header]
    rows = rows + 2 * well_made
    lines = [header, *([draw(cell) for cell in of_columns] for _ in range(rows))]
    if draw(st.integers(0, 9)) == 0 and not well_made:
        lines[-1] = lines[-1][1:]
    text = end.join(delimiter.join(line) for line in lines) + draw(st.sampled_from(["", end]))
    encoding = draw(st.sampled_from(["utf-8"] * 5 + ["utf-8-sig", "utf-16", "utf-16-le", "latin-1"]))
    return text.encode(encoding, errors="replace")


OPTIONS = st.one_of(
    st.just([]),
    st.just([]),
    st.lists(
        st.sampled_from(
            ["--missing=drop", "--missing=mean", "--keep-columns", "--delimiter=;", "--decimal=,", "--thousands=.",
             "--encoding=latin-1", "--encoding=utf-16", "--likelihood=categorical", "--likelihood=bernoulli",
             "--likelihood=poisson", "--delimiter=tab", "--delimiter=", "--encoding=x", "--noise-std=0.5"]
        ),
        max_size=3,
        unique=True,
    ),
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@MANY
@given(contents(), OPTIONS)
def test_any_file_is_exit_code_0_or_one_line_and_2(folder, content, options):
    path = folder / "table.csv"
    path.write_bytes(content)
    TOLD["files", "tried"] += 1

    def only_check(prior, X, y, likelihood, *others, duplicates, **more):
        assert_finite(Dataset.of(X, y, likelihood, duplicates="keep"))
        raise typer.Exit(0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting.bnn, "fit", only_check)
        done = CliRunner().invoke(app, ["fit", str(path), "--prior=nngp", *options])
    assert done.exit_code in (0, 2), (done.output, done.exception)
    if done.exit_code == 2:
        assert done.stderr.startswith("error: ")
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    TOLD["files", "refused" if done.exit_code else "answered"] += 1


@MANY
@given(
    st.lists(st.tuples(st.integers(-(10**8), 10**8), st.integers(-(10**8), 10**8)), min_size=1, max_size=6),
    st.sampled_from(";\t|,"),
    st.sampled_from(".,"),
    st.sampled_from(["", " ", "'", ".", ","]),
    st.sampled_from([0, 1, 2, 3]),
)
def test_written_numbers_come_back_or_the_option_is_named(pairs, delimiter, decimal, thousands, places):
    """However a table is written, it is read as it was meant, or the options that decide are named."""
    if thousands == decimal:
        return
    marks = {"_": thousands, ".": decimal}

    def cell(number):
        text = f"{number / 10**places:{'_' if thousands else ''}.{places}f}"
        return '"' + "".join(marks.get(sign, sign) for sign in text) + '"'

    lines = [delimiter.join(map(cell, pair)) for pair in pairs]
    content = "\n".join([f"a{delimiter}b", *lines]).encode()
    right = np.array(pairs) / 10**places
    told = {"delimiter": delimiter, "decimal": decimal, "thousands": thousands}
    np.testing.assert_allclose(parse_csv(content, **told).to_numpy(), right, rtol=1e-15)
    plain = decimal == "." and not thousands

    def check(found):
        if plain or not _plain_too(lines, delimiter):
            np.testing.assert_allclose(found.to_numpy(), right, rtol=1e-15)

    assert answered_or_refused("ways of writing numbers", lambda: parse_csv(content), check) or not plain


def _plain_too(lines, delimiter):
    """Whether every cell is also a plain number: then it is read as one, as everywhere else."""
    cells = [cell.strip('"') for line in lines for cell in line.split(f'"{delimiter}"')]
    return all(cell.count(".") <= 1 and set(cell) <= set("+-.0123456789") for cell in cells)
