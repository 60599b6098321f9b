"""Two workers for all tests of this folder: spawned once, with the compiled code of the other tests."""

import os

import pytest

from bayes_nn.runtime.workers import local_workers


@pytest.fixture(scope="session")
def client():
    with local_workers(2) as client:
        yield client
