"""Compiled code kept on disk, so that it is compiled once and not in every process."""

import os
from pathlib import Path

import jax
import platformdirs
from jax.experimental.compilation_cache import compilation_cache

#: JAX's settings: everything is kept, however small and however quickly it was compiled.
SETTINGS = {
    "jax_persistent_cache_min_compile_time_secs": 0,
    "jax_persistent_cache_min_entry_size_bytes": -1,
}


#: Names the folder of compiled code, or says ``off``, where a program does not name one.
VARIABLE = "BAYES_NN_CACHE"


def use_compilation_cache(folder: str | Path | None = None) -> Path | None:
    """Keep compiled code in a folder, for this process and the child processes that it starts from now on.

    A later process with the same folder, the same version of JAX and the same kind of machine loads the code instead
    of compiling it. Several processes may share the folder at the same time. Results do not change. The setting is
    that of all JAX code in the process, which is why ``bayes-nn`` makes it and importing the package does not.
    (JAX's persistent compilation cache, https://docs.jax.dev/en/latest/persistent_compilation_cache.html.)

    Args:
        folder: is made if it is not there; delete it at any time to start anew. Left out, what the environment variable
            ``BAYES_NN_CACHE`` says: a folder, or ``off`` for none; where it is not set, the folder that JAX has already
            been given, else ``bayes_nn`` in the user's cache folder.

    Returns:
        The folder's absolute path; None where no code is kept.

    Raises:
        OSError: if a folder that was named cannot be made.

    Example:
        >>> import tempfile
        >>> previous = jax.config.jax_compilation_cache_dir, dict(os.environ)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     use_compilation_cache(folder).is_dir()
        True

        >>> jax.config.update("jax_compilation_cache_dir", previous[0])  # undo it, for the examples after this one
        >>> os.environ.clear(); os.environ.update(previous[1])
    """
    given = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    named = folder or os.environ.get(VARIABLE) or given
    if named == "off":
        return None
    path = Path(named or platformdirs.user_cache_path("bayes_nn")).expanduser().resolve()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError:
        if named:
            raise
        return None
    for name, value in {"jax_compilation_cache_dir": str(path), **SETTINGS}.items():
        jax.config.update(name, value)
        os.environ[name.upper()] = str(value)
    # JAX decides at the first compilation whether there is a cache; let it decide again.
    compilation_cache.reset_cache()
    return path
