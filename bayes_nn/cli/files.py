"""Tables from files, for the command line: which file, its encoding, its separator, its header."""

import codecs
import csv
import io
from collections import Counter
from pathlib import Path

import pandas as pd

from bayes_nn.cli.numerals import Numerals, read_columns
from bayes_nn.data.frames import in_words

#: Marks at the beginning of a file that tell its encoding; the longer ones first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Separators of columns that are recognised, and the first lines that are looked at.
DELIMITERS, LINES_LOOKED_AT = ",;\t|", 200


def read_table(
    data: str,
    delimiter: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    """A CSV or Parquet file, or scikit-learn's diabetes data, as a frame.

    Args:
        data: path of the file, or ``"diabetes"``.
        delimiter: between columns of a CSV file; recognised where left out, as are the others.
        decimal: sign before the fraction of a number.
        thousands: sign between groups of three digits.
        encoding: of the file's text.

    Raises:
        ValueError: if the file is missing, cannot be read, or is of another kind.
    """
    path = Path(data)
    if data == "diabetes" and not path.exists():
        try:
            from sklearn.datasets import load_diabetes
        except ImportError:
            raise ValueError("the bundled diabetes data need scikit-learn: pip install 'bayes_nn[data]'") from None
        return load_diabetes(as_frame=True).frame
    if not path.is_file():
        raise ValueError(f"there is no file {data}")
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", ".parquet", ".pq"):
        raise ValueError(f"{data} must be a .csv or .parquet file")
    try:
        if kind in (".csv", ".tsv"):
            return parse_csv(path.read_bytes(), delimiter, decimal, thousands, encoding)
        return pd.read_parquet(path)
    except ImportError:
        raise ValueError("reading Parquet needs pyarrow: pip install 'bayes_nn[data]'") from None
    except Exception as error:
        raise ValueError(f"{data} could not be read: {error}") from None


def parse_csv(
    content: bytes,
    delimiter: str | None = None,
    decimal: str | None = None,
    thousands: str | None = None,
    encoding: str | None = None,
) -> pd.DataFrame:
    r"""The content of a CSV file as a frame: columns of numbers, and of text where they are not numbers throughout.

    Raises:
        ValueError: saying what is wrong, in which line, and which option decides where two readings are possible.

    Example:
        >>> parse_csv(b"age;price\n30;1,5\n40;2,25\n").to_dict("list")
        {'age': [30.0, 40.0], 'price': [1.5, 2.25]}
    """
    text, delimiter = decoded(content, encoding), {"tab": "\t", "\\t": "\t"}.get(delimiter or "", delimiter)
    if not text.strip():
        raise ValueError("it is empty")
    if text[:4].lower() == "sep=" and text[5:6] in ("\n", "\r"):  # Excel's own way of naming it
        delimiter, text = delimiter or text[4], text[5:].lstrip("\r\n")
    lines = _records(text, delimiter or recognised_delimiter(text))
    if not lines:
        raise ValueError("it is empty")
    header, rows = [name.strip() for name in lines[0][1]], lines[1:]
    numbered = header == [str(place) for place in range(len(header))]
    if Numerals().is_number(pd.Series(header, dtype=object)).all() and not numbered:
        raise ValueError("its first line holds numbers: it must name the columns")
    if not rows:
        raise ValueError(f"it has a header ({in_words(header)}) but no rows")
    for line, row in rows:
        if len(row) != len(header):
            raise ValueError(f"line {line} has {len(row)} fields where the header has {len(header)}")
    cells = pd.DataFrame([[cell.strip() for cell in row] for _, row in rows], dtype=object)
    names = [name or f"Unnamed: {place}" for place, name in enumerate(header)]
    used = [place for place, name in enumerate(header) if name or (cells[place] != "").any()]
    twice = [name for name, count in Counter(names[place] for place in used).items() if count > 1]
    if twice:
        raise ValueError(f"several of its columns are called {in_words(twice)}: give each a name of its own")
    return read_columns(cells[used].set_axis([names[place] for place in used], axis=1), decimal, thousands)


def decoded(content: bytes, encoding: str | None = None) -> str:
    r"""Text from bytes: UTF-8, or what a mark at the beginning or the encoding named says.

    Raises:
        ValueError: naming ``--encoding`` where it is needed or does not fit.

    Example:
        >>> decoded("é".encode("utf-16")), decoded(b"\xe9", "latin-1")
        ('é', 'é')
    """
    mark, marked = next(((mark, name) for mark, name in _MARKS if content.startswith(mark)), (b"", None))
    if b"\0" in content and not (encoding or marked):
        raise ValueError("it holds zero bytes: if it is text, name its encoding, such as --encoding utf-16-le")
    try:
        text = content.decode(encoding or marked or "utf-8")
    except LookupError:
        raise ValueError(f"--encoding {encoding} is not known: try utf-8, utf-16, latin-1 or cp1252") from None
    except UnicodeError:
        if encoding:
            raise ValueError(f"its text is not in --encoding {encoding}") from None
        raise ValueError("its text is not UTF-8: name its encoding, such as --encoding latin-1 or cp1252") from None
    if mark and encoding and mark.decode(encoding, errors="replace") not in ("", "\ufeff"):
        raise ValueError(f"it begins with the mark of {marked}: leave out --encoding {encoding}")
    if "\0" in text:
        raise ValueError(f"it holds zero bytes, so that it is not text in {encoding or marked}")
    return text.removeprefix("\ufeff")


def recognised_delimiter(text: str) -> str:
    r"""The separator under which the header has several fields and all lines as many as the header.

    Raises:
        ValueError: if there are two of them.

    Example:
        >>> recognised_delimiter("a;b\n1,5;2\n2,5;3\n")
        ';'
    """
    fitting, most = [], (1, ",")
    for delimiter in DELIMITERS:
        try:
            lines = _records(text, delimiter, LINES_LOOKED_AT)
        except ValueError:
            continue
        fields = len(lines[0][1]) if lines else 0
        if fields > 1 and all(len(row) == fields for _, row in lines):
            fitting.append(delimiter)
        most = max(most, (fields, delimiter), key=lambda one: one[0])
    if len(fitting) > 1:
        raise ValueError(
            f"its columns may be separated by {' or '.join(map(repr, fitting))}: say which with --delimiter"
        )
    return fitting[0] if fitting else most[1]


def _records(text: str, delimiter: str, most: int | None = None) -> list[tuple[int, list[str]]]:
    """The lines that are not blank, cut into fields, with their numbers in the file.

    Raises:
        ValueError: for quotes that do not match.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise ValueError(f"--delimiter must be one character, or tab, and no quote; got {delimiter!r}")
    buffer, spaced = io.StringIO(text, newline=""), delimiter != " "
    try:
        reader = csv.reader(buffer, delimiter=delimiter, skipinitialspace=spaced, strict=True)
        found: list[tuple[int, list[str]]] = []
        for row in reader:
            if any(cell.strip() for cell in row):
                found.append((reader.line_num, row))
                if len(found) == most:
                    break
        return found
    except csv.Error as error:
        raise ValueError(f"line {reader.line_num}: {error}") from None
