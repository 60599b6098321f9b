"""Two workers for all tests of this folder, spawned once."""

import pytest

from bayes_nn.runtime.workers import local_workers


@pytest.fixture(scope="session")
def client():
    pytest.importorskip("distributed")
    with local_workers(2) as client:
        yield client
