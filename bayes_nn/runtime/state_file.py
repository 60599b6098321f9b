"""Nested states on disk without pickle: a NumPy archive of arrays and a JSON text that says how they are nested.

The file is sealed, so that what is damaged is refused. Reading runs no code of the file's: it names classes, of which
only named tuples and data classes of ``TRUSTED`` packages are made.
"""

import dataclasses
import importlib
import io
import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from bayes_nn.runtime.sealed_file import read_sealed, write_sealed

#: Number of the layout of saved states, those of the samplers among it; raised whenever one of them changes, so that
#: the states of older versions are refused.
LAYOUT = 6
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
        OSError: naming the folder and the reason, if that cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder) / "state.npz"
        ...     write_state(path, {"mean": np.ones(2), "count": 3})
        ...     read_state(path, "start anew")
        {'mean': array([1., 1.]), 'count': 3}
    """
    arrays: list[np.ndarray] = []
    nesting = json.dumps(_encode(state, arrays))
    archive = io.BytesIO()
    np.savez(archive, np.array(nesting), *arrays)
    write_sealed(path, "state", LAYOUT, archive.getvalue())


def read_state(path: str | Path, remedy: str) -> Any:
    """What :func:`write_state` wrote, arrays as NumPy arrays.

    Args:
        path: of the file.
        remedy: what to do about a file that is refused, for the error.

    Raises:
        ValueError: if the file is damaged, was written by another version, or names a class that is not to be trusted.
    """
    archive = io.BytesIO(read_sealed(path, "state", LAYOUT, remedy))
    with np.load(archive, allow_pickle=False) as arrays:
        return _decode(json.loads(str(arrays[NAME.format(0)])), arrays)


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
