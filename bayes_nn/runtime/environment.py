"""The process-wide settings the package needs: double precision, and one core for every chain.

The first part of the package that uses JAX switches it to float64, because a log evidence is a sum of hundreds of
terms of which the differences of interest are fractions of a nat. Nothing else is changed by importing. Where the
environment variable ``JAX_ENABLE_X64`` is set, what it says is left alone, and :func:`double_precision` confines
float64 to a block (``docs/decisions/0017-confined-float64.md``).
"""

import os
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import jax
import numpyro
from threadpoolctl import threadpool_limits


class PerformanceHint(UserWarning):
    """Results are right, but a setting would make them come sooner.

    Example:
        >>> with warnings.catch_warnings():
        ...     warnings.simplefilter("ignore", PerformanceHint)
    """


def enable_double_precision() -> None:
    """Switch JAX to float64 unless ``JAX_ENABLE_X64`` is set, the one place where the package does so.

    Example:
        >>> enable_double_precision()
        >>> bool(jax.config.jax_enable_x64)
        True
    """
    if "JAX_ENABLE_X64" not in os.environ:
        jax.config.update("jax_enable_x64", True)


def double_precision() -> AbstractContextManager[None]:
    """float64 within a ``with`` block and this thread, for programs whose other JAX code is to stay in float32.

    Set ``JAX_ENABLE_X64=0`` in the environment before JAX is imported, so that the package leaves the process alone,
    and make priors, fits and predictions within the block. The setting is part of what JAX keys compiled code by, so
    that the float32 code outside is neither changed nor compiled again.

    Example:
        >>> with double_precision():
        ...     jax.numpy.ones(1).dtype
        dtype('float64')
    """
    return jax.enable_x64(True)


def require_double_precision() -> None:
    """Refuse to compute an evidence in float32, in which it may be wrong by nats.

    Raises:
        ValueError: if JAX computes in float32 here.

    Example:
        >>> with jax.enable_x64(False):
        ...     require_double_precision()
        Traceback (most recent call last):
        ValueError: JAX computes in float32 here: call within `with bayes_nn.double_precision():`, ...
    """
    if not jax.config.jax_enable_x64:  # type: ignore[attr-defined]
        raise ValueError(
            "JAX computes in float32 here: call within `with bayes_nn.double_precision():`, or leave JAX_ENABLE_X64 "
            "out of the environment"
        )


def usable_cores() -> int:
    """The number of cores that this process may run on, at least 1.

    Where the operating system tells, those that the process is restricted to (by ``taskset`` or a container's cpuset).

    Example:
        >>> 1 <= usable_cores() <= os.cpu_count()
        True
    """
    return (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) or 1


#: Has XLA generate code for a CPU by its older emitters. A first fit spends 16 to 39 % less on compilation, and later
#: ones are as fast (benchmarks/compilation.py); XLA knows the flag in every release of JAX that the package allows.
QUICK_COMPILATION = "--xla_cpu_use_fusion_emitters=false"


def use_all_cores(count: int | None = None) -> int:
    """Give JAX one host device per core, so that chains run side by side, and have it compile quickly.

    The setting acts only before JAX has started its backend, that is before the first array is
    made. The command line, the tests and the notebooks call this function first; a program that
    does not still gets the same numbers, from one core.

    Args:
        count: number of host devices; the number of usable cores when left out.

    Returns:
        The number of devices JAX now has.

    Example:
        >>> import bayes_nn as bnn
        >>> bnn.use_all_cores() >= 1
        True
    """
    numpyro.set_host_device_count(count or usable_cores())
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_cpu_use_fusion_emitters" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} {QUICK_COMPILATION}".strip()
    return jax.local_device_count()


_hinted = False


def hint_at_idle_cores() -> None:
    """Warn once per process when chains could run in parallel but JAX sees a single device."""
    global _hinted
    cores = usable_cores()
    if not _hinted and cores > 1 and jax.local_device_count() == 1 and jax.default_backend() == "cpu":
        _hinted = True
        warnings.warn(
            f"sampling uses 1 of {cores} cores: call bayes_nn.use_all_cores() at the top of the program, "
            "before any JAX array is made, to run islands and chains side by side",
            PerformanceHint,
            stacklevel=3,
        )


@contextmanager
def one_blas_thread_per_device() -> Iterator[None]:
    """Keep LAPACK single-threaded while several devices are at work, so that they do not compete.

    ``benchmarks/likelihood.py`` prints what the gradients of a network's likelihood cost on one device
    and spread over all of them under this setting.

    Example:
        >>> with one_blas_thread_per_device():
        ...     pass
    """
    with threadpool_limits(limits=1, user_api="blas"):
        yield
