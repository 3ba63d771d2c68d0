"""Servers that each worker of the tests starts once."""

from collections.abc import Iterator

import pytest

from tests.support.redis import Cluster, Pair, Server


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as one:
        yield one


@pytest.fixture(scope="session")
def pair() -> Iterator[Pair]:
    with Pair() as both:
        yield both


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    with Cluster() as nodes:
        yield nodes
