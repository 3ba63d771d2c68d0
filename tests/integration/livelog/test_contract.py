"""The contract of live logs, kept on one server, on one with a replica, and on a Cluster."""

from collections.abc import AsyncIterator

import pytest

from headrace.livelog.base import LiveLog
from tests.support.log_contract import LogContract
from tests.support.redis import Cluster, Pair, Server
from tests.support.redis_logs import opened


class TestOneServer(LogContract):
    """All of the contract."""

    @pytest.fixture
    async def log(self, server: Server) -> AsyncIterator[LiveLog]:
        server.empty()
        async with opened(server.url) as log:
            yield log


class TestServerWithReplica(LogContract):
    """All of it, while each wait is for the replica."""

    @pytest.fixture
    async def log(self, pair: Pair) -> AsyncIterator[LiveLog]:
        pair.primary.empty()
        async with opened(pair.url, replicas=1) as log:
            yield log


class TestCluster(LogContract):
    """All of it, on whichever primary a run has its slot."""

    @pytest.fixture
    async def log(self, cluster: Cluster) -> AsyncIterator[LiveLog]:
        cluster.empty()
        async with opened(cluster.url, replicas=1) as log:
            yield log
