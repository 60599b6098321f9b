"""Where numbers come from: versions of what computed them, and digests of data."""

import hashlib
import platform
from importlib.metadata import version

import numpy as np

#: Packages that results depend on.
STACK = ("bayes_nn", "jax", "numpyro", "blackjax", "gpjax", "arviz")


def versions() -> dict[str, str]:
    """Versions of the packages that results depend on, and of Python.

    Example:
        >>> versions()["python"].startswith("3.")
        True
    """
    return {**{name: version(name) for name in STACK}, "python": platform.python_version()}


def digest_of(*arrays: np.ndarray) -> str:
    """SHA-256 of arrays, their shapes and kinds, in hexadecimal digits; equal for equal data on every machine.

    Args:
        arrays: of numbers.

    Example:
        >>> digest_of(np.arange(3.0)) == digest_of(np.arange(3.0)[None])
        False
        >>> digest_of(np.arange(3.0))[:8]
        '7cc284ee'
    """
    digest = hashlib.sha256()
    for array in arrays:
        little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        digest.update(f"{little.shape} {little.dtype.str} ".encode())
        digest.update(little.tobytes())
    return digest.hexdigest()
