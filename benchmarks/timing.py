"""What the benchmarks that time one function have in common."""

import time

import jax


def best_seconds(function, *arguments, repeats=7):
    """Best wall time of several calls, after one that compiles."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - started)
    return min(times)
