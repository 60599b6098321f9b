"""The second process loads what the first one compiled, from the folder that was named."""

import os
import subprocess
import sys

import jax
import platformdirs
import pytest

from bayes_nn.runtime.compilation_cache import use_compilation_cache

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


@pytest.fixture
def untouched(monkeypatch, tmp_path):
    """JAX's settings are put back afterwards; at first there is no folder."""
    before = jax.config.jax_compilation_cache_dir
    for name in [*(name for name in os.environ if name.startswith("JAX_")), "BAYES_NN_CACHE"]:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name: tmp_path / "users" / name)
    jax.config.update("jax_compilation_cache_dir", None)
    yield
    jax.config.update("jax_compilation_cache_dir", before)
    use_compilation_cache(before)


def test_the_folder_is_the_one_named_else_the_variables_else_the_users(untouched, monkeypatch, tmp_path):
    assert use_compilation_cache() == tmp_path / "users" / "bayes_nn"
    assert use_compilation_cache(tmp_path / "own") == tmp_path / "own"
    assert use_compilation_cache() == tmp_path / "own", "a folder that JAX has already is left alone"
    monkeypatch.setenv("BAYES_NN_CACHE", str(tmp_path / "variable"))
    assert use_compilation_cache() == tmp_path / "variable"
    assert (tmp_path / "variable").is_dir()
    assert jax.config.jax_compilation_cache_dir == str(tmp_path / "variable")


def test_off_keeps_nothing(untouched, monkeypatch, tmp_path):
    monkeypatch.setenv("BAYES_NN_CACHE", "off")
    assert use_compilation_cache() is None
    assert jax.config.jax_compilation_cache_dir is None
    assert list(tmp_path.iterdir()) == []


def test_only_a_folder_that_was_named_has_to_be_writable(untouched, monkeypatch, tmp_path):
    (tmp_path / "users").write_text("no folder")
    assert use_compilation_cache() is None
    monkeypatch.setenv("BAYES_NN_CACHE", str(tmp_path / "users" / "deeper"))
    with pytest.raises(OSError, match="users"):
        use_compilation_cache()
