"""Work sent to other processes: workers of Dask, on this machine or on many, and a loop where there are none.

``distributed`` is imported when workers are asked for. Workers are spawned and never forked, since JAX does not survive
a fork; each has one core, one thread and one device, and the JAX settings of the process that starts it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bayes_nn.runtime.environment import QUICK_COMPILATION, PerformanceHint, usable_cores
from bayes_nn.runtime.progress import ConvergenceWarning, progress_bar

if TYPE_CHECKING:
    from distributed import Client

#: Threads of the numerical libraries of a worker, by the variables that say so.
ONE_THREAD = dict.fromkeys(
    ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
#: One device, and a program compiled whole rather than cut up for several threads.
ONE_DEVICE = f"--xla_force_host_platform_device_count=1 --xla_cpu_parallel_codegen_split_count=1 {QUICK_COMPILATION}"


def import_distributed() -> Any:
    """The package ``distributed``.

    Raises:
        ImportError: saying how to install it.
    """
    try:
        import distributed
    except ImportError:
        raise ImportError("workers need Dask, which is not installed: pip install 'bayes_nn[atlas]'") from None
    return distributed


def worker_environment() -> dict[str, str]:
    """The environment of a worker: one core, and float64."""
    given = [flag for flag in os.environ.get("XLA_FLAGS", "").split() if flag.split("=")[0] not in ONE_DEVICE]
    return {**ONE_THREAD, "XLA_FLAGS": " ".join([*given, ONE_DEVICE]), "JAX_ENABLE_X64": "1"}


@contextlib.contextmanager
def local_workers(count: int | None = None, memory: str | float = "auto") -> Iterator[Client]:
    """Workers on this machine, which end with the block; one that dies is replaced.

    A program that calls this must keep its own work under ``if __name__ == "__main__":``, as with every process that is
    spawned.

    Args:
        count: number of workers; one for every usable core when left out.
        memory: of every worker, in bytes or as ``"2GiB"``, beyond which it is replaced; ``"auto"`` divides what the
            machine or the container has.

    Yields:
        The client that work is sent by, for ``compare(..., client=client)``.

    Raises:
        ValueError: for a count that is not positive.
        ImportError: without ``distributed``.
    """
    count = usable_cores() if count is None else count
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"the number of workers must be a positive whole number; got {count!r}")
    distributed = import_distributed()
    import dask

    spawned = {"distributed.worker.multiprocessing-method": "spawn", "distributed.worker.daemon": True}
    with (
        dask.config.set(spawned),
        distributed.LocalCluster(
            n_workers=count,
            threads_per_worker=1,
            processes=True,
            memory_limit=memory,
            dashboard_address="127.0.0.1:0" if importlib.util.find_spec("bokeh") else None,
            silence_logs=logging.CRITICAL,
            env=worker_environment(),
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextlib.contextmanager
def client_of(scheduler: str) -> Iterator[Client]:
    """Workers that are there already, which are left as they are.

    Args:
        scheduler: address of their scheduler, such as ``tcp://10.0.0.1:8786``.

    Yields:
        The client that work is sent by.

    Raises:
        ValueError: if no scheduler answers there.
        ImportError: without ``distributed``.
    """
    distributed = import_distributed()
    try:
        client = distributed.Client(scheduler)
    except (OSError, ValueError) as error:
        raise ValueError(f"no scheduler of Dask answers at {scheduler}: {error}") from None
    with client:
        yield client


def dashboard_of(client: Client) -> str:
    """The address of the page that shows what the workers do; empty where there is none, as without bokeh."""
    port = client.scheduler_info().get("services", {}).get("dashboard")
    return client.dashboard_link if port and importlib.util.find_spec("bokeh") else ""


def without_workers() -> contextlib.AbstractContextManager[Any]:
    """A block in which xarray, which looks for Dask's workers by itself, reads and writes files without them.

    Example:
        >>> with without_workers():
        ...     pass
    """
    if "dask" not in sys.modules:
        return contextlib.nullcontext()
    import dask

    return dask.config.set(scheduler="synchronous")


def map_over_workers(
    function: Callable[[Any], Any], items: Sequence[Any], client: Client | None = None, *, title: str | None = None
) -> list[Any]:
    """``function`` of every item, in the order of the items, here or on the workers of a client.

    Args:
        function: of a module, so that the workers find it.
        items: what it is called with; they are sent with the calls, so that no worker's death loses them.
        client: of ``distributed``; None for a loop in this process.
        title: of the progress bar over the items that workers are at; None for none.

    Raises:
        ValueError: for what is no client.

    Example:
        >>> map_over_workers(abs, [-1, 2])
        [1, 2]
    """
    if client is None:
        return [function(item) for item in items]
    distributed = import_distributed()
    checked_client(client)
    futures = [client.submit(quietly, function, item, pure=False) for item in items]
    try:
        with progress_bar(title or "", enabled=title is not None) as report:
            for done, future in enumerate(distributed.as_completed(futures), start=1):
                if future.status == "error":
                    future.result()  # raises what the worker raised
                report(done / len(futures), f"{done} of {len(futures)}")
        return client.gather(futures)
    finally:
        client.cancel(futures)


def checked_client(client: Any) -> None:
    """Refuse what sends no work.

    Raises:
        ValueError: naming what to pass.
    """
    if not isinstance(client, import_distributed().Client):
        raise ValueError(f"client must be a distributed.Client, such as one of local_workers(); got {client!r}")


def quietly(function: Callable[[Any], Any], item: Any) -> Any:
    """On a worker: what it would warn of is told where the work was sent from."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.simplefilter("ignore", PerformanceHint)
        return function(item)
