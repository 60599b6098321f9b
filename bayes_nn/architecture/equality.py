"""Objects that are equal where their fields are, so that code compiled for one serves every equal one."""

from collections.abc import Hashable, Mapping
from functools import cached_property
from typing import Any

import jax
import numpy as np
import numpyro.distributions as dist
from numpyro.distributions import constraints, transforms


class Key:
    """A hashable value whose hash is computed once.

    Args:
        parts: hashable; two keys are equal where their parts are.

    Example:
        >>> Key((1, "a")) == Key((1, "a"))
        True
    """

    __slots__ = ("_hash", "parts")

    def __init__(self, parts: Hashable) -> None:
        self.parts = parts
        self._hash = hash(parts)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, Key) and self._hash == other._hash and self.parts == other.parts)

    def __hash__(self) -> int:
        return self._hash


class Identity:
    """A hashable stand-in for an object that equals itself alone.

    Args:
        held: the object; holding it keeps its address from being used again.

    Example:
        >>> Identity([1]) == Identity([1])
        False
    """

    __slots__ = ("held",)

    def __init__(self, held: object) -> None:
        self.held = held

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.held is other.held

    def __hash__(self) -> int:
        return id(self.held)


class ByFields:
    """Base of objects that compare and hash by their type and the values of their attributes.

    The key is made at the first comparison and kept, so that comparing is cheap: ``jax.jit`` compares its static
    arguments at every call. Attributes must not change in place afterwards.

    Example:
        >>> class Scale(ByFields):
        ...     def __init__(self, factors):
        ...         self.factors = np.asarray(factors)
        >>> Scale([1.0, 2.0]) == Scale([1.0, 2.0]), Scale([1.0, 2.0]) == Scale([1.0, 3.0])
        (True, False)
    """

    def _fields(self) -> Mapping[str, Any]:
        """What two equal objects have in common, by name: all attributes, without what is computed from them."""
        kind = type(self)
        return {
            name: value
            for name, value in vars(self).items()
            if not isinstance(getattr(kind, name, None), cached_property)
        }

    @cached_property
    def _key(self) -> Key:
        fields = self._fields()
        return Key((type(self), *((name, key_of(fields[name])) for name in sorted(fields))))

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and self._key == other._key)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash(self._key)

    def __getstate__(self) -> dict[str, Any]:
        """The attributes, without the key: hashes differ between processes."""
        return {name: value for name, value in vars(self).items() if name != "_key"}


def key_of(value: object) -> Hashable:
    """A hashable stand-in: equal for values that are equal.

    Numbers and arrays go by type, shape and bytes; NumPyro distributions, transforms and constraints by their type and
    parameters; containers by what they hold; other objects by their own equality, or else each equals itself alone
    (as does an array that is being traced, whose numbers are not known).

    Example:
        >>> key_of(dist.LogNormal(0.0, 0.5)) == key_of(dist.LogNormal(0.0, 0.5))
        True
        >>> key_of(dist.LogNormal(0.0, 0.5)) == key_of(dist.LogNormal(0.0, 0.6))
        False
    """
    if isinstance(value, ByFields):
        return value._key
    if value is None or isinstance(value, (str, bytes, type)):
        return value
    if isinstance(value, (bool, int, float, complex, np.generic, np.ndarray, jax.Array)):
        return _key_of_numbers(value)
    if isinstance(value, Mapping):
        return (type(value), *((name, key_of(value[name])) for name in sorted(value, key=repr)))
    if isinstance(value, (tuple, list)):
        return (type(value), *map(key_of, value))
    if isinstance(value, dist.Distribution):
        return _key_of_distribution(value)
    numpyros = type(value).__module__.startswith("numpyro.")
    if numpyros and isinstance(value, (transforms.Transform, constraints.Constraint)):
        return (type(value), key_of(value.tree_flatten()))
    try:
        hash(value)
    except TypeError:
        return Identity(value)
    return value


def _key_of_numbers(value: object) -> Hashable:
    try:
        numbers = np.asarray(value)
    except TypeError:
        return Identity(value)
    if numbers.dtype.hasobject:
        return Identity(value)
    return (type(value), numbers.dtype.str, numbers.shape, numbers.tobytes())


def _key_of_distribution(value: dist.Distribution) -> Hashable:
    """By the fields that NumPyro lists for its own distributions, by all attributes for those of users."""
    kind = type(value)
    if kind.__module__.startswith("numpyro."):
        names = {*kind.gather_pytree_data_fields(), *kind.gather_pytree_aux_fields()}
    else:
        names = set(vars(value))
    return (kind, *((name, key_of(vars(value).get(name))) for name in sorted(names)))
