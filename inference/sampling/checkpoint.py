"""Checkpoints: the state of a long run on disk, so that a killed run goes on where it stopped."""

import contextlib
import hashlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from bayes_nn.inference.problem.problem import Problem
from bayes_nn.runtime.folder_lock import LOCK, locked
from bayes_nn.runtime.sealed_file import PARTIAL
from bayes_nn.runtime.state_file import read_state, write_state

#: Of the files in the folder.
SUFFIX = ".npz"


@dataclass(frozen=True)
class Checkpoint:
    """A folder that holds the state of one run.

    Args:
        folder: where to write; None to keep nothing.
        seconds_before: that earlier parts of the run took, up to what they saved last.
        began: when this part began, by :func:`time.perf_counter`.

    Example:
        >>> NOWHERE.load("chains") is None
        True
    """

    folder: Path | None
    seconds_before: float = 0.0
    began: float = field(default_factory=time.perf_counter)

    @classmethod
    def of(cls, folder: str | Path | None, problem: Problem, settings: Any, key: Array) -> "Checkpoint":
        """The checkpoint of a run, new or to be continued.

        Args:
            folder: where to write; None to keep nothing.
            problem: the posterior.
            settings: of the sampler.
            key: random key.

        Raises:
            ValueError: if the folder holds another run.
        """
        if folder is None:
            return cls(None)
        folder = checked_folder(folder)
        checkpoint, mark = cls(folder), fingerprint(problem, settings, key)
        known = checkpoint.load("fingerprint")
        if known is not None and known != mark:
            raise ValueError(
                f"{folder} holds the checkpoint of another run (other data, prior, sampler settings or key, or another "
                "version of bayes_nn): remove it, or choose another folder"
            )
        others = [path for path in folder.glob("*") if path.suffix != PARTIAL and path.name != LOCK]
        if known is None and others:
            raise ValueError(f"checkpoint {folder} is not empty and was not written by bayes_nn: choose another folder")
        checkpoint = replace(checkpoint, seconds_before=checkpoint.load("seconds") or 0.0)
        checkpoint.save("fingerprint", mark)
        return checkpoint

    @property
    def seconds(self) -> float:
        """That the run has taken so far, all parts together."""
        return self.seconds_before + time.perf_counter() - self.began

    def save(self, name: str, state: Any) -> None:
        """Write a pytree in one step, so that a run killed while writing leaves the last state behind."""
        if self.folder is not None:
            write_state(self.folder / f"{name}{SUFFIX}", state)
            write_state(self.folder / f"seconds{SUFFIX}", self.seconds)

    def load(self, name: str) -> Any:
        """What was saved by that name, or None.

        Raises:
            ValueError: if the file is damaged, or another version of bayes_nn wrote it.
        """
        path = self.folder / f"{name}{SUFFIX}" if self.folder is not None else None
        return read_state(path, self._remedy) if path is not None and path.exists() else None

    def once(self, name: str, make: Callable[[], Any]) -> Any:
        """What ``make`` gave the first time, in this part of the run or an earlier one, and saved by that name."""
        saved = self.load(name)
        if saved is None:
            saved = (make(),)
            self.save(name, saved)
        return saved[0]

    def load_part(self, name: str) -> Any:
        """:meth:`load` of what must be there.

        Raises:
            ValueError: if it is not.
        """
        part = self.load(name)
        if part is None:
            raise ValueError(f"{name}{SUFFIX} is missing in the checkpoint {self.folder}; {self._remedy}")
        return part

    @property
    def _remedy(self) -> str:
        return f"remove the folder {self.folder}, and this run starts anew"

    def remove(self) -> None:
        """Remove what was written, and the folder if nothing else is in it, once the run has ended."""
        if self.folder is None:
            return
        written = [*self.folder.glob(f"*{PARTIAL}"), *self.folder.glob(f"*{SUFFIX}")]
        # A run killed meanwhile finds its end, or nothing.
        last = {"fit": 1, "fingerprint": 2}
        with contextlib.suppress(OSError):
            for path in sorted(written, key=lambda path: last.get(path.stem, 0)):
                path.unlink()
            self.folder.rmdir()


#: Keeps nothing.
NOWHERE = Checkpoint(None)


def checked_folder(folder: str | Path) -> Path:
    """The path of a checkpoint.

    Raises:
        ValueError: if it, or a folder above it, is a file.
    """
    folder = Path(folder)
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise ValueError(f"checkpoint {folder}: {path} is a file; name a folder")
    return folder


@contextlib.contextmanager
def running_in(folder: str | Path | None) -> Iterator[None]:
    """Keep a second run out of the folder of a run, and say how to go on when the run is interrupted.

    Args:
        folder: of the checkpoint; None to do nothing.

    Raises:
        ValueError: if another process has it.
        OSError: naming the folder and the reason, if it cannot be written.
    """
    if folder is None:
        yield
        return
    with locked(checked_folder(folder)):
        try:
            yield
        except KeyboardInterrupt as stopped:
            stopped.add_note(f"The state of the run is in {folder}: the same call goes on from there.")
            raise


def fingerprint(problem: Problem, settings: Any, key: Array) -> str:
    """What tells one run from another: data, prior, likelihood, settings and key.

    Prior and likelihood enter by what they compute: log densities at two draws, to 9 digits.
    """
    u = problem.sample_prior(jax.random.key(0), (2,))
    densities = [f"{float(density):.9g}" for one in u for density in _log_densities(problem, one)]
    digest = hashlib.sha256()
    for part in (problem.X, problem.Y, jax.random.key_data(key)):
        digest.update(np.asarray(jnp.asarray(part)).tobytes())
    digest.update(repr((problem.prior.name, settings, list(problem.latents), densities)).encode())
    return digest.hexdigest()


@jax.jit
def _log_densities(problem: Problem, u: Float[Array, " D"]) -> tuple[Array, Array]:
    return problem.log_densities(u)
