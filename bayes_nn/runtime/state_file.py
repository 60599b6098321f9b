"""Nested states on disk without pickle: a NumPy archive of arrays and a JSON text that says how they are nested.

The file is sealed, so that what is damaged is refused. Reading runs no code of the file's: it names classes, of which
only named tuples, data classes and distributions of ``TRUSTED`` packages and objects of this one are made.
"""

import dataclasses
import hashlib
import importlib
import io
import json
from functools import cached_property
from pathlib import Path
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist

from bayes_nn.runtime.provenance import digest_of
from bayes_nn.runtime.sealed_file import read_sealed, write_sealed

#: Number of the layout of saved states, those of the samplers among it; raised whenever one of them changes, so that
#: the states of older versions are refused.
LAYOUT = 7
#: Packages whose classes a file may name.
TRUSTED = ("bayes_nn", "numpyro", "blackjax")
#: Name that NumPy gives to an array of an archive, by its number; the JSON text is the first.
NAME = "arr_{}"


def write_state(path: str | Path, state: Any, kind: str = "state") -> Path:
    """Write a state in one step, so that a process killed while writing leaves the old file behind.

    Args:
        path: of the file.
        state: arrays, numbers, text and None, in tuples, lists, dictionaries with text as keys, named tuples, data
            classes, distributions of NumPyro, and objects of this package.
        kind: of the file, one word.

    Returns:
        The path.

    Raises:
        TypeError: for anything else.
        OSError: naming the folder and the reason, if that cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = write_state(Path(folder) / "state.npz", {"mean": np.ones(2), "count": 3})
        ...     read_state(path, "start anew")
        {'mean': array([1., 1.]), 'count': 3}
    """
    written, archive = _Written(), io.BytesIO()
    nesting = json.dumps(written.encode(state))
    np.savez(archive, np.array(nesting), *written.arrays)
    return write_sealed(path, kind, LAYOUT, archive.getvalue())


def read_state(path: str | Path, remedy: str, kind: str = "state") -> Any:
    """What :func:`write_state` wrote, arrays as NumPy arrays.

    Args:
        path: of the file.
        remedy: what to do about a file that is refused, for the error.
        kind: of the file.

    Raises:
        ValueError: if the file is damaged, was written by another version, or names a class that is not to be trusted.
    """
    archive = io.BytesIO(read_sealed(path, kind, LAYOUT, remedy))
    with np.load(archive, allow_pickle=False) as arrays:
        return _Read(arrays).decode(json.loads(str(arrays[NAME.format(0)])))


def state_digest(state: Any) -> str:
    """SHA-256 of what :func:`write_state` would write, in hexadecimal digits: equal for equal states everywhere.

    Raises:
        TypeError: for what it would not write.

    Example:
        >>> state_digest({"widths": (4, 8)}) == state_digest({"widths": (4, 8)}) != state_digest({"widths": [4, 8]})
        True
    """
    written = _Written()
    nesting = json.dumps(written.encode(state))
    return hashlib.sha256(f"{nesting} {digest_of(*written.arrays)}".encode()).hexdigest()


class _Written:
    """A state on its way to the file; what JSON has no value for becomes ``[kind, ...]``."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self.records: dict[int, tuple[int, Any]] = {}  # by identity, which lasts as long as they are held

    def encode(self, state: Any) -> Any:
        if state is None or type(state) in (bool, int, float, str):
            return state
        if isinstance(state, np.ndarray | np.generic | jax.Array) and _is_numbers(state):
            self.arrays.append(np.asarray(state))
            return ["scalar" if isinstance(state, np.generic) else "array", len(self.arrays)]
        if type(state) in (list, tuple):
            return [type(state).__name__, [self.encode(one) for one in state]]
        if type(state) is dict and all(type(key) is str for key in state):
            return ["dict", {key: self.encode(one) for key, one in state.items()}]
        kind = type(state)
        if _is_single(state):
            return ["single", f"{kind.__module__}:{state.__reduce__()}"]
        if id(state) in self.records:
            return ["again", self.records[id(state)][0]]
        own = {name: self.encode(one) for name, one in _contents(state).items()}
        self.records[id(state)] = len(self.records), state
        return ["record", f"{kind.__module__}:{kind.__qualname__}", own]


class _Read:
    """A state on its way from the file."""

    def __init__(self, arrays: Any) -> None:
        self.arrays = arrays
        self.records: list[Any] = []

    def decode(self, encoded: Any) -> Any:
        if not isinstance(encoded, list):
            return encoded
        kind, *content = encoded
        if kind in ("array", "scalar"):
            array = self.arrays[NAME.format(content[0])]
            return array[()] if kind == "scalar" else array
        if kind in ("list", "tuple"):
            items = [self.decode(one) for one in content[0]]
            return items if kind == "list" else tuple(items)
        if kind == "dict":
            return {key: self.decode(one) for key, one in content[0].items()}
        if kind == "again":
            return self.records[content[0]]
        if kind == "single" and _is_single(one := _named(content[0])):
            return one
        own = {name: self.decode(one) for name, one in content[1].items()}
        self.records.append(_made(_class(content[0]), own))
        return self.records[-1]


def _contents(state: Any) -> dict[str, Any]:
    """What an object can be made of again, by name.

    Raises:
        TypeError: if it cannot.
    """
    kind = type(state)
    if not _is_trusted(kind.__module__):
        raise TypeError(f"a state cannot hold a {kind.__name__}")
    if _is_record(kind):
        return {name: getattr(state, name) for name in _fields(kind)}
    if isinstance(state, dist.Distribution):
        own = {name: getattr(state, name) for name in kind.arg_constraints}
        try:
            same = _flat(kind(**own)) == _flat(state)
        except (TypeError, AttributeError):
            same = False
        if same:
            return own
    elif kind.__module__.startswith("bayes_nn."):
        return {name: one for name, one in vars(state).items() if name not in _computed(kind)}
    raise TypeError(f"a state cannot hold a {kind.__name__}")


def _made(kind: type, own: dict[str, Any]) -> Any:
    if _is_record(kind) or issubclass(kind, dist.Distribution):
        return kind(**own)
    made: Any = object.__new__(kind)
    vars(made).update(own)
    return made


def _class(name: str) -> type:
    found = _named(name)
    if isinstance(found, type):
        own = found.__module__.startswith("bayes_nn.")
        if own or (_is_trusted(found.__module__) and (_is_record(found) or issubclass(found, dist.Distribution))):
            return found
    raise ValueError(f"the file names {name!r}, which is no state of this package: it was not written by bayes_nn")


def _named(name: str) -> Any:
    """What a module of a package to be trusted has by that name, or None."""
    module, _, qualified = name.partition(":")
    found: Any = importlib.import_module(module) if _is_trusted(module) else None
    for part in qualified.split("."):
        found = getattr(found, part, None)
    return found


def _is_single(one: Any) -> bool:
    """Whether it is the one instance of a class of this package, which pickle would find by its name too."""
    kind = type(one)
    return kind.__module__.startswith("bayes_nn.") and "__reduce__" in vars(kind) and isinstance(one.__reduce__(), str)


def _is_trusted(module: str) -> bool:
    return module.split(".")[0] in TRUSTED


def _is_numbers(state: Any) -> bool:
    return state.dtype != object and not jax.dtypes.issubdtype(state.dtype, jax.dtypes.extended)


def _is_record(kind: type) -> bool:
    return dataclasses.is_dataclass(kind) or (issubclass(kind, tuple) and hasattr(kind, "_fields"))


def _computed(kind: type) -> set[str]:
    return {name for base in kind.__mro__ for name, one in vars(base).items() if isinstance(one, cached_property)}


def _fields(kind: Any) -> list[str]:
    if dataclasses.is_dataclass(kind):
        return [field.name for field in dataclasses.fields(kind) if field.init]
    return list(kind._fields)


def _flat(distribution: dist.Distribution) -> tuple[Any, list[Any]]:
    leaves, structure = jax.tree.flatten(distribution)
    return structure, [np.asarray(leaf).tolist() for leaf in leaves]
