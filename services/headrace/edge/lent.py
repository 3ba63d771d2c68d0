"""One session as control lends it: opened, allocated, vouched for, doubted and released.

Law: control always hears how a session ended, unless it said so itself, and what may have been opened is given back.
Neighbours: `session` lives it, `leases` renews it.
"""

import asyncio
import secrets
from contextlib import suppress
from dataclasses import replace

from headrace.core.broadcast import LeaseToken, Refused, SignedLease, Source, StreamKey
from headrace.edge.forwarder import Outranked
from headrace.edge.statuses import refusal_of
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.control import Allocated, HeldSession, OpenedSession, ReleaseReason, SessionsClient, Verdict

RELEASE_AGAIN_S = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0)  # then control's own sweep has found out
LAST_WORD_S = 1.5  # of a process that stops
ASK_AGAIN_S = (1.0, 2.0)  # where control has no word on a session that is outranked, or not trusted

_untold = RateLimited(logger(__name__), "control was not told of an end")


class Lent:
    """A session named `id`, on the edge called `pod`, of the encoder at `peer`."""

    def __init__(self, control: SessionsClient, pod: str, peer: str) -> None:
        self.id = secrets.token_hex(16)  # whoever knows it may speak for the session
        self.over = False
        """Whether control has said that it is this edge's no more: then nobody is asked or told."""
        self._control = control
        self._pod = pod
        self._peer = peer
        self._opened: OpenedSession | None = None
        self._lease: SignedLease | None = None
        self._source: Source | None = None
        self._allocated: Allocated | None = None

    async def open(self, app: str, key: StreamKey) -> OpenedSession:
        """Ask for it. Raises Refused."""
        self._opened = await self._control.open_session(app, key, self._pod, self._peer, self.id)
        self._lease = self._opened.lease
        return self._opened

    @property
    def token(self) -> LeaseToken | None:
        """What transcoders are shown; None where control signs nothing."""
        return None if self._lease is None else self._lease.token

    def renew(self, lease: SignedLease) -> None:
        """Show this from now on."""
        self._lease = lease

    async def allocate(self, source: Source, anchor_ms: int) -> Allocated:
        """The run's plan and transcoders, for what is described now. Raises Refused."""
        self._source = source
        self._allocated = await self._control.allocate(self.id, source, anchor_ms)
        return self._allocated

    def held(self, anchor_ms: int) -> HeldSession:
        """As control is told of it. Only of one that was opened."""
        assert self._opened is not None
        return HeldSession(
            self.id,
            self._opened.stream,
            self._opened.run,
            self._opened.session,
            self._peer,
            anchor_ms,
            self._allocated.plan if self._allocated is not None else self._opened.plan,
            self._source,
            self._allocated.transcoders[0] if self._allocated is not None else "",
            self._lease.expires_ms if self._lease is not None else 0,
        )

    async def judged(self, anchor_ms: int, outranked: Outranked) -> Refused:
        """What the encoder is told where somebody else holds the run: control's own words where it has any.

        Where control knows of nobody else, publishing again is given a session above the other one.
        """
        verdict = await self._verdict(self.held(anchor_ms))
        return refusal_of(verdict) if verdict is not None and not verdict.held else outranked

    async def vouched(self, anchor_ms: int) -> bool:
        """Whether control has given a new token, in place of one that a transcoder does not trust.

        Raises Refused, in control's words, where the session is this edge's no more.
        """
        verdict = await self._verdict(replace(self.held(anchor_ms), lease_expires_ms=0))
        if verdict is not None and not verdict.held:
            raise refusal_of(verdict)
        if verdict is None or verdict.lease is None:
            return False
        self.renew(verdict.lease)
        return True

    async def _verdict(self, held: HeldSession) -> Verdict | None:
        """Control's word on it as it is now; None: it has none, however often it is asked."""
        for wait_s in (*ASK_AGAIN_S, None):
            try:
                (verdict,) = await self._control.renew(self._pod, [held])
            except Refused:
                if wait_s is not None:
                    await asyncio.sleep(wait_s)
            else:
                self.over = not verdict.held
                return verdict
        return None

    async def disown(self) -> None:
        """It was refused by nobody's word: should it have been opened, it shall not wait for its lease's end."""
        with suppress(Refused):
            await self._control.release(self.id, ReleaseReason.LOST, flushed=True)

    async def closing(self, reason: ReleaseReason) -> None:
        """Tell control at once, so that a publish which comes right back waits for our flush and is not refused."""
        if not self.over:
            await self._told(reason, flushed=False)

    async def release(self, reason: ReleaseReason, *, patiently: bool) -> None:
        """The last word: again and again, if `patiently`, since until it is heard the key counts as taken."""
        for wait_s in RELEASE_AGAIN_S if patiently else ():
            if self.over or await self._told(reason, flushed=True):
                return
            await asyncio.sleep(wait_s)
        if not self.over:
            with suppress(TimeoutError):
                async with asyncio.timeout(None if patiently else LAST_WORD_S):
                    await self._told(reason, flushed=True)

    async def _told(self, reason: ReleaseReason, *, flushed: bool) -> bool:
        try:
            await self._control.release(self.id, reason, flushed=flushed)
        except Refused as refusal:
            run = self._opened.run if self._opened is not None else ""
            _untold({"run": run, "why": refusal.description})
            return False
        return True
