"""Control that signs leases: what the tests of lease tokens share."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from headrace.control.sessions import Sessions
from headrace.core.broadcast import SignedLease
from headrace.runtime.aio.tasks import beside
from headrace.wire.control import HeldSession, OpenedSession
from headrace.wire.lease import LeaseRefused, LeaseSigner, LeaseVerifier
from headrace.wire.lease_keys import LeaseKey
from headrace.wire.media import Open
from tests.support.broadcasts import PLAN, SOURCE
from tests.unit.control.support import Control


@dataclass
class Signing:
    """Control that signs, and a transcoder's view of what it signed."""

    parts: Control
    verifier: LeaseVerifier

    def good(self, lease: SignedLease | None, opened: OpenedSession | HeldSession) -> bool:
        assert lease is not None
        try:
            self.verifier.check(
                Open(opened.run, opened.session, opened.session_id, 1, 0, PLAN, SOURCE, 0, token=lease.token)
            )
        except LeaseRefused:
            return False
        return True


@pytest.fixture
async def signing(parts: Control) -> AsyncIterator[Signing]:
    key = LeaseKey.made()
    p = parts
    sessions = Sessions(p.settings, p.database, p.log, p.fleet, p.accounts, p.leases, p.endings, LeaseSigner(key))
    async with beside(sessions.run()):
        yield Signing(replace(parts, sessions=sessions), LeaseVerifier(key.public))
