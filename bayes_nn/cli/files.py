"""Tables from files: inputs, target and a part held out, for the command line."""

from pathlib import Path

import numpy as np
import pandas as pd


def read_table(data: str) -> pd.DataFrame:
    """A CSV or Parquet file, or scikit-learn's diabetes data, as a frame.

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
    readers = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".pq": pd.read_parquet}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{data} must be a .csv or .parquet file")
    try:
        return readers[path.suffix.lower()](path)
    except ImportError:
        raise ValueError("reading Parquet needs pyarrow: pip install 'bayes_nn[data]'") from None
    except Exception as error:
        raise ValueError(f"{data} could not be read: {error}") from None


def inputs_and_target(frame: pd.DataFrame, target: str) -> tuple[pd.DataFrame, pd.Series]:
    """Split a frame into inputs and target.

    Raises:
        ValueError: if the target column, or any input column, is missing.
    """
    if target not in frame.columns:
        raise ValueError(f"there is no column {target!r}; the columns are {', '.join(map(str, frame.columns))}")
    if frame.shape[1] < 2:
        raise ValueError("the table needs at least one input column besides the target")
    return frame.drop(columns=target), frame[target]


def hold_out(rows: int, fraction: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Row numbers for training and for testing.

    Raises:
        ValueError: if either part would have fewer than 2 rows.
    """
    tested = round(rows * fraction) if 0.0 < fraction < 1.0 else 0
    if tested < 2 or rows - tested < 2:
        raise ValueError(f"--test-fraction {fraction} of {rows} rows leaves fewer than 2 rows on one side")
    order = np.random.default_rng(seed).permutation(rows)
    return order[tested:], order[:tested]
