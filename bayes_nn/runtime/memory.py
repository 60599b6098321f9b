"""The memory that is left, and a refusal in words of what would need more."""

import os
from pathlib import Path

import jax

#: Where Linux says what is left, and what a container may use and does use.
MEMINFO, LIMIT, USED = (
    Path(path) for path in ("/proc/meminfo", "/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current")
)


def available_memory() -> float:
    """Bytes that can still be allocated where JAX computes; infinite where nobody tells.

    Example:
        >>> available_memory() > 0.0
        True
    """
    if jax.default_backend() != "cpu":
        return float(
            min(
                one.get("bytes_limit", float("inf")) - one.get("bytes_in_use", 0)
                for one in (device.memory_stats() or {} for device in jax.local_devices())
            )
        )
    return min(_of_machine(), _of_container())


def _of_machine() -> float:
    if MEMINFO.exists():
        lines = (line.split() for line in MEMINFO.read_text().splitlines())
        return 1024.0 * next((float(number) for name, number, *_ in lines if name == "MemAvailable:"), float("inf"))
    names = getattr(os, "sysconf_names", {})
    if {"SC_PAGE_SIZE", "SC_PHYS_PAGES"} <= set(names):
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return float("inf")


def _of_container() -> float:
    try:
        return float(LIMIT.read_text()) - float(USED.read_text())
    except (OSError, ValueError):  # no container, or one without a limit
        return float("inf")


def bytes_in_words(count: float) -> str:
    """A number of bytes as people write it.

    Example:
        >>> bytes_in_words(6.4e10), bytes_in_words(2e6)
        ('59.6 GiB', '1.9 MiB')
    """
    return f"{count / 2**30:,.1f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def refuse_beyond_memory(needed: float, what: str, advice: str) -> None:
    """Refuse what does not fit the memory, before it is begun.

    Args:
        needed: bytes, at the peak.
        what: the subject of the error.
        advice: what to do instead.

    Raises:
        ValueError: saying how much is needed and how much there is.

    Example:
        >>> refuse_beyond_memory(1e15, "a Gram matrix", "use fewer rows")
        Traceback (most recent call last):
        ...
        ValueError: a Gram matrix needs about 931,322.6 GiB of memory, and ... are available: use fewer rows
    """
    # Asking takes some microseconds, and what is small always fits.
    if needed < 2**26:
        return
    available = available_memory()
    if needed > available:
        raise ValueError(
            f"{what} needs about {bytes_in_words(needed)} of memory, and {bytes_in_words(available)} are available: "
            f"{advice}"
        )
