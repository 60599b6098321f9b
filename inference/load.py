"""Reading back what was saved."""

from pathlib import Path

from bayes_nn.inference.atlases.atlas import Atlas
from bayes_nn.inference.comparison import storage
from bayes_nn.inference.comparison.result import Comparison
from bayes_nn.inference.comparison.sweep import Sweep
from bayes_nn.inference.posterior import saved_posterior
from bayes_nn.inference.posterior.posterior import Posterior
from bayes_nn.runtime.sealed_file import kind_of


def load(path: str | Path) -> Comparison | Sweep | Posterior | Atlas:
    """Read what ``save`` of a comparison, a sweep or a posterior wrote, or :func:`bayes_nn.inference.atlas`.

    Args:
        path: the file, or the folder of an atlas.

    Raises:
        ValueError: if the file is missing, damaged, of another version, or something else.

    Example:
        >>> load("missing.nc")
        Traceback (most recent call last):
        ValueError: there is no file missing.nc
    """
    path = Path(path)
    if (path / "cells").is_dir():
        return Atlas.of(path)
    if not path.is_file():
        raise ValueError(f"there is no file {path}")
    if kind_of(path) == storage.SWEEP:
        return Sweep.load(path)
    if kind_of(path) == saved_posterior.KIND:
        return Posterior(**saved_posterior.read(path))
    return Comparison(**storage.read(path))
