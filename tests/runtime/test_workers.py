"""Work sent to other processes: without workers, and what keeps a worker to one core."""

import pytest

from bayes_nn.runtime.workers import client_of, local_workers, map_over_workers, worker_environment


def test_a_worker_has_one_device_whatever_its_parent_has(monkeypatch):
    monkeypatch.setenv("XLA_FLAGS", "--xla_force_host_platform_device_count=8 --xla_cpu_enable_fast_math=false")
    given = worker_environment()
    flags = given["XLA_FLAGS"].split()
    assert "--xla_cpu_enable_fast_math=false" in flags
    assert [flag for flag in flags if "device_count" in flag] == ["--xla_force_host_platform_device_count=1"]
    assert given["OPENBLAS_NUM_THREADS"] == "1"


def test_without_a_client_it_is_a_loop():
    assert map_over_workers(abs, [-3, 2]) == [3, 2]


@pytest.mark.parametrize("count", [0, -1, True, 2.0])
def test_bad_numbers_of_workers(count):
    with pytest.raises(ValueError, match="number of workers"), local_workers(count):
        pass


def test_an_address_that_is_none_is_refused():
    with pytest.raises(ValueError, match="no scheduler of Dask answers at nowhere"), client_of("nowhere://here"):
        pass
