"""Comparisons and sweeps as NetCDF files: a group per prior, numbers as variables, the rest as attributes.

The files are sealed, so that the NetCDF library sees no byte that is not as it was written.
"""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from bayes_nn.inference.verdict.prior_result import PriorResult
from bayes_nn.runtime.sealed_file import read_sealed, write_sealed
from bayes_nn.runtime.workers import without_workers

#: Number of the layout, raised whenever it changes.
LAYOUT = 3
#: Kind of a file with several comparisons.
SWEEP = "sweep"
_ARRAYS = ("lpd_test", "test_mean", "test_std")
_TUPLES = (
    "log_evidence_by_split",
    "mcse_by_split",
    "reasons",
    "sampler_reasons",
    "degrees_of_freedom_by_split",
    "lpd_mcse_by_split",
)


def write(path: Path, *what: Any) -> Path:
    """Write what a comparison found, and return the path.

    Args:
        path: where to write; missing folders are made.
        what: as :func:`tree_of` takes it.

    Raises:
        OSError: naming the folder and the reason, if it cannot be written.
    """
    return _write(path, "comparison", tree_of(*what))


def write_sweep(path: Path, table: Sequence[dict[str, Any]], trees: Mapping[str, xr.DataTree]) -> Path:
    """Write a sweep, and return the path.

    Args:
        path: where to write; missing folders are made.
        table: its records.
        trees: of its comparisons, by the name of the architecture.

    Raises:
        OSError: naming the folder and the reason, if it cannot be written.
    """
    root = xr.Dataset(attrs={"table": json.dumps(table), "architectures": json.dumps(list(trees))})
    parts = {f"architecture_{number}": tree for number, tree in enumerate(trees.values())}
    return _write(path, SWEEP, xr.DataTree(root, children=parts))


def _write(path: Path, kind: str, tree: xr.DataTree) -> Path:
    packed = {
        node.path: {name: {"zlib": True} for name, one in node.data_vars.items() if one.ndim} for node in tree.subtree
    }
    with without_workers():
        content: Any = tree.to_netcdf(engine="h5netcdf", encoding=packed)
    return write_sealed(path, kind, LAYOUT, bytes(content))


def tree_of(
    rows: Sequence[PriorResult],
    y_test: Sequence[Float[np.ndarray, "T C"]],
    n_train: int,
    standardized: bool,
    settings: dict[str, Any],
    provenance: dict[str, Any],
    verdict: str,
    records: Mapping[str, xr.DataTree],
    features: xr.Dataset | None,
) -> xr.DataTree:
    """What a comparison found.

    Args:
        rows: one per prior.
        y_test: targets of the test points, one array per split.
        n_train: training rows of a split.
        standardized: whether the evidence is that of the standardised y.
        settings: what the comparison was run with, for the report.
        provenance: what it takes to run it again.
        verdict: for readers of the file; it is not read back.
        records: of the draws of the first split, by name.
        features: what the features of the judged network became, or None.
    """
    groups = {}
    split = np.concatenate([np.full(len(y), i) for i, y in enumerate(y_test)] or [np.zeros(0, int)])
    for number, row in enumerate(rows):
        variables = {}
        for name in _ARRAYS:
            parts = getattr(row, name)
            if parts:
                dims = ("point",) if parts[0].ndim == 1 else ("point", "output")
                variables[name] = (dims, np.concatenate(parts))
        plain = {field.name: getattr(row, field.name) for field in fields(PriorResult) if field.name not in _ARRAYS}
        groups[f"prior_{number}"] = xr.Dataset(variables, attrs={"row": json.dumps(plain)})
    root: dict[str, Any] = {"split": ("point", split)}
    if y_test:
        root["y_test"] = (("point", "output"), np.concatenate(y_test))
    attributes = {
        "n_train": n_train,
        "standardized": int(standardized),
        "settings": json.dumps(settings),
        "provenance": json.dumps(provenance),
        "verdict": verdict,
    }
    for number, row in enumerate(rows):
        if row.name in records:
            kept = records[row.name]
            groups[f"draws/fit_{number}"] = xr.Dataset(attrs=kept.attrs)
            groups |= {f"draws/fit_{number}/{name}": group.to_dataset() for name, group in kept.children.items()}
    if features is not None:
        groups["features"] = features
    return xr.DataTree.from_dict({"/": xr.Dataset(root, attrs=attributes), **groups})


def read(path: Path) -> dict[str, Any]:
    """What :func:`write` wrote, by name: rows, y_test, n_train, standardized, settings, provenance, records, features.

    Args:
        path: the file.

    Raises:
        ValueError: if the file is damaged, of another version or not a saved comparison.
    """
    return _found_in(_read(path, "comparison"))


def read_sweep(path: Path) -> tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]:
    """What :func:`write_sweep` wrote: the table, and what :func:`read` gives of every comparison.

    Args:
        path: the file.

    Raises:
        ValueError: if the file is damaged, of another version or not a saved sweep.
    """
    tree = _read(path, SWEEP)
    names = enumerate(json.loads(tree.attrs["architectures"]))
    return json.loads(tree.attrs["table"]), {name: _found_in(tree[f"architecture_{n}"]) for n, name in names}


def _read(path: Path, kind: str) -> Any:
    remedy = f"restore it from a copy, or run the {kind} again"
    content = io.BytesIO(read_sealed(path, kind, LAYOUT, remedy))
    with without_workers():
        return xr.load_datatree(content, engine="h5netcdf")


def _found_in(tree: Any) -> dict[str, Any]:
    split = tree["split"].values

    def cut(values: np.ndarray) -> list[np.ndarray]:
        return [values[split == number] for number in np.unique(split)]

    rows = []
    for number in range(sum(name.startswith("prior_") for name in tree.children)):
        group = tree[f"prior_{number}"].to_dataset(inherit=False)
        plain = json.loads(group.attrs["row"])
        for name in _TUPLES:
            plain[name] = tuple(plain[name])
        plain["bounds_by_split"] = tuple(map(tuple, plain["bounds_by_split"]))
        arrays: dict[str, Any] = {name: cut(group[name].values) if name in group else [] for name in _ARRAYS}
        rows.append(PriorResult(**plain, **arrays))
    draws = tree["draws"].children if "draws" in tree else {}
    return {
        "rows": rows,
        "y_test": cut(tree["y_test"].values) if "y_test" in tree else [],
        "n_train": int(tree.attrs["n_train"]),
        "standardized": bool(tree.attrs["standardized"]),
        "settings": json.loads(tree.attrs["settings"]),
        "provenance": json.loads(tree.attrs["provenance"]),
        "records": {row.name: draws[f"fit_{i}"].copy() for i, row in enumerate(rows) if f"fit_{i}" in draws},
        "feature_arrays": tree["features"].to_dataset(inherit=False) if "features" in tree else None,
    }
