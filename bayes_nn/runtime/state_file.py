"""Nested states on disk without pickle: a NumPy archive of arrays and a JSON text that says how they are nested.

Reading runs no code of the file's: it names classes, of which only named tuples and data classes of ``TRUSTED``
packages are made.
"""

import dataclasses
import importlib
import json
import os
from pathlib import Path
from typing import Any

import jax
import numpy as np

#: Packages whose named tuples and data classes a file may name.
TRUSTED = ("bayes_nn", "numpyro", "blackjax")
#: Name that NumPy gives to an array of an archive, by its number; the JSON text is the first.
NAME = "arr_{}"


def write_state(path: str | Path, state: Any) -> None:
    """Write a state in one step, so that a process killed while writing leaves the old file behind.

    Args:
        path: of the file.
        state: arrays, numbers, text and None, in tuples, lists, dictionaries with text as keys, named tuples and data
            classes.

    Raises:
        TypeError: for anything else.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "state.npz"
        ...     write_state(path, {"mean": np.ones(2), "count": 3})
        ...     read_state(path)
        {'mean': array([1., 1.]), 'count': 3}
    """
    arrays: list[np.ndarray] = []
    nesting = json.dumps(_encode(state, arrays))
    path = Path(path)
    temporary = path.with_suffix(".partial")
    with temporary.open("wb") as file:
        np.savez(file, np.array(nesting), *arrays)
    os.replace(temporary, path)


def read_state(path: str | Path) -> Any:
    """What :func:`write_state` wrote, arrays as NumPy arrays.

    Args:
        path: of the file.

    Raises:
        ValueError: if the file names a class that is not to be trusted.
    """
    with np.load(path, allow_pickle=False) as file:
        return _decode(json.loads(str(file[NAME.format(0)])), file)


def _encode(state: Any, arrays: list[np.ndarray]) -> Any:
    """A JSON value; what JSON has no value for becomes ``[kind, ...]``."""
    if state is None or type(state) in (bool, int, float, str):
        return state
    if isinstance(state, np.ndarray | np.generic | jax.Array) and state.dtype != object:
        arrays.append(np.asarray(state))
        return ["scalar" if isinstance(state, np.generic) else "array", len(arrays)]
    if type(state) in (list, tuple):
        return [type(state).__name__, [_encode(one, arrays) for one in state]]
    if type(state) is dict and all(type(key) is str for key in state):
        return ["dict", {key: _encode(one, arrays) for key, one in state.items()}]
    if _is_record(type(state)):
        own = {name: _encode(getattr(state, name), arrays) for name in _fields(type(state))}
        return ["record", f"{type(state).__module__}:{type(state).__qualname__}", own]
    raise TypeError(f"a state cannot hold a {type(state).__name__}")


def _decode(encoded: Any, arrays: Any) -> Any:
    if not isinstance(encoded, list):
        return encoded
    kind, *content = encoded
    if kind in ("array", "scalar"):
        array = arrays[NAME.format(content[0])]
        return array[()] if kind == "scalar" else array
    if kind in ("list", "tuple"):
        items = [_decode(one, arrays) for one in content[0]]
        return items if kind == "list" else tuple(items)
    if kind == "dict":
        return {key: _decode(one, arrays) for key, one in content[0].items()}
    return _record(content[0])(**{name: _decode(one, arrays) for name, one in content[1].items()})


def _record(name: str) -> type:
    module, _, qualified = name.partition(":")
    if module.split(".")[0] in TRUSTED:
        found: Any = importlib.import_module(module)
        for part in qualified.split("."):
            found = getattr(found, part, None)
        if isinstance(found, type) and _is_record(found):
            return found
    raise ValueError(f"the file names {name!r}, which is no state of this package: it was not written by bayes_nn")


def _is_record(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def _fields(kind: Any) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind) if field.init]
    return list(kind._fields)
