"""The second process loads what the first one compiled."""

import os
import subprocess
import sys

PROGRAM = """
import bayes_nn, jax, jax.numpy as jnp, os, sys
from jax._src import monitoring
from bayes_nn.runtime.compilation_cache import use_compilation_cache
jnp.ones(2).block_until_ready()  # the cache may be switched on after the first compilation
use_compilation_cache(sys.argv[1])
assert os.environ["JAX_COMPILATION_CACHE_DIR"] == sys.argv[1]
hits = []
monitoring.register_event_listener(lambda name, **_: hits.append(name) if name.endswith("/cache_hits") else None)
jax.jit(lambda x: jnp.sin(x) @ x)(jnp.ones((3, 3))).block_until_ready()
print(len(hits) > 0)
"""


def test_the_second_process_finds_what_the_first_compiled(tmp_path):
    folder = str((tmp_path / "made" / "cache").resolve())
    found = []
    for _ in range(2):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("JAX_")}
        command = [sys.executable, "-c", PROGRAM, folder]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment)
        assert done.returncode == 0, done.stderr
        found.append(done.stdout.strip())
    assert found == ["False", "True"]
