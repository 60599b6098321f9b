"""Comparisons as NetCDF files: one group per prior, numbers as variables, the rest as attributes."""

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from bayes_nn.inference.comparison import Comparison, Row

FORMAT = "bayes_nn comparison 1"
_ARRAYS = ("lpd_test", "test_mean", "test_std")


def save(comparison: Comparison, path: Path) -> Path:
    """Write a comparison to a NetCDF file; posteriors are left out.

    Args:
        comparison: the result of :func:`bayes_nn.compare`.
        path: where to write; missing folders are made.
    """
    groups = {}
    split = np.concatenate([np.full(len(y), i) for i, y in enumerate(comparison.y_test)] or [np.zeros(0, int)])
    for number, row in enumerate(comparison.rows):
        variables = {}
        for name in _ARRAYS:
            parts = getattr(row, name)
            if parts:
                dims = ("point",) if parts[0].ndim == 1 else ("point", "output")
                variables[name] = (dims, np.concatenate(parts))
        plain = {field.name: getattr(row, field.name) for field in fields(Row) if field.name not in _ARRAYS}
        groups[f"prior_{number}"] = xr.Dataset(variables, attrs={"row": json.dumps(plain)})
    root: dict[str, Any] = {"split": ("point", split)}
    if comparison.y_test:
        root["y_test"] = (("point", "output"), np.concatenate(comparison.y_test))
    attributes = {
        "format": FORMAT,
        "n_train": comparison.n_train,
        "standardized": int(comparison.standardized),
        "settings": json.dumps(comparison.settings),
        "verdict": str(comparison.verdict),
    }
    tree = xr.DataTree.from_dict({"/": xr.Dataset(root, attrs=attributes), **groups})
    path.parent.mkdir(parents=True, exist_ok=True)
    tree.to_netcdf(path, engine="h5netcdf")
    return path


def load(path: str | Path) -> Comparison:
    """Read a comparison that :meth:`Comparison.save` wrote.

    Args:
        path: the file.

    Raises:
        ValueError: if the file is missing or is not a saved comparison.

    Example:
        >>> load("missing.nc")
        Traceback (most recent call last):
        ValueError: there is no file missing.nc
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    try:
        tree: Any = xr.load_datatree(path, engine="h5netcdf")
    except OSError as error:
        raise ValueError(f"{path} is not a NetCDF file ({error})") from None
    if tree.attrs.get("format") != FORMAT:
        raise ValueError(f"{path} was not written by bayes_nn.compare(...).save")
    split = tree["split"].values

    def cut(values: np.ndarray) -> list[np.ndarray]:
        return [values[split == number] for number in np.unique(split)]

    rows = []
    for number in range(len(tree.children)):
        group = tree[f"prior_{number}"].to_dataset(inherit=False)
        plain = json.loads(group.attrs["row"])
        plain.setdefault("sampler_reasons", plain["reasons"])  # files of earlier versions do not tell them apart
        for name in ("log_evidence_by_split", "mcse_by_split", "reasons", "sampler_reasons"):
            plain[name] = tuple(plain[name])
        arrays: dict[str, Any] = {name: cut(group[name].values) if name in group else [] for name in _ARRAYS}
        rows.append(Row(**plain, **arrays))
    y_test = cut(tree["y_test"].values) if "y_test" in tree else []
    settings = json.loads(tree.attrs["settings"])
    return Comparison(rows, y_test, int(tree.attrs["n_train"]), bool(tree.attrs["standardized"]), settings)
