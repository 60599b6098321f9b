"""The memory that is left is what the machine and the container say, the lesser of the two."""

import pytest

from bayes_nn.runtime import memory


@pytest.fixture
def machine(tmp_path, monkeypatch):
    for name in ("MEMINFO", "LIMIT", "USED"):
        monkeypatch.setattr(memory, name, tmp_path / name)

    def say(**texts):
        for name, text in texts.items():
            (tmp_path / name).write_text(text)

    say(MEMINFO="MemTotal:       9000 kB\nMemAvailable:   4000 kB\n")
    return say


def test_the_lesser_of_machine_and_container(machine):
    assert memory.available_memory() == 4000 * 1024
    machine(LIMIT="max\n", USED="1000\n")
    assert memory.available_memory() == 4000 * 1024
    machine(LIMIT="3000000\n")
    assert memory.available_memory() == 2_999_000


def test_refused_with_what_is_needed_and_what_there_is(machine):
    with pytest.raises(
        ValueError, match=r"^a matrix needs about 1.0 GiB of memory, and 3.9 MiB are available: cut it$"
    ):
        memory.refuse_beyond_memory(2.0**30, "a matrix", "cut it")
    machine(MEMINFO="MemAvailable: 1048577 kB\n")
    memory.refuse_beyond_memory(2.0**30, "a matrix", "cut it")
