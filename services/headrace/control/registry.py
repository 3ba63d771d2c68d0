"""Streams and their keys: what the REST API does, without HTTP.

Law: a clear key is an answer's, never a row's (`keys` says how a repeated request gets its answer again). Neighbours:
`http.streams` is the skin, `db.streams` the rows, `endings` ends a deleted stream's run.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from headrace.control.db import Conflict, Database, Transaction
from headrace.control.endings import Endings
from headrace.control.keys import derive_stream_key, digest_of, hint, new_salt, new_stream_id, new_stream_key
from headrace.control.model import Replay, Stream
from headrace.core.broadcast import Profile, StreamId, StreamKey
from headrace.core.errors import HeadraceError
from headrace.livelog.base import LogError
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.telemetry.logs import FOR_EACH, RateLimited, logger

REPLAY_MS = 24 * 3600 * 1000

_log = logger(__name__)
_created = RateLimited(_log, "stream created", at_most=FOR_EACH)
_reset = RateLimited(_log, "stream key reset", at_most=FOR_EACH)
_deleted = RateLimited(_log, "stream deleted", at_most=FOR_EACH)
_unended = RateLimited(_log, "a run could not be ended, another try follows")

Make = Callable[[Transaction, StreamKey], Awaitable[Stream]]


class NoStream(HeadraceError):
    """There is no such stream (any more)."""

    code = "no_stream"


class KeyReused(HeadraceError):
    """The Idempotency-Key belongs to another request, or its answer cannot be given again."""

    code = "idempotency_key_reused"


class Registry:
    """`api_key` takes part in the derivation of keys that a repeated request must get again."""

    def __init__(self, database: Database, endings: Endings, api_key: str) -> None:
        self._database = database
        self._endings = endings
        self._api_key = api_key

    async def create(
        self, name: str, profile_given: object, profile: Profile, idempotency_key: str | None
    ) -> tuple[Stream, StreamKey]:
        """A new stream and its key. Raises KeyReused, DatabaseError."""

        async def make(tx: Transaction, key: StreamKey) -> Stream:
            stream = Stream(new_stream_id(), name, profile, profile_given, hint(key), unix_ms())
            await tx.streams.add(stream, key.digest)
            return stream

        stream, key = await self._once(idempotency_key, digest_of("create", name, profile_given), make)
        _created({"stream": stream.id}, level=logging.INFO)
        return stream, key

    async def reset_key(self, stream_id: StreamId, idempotency_key: str | None) -> tuple[Stream, StreamKey]:
        """A new key: the old one opens nothing new, who publishes with it goes on. Raises NoStream, KeyReused."""

        async def make(tx: Transaction, key: StreamKey) -> Stream:
            if not await tx.streams.set_key(stream_id, key.digest, hint(key)):
                raise NoStream("There is no such stream.")
            return await _existing(tx, stream_id)

        stream, key = await self._once(idempotency_key, digest_of("reset_key", stream_id), make)
        _reset({"stream": stream_id}, level=logging.INFO)
        return stream, key

    async def get(self, stream_id: StreamId) -> Stream:
        """One stream. Raises NoStream."""
        async with self._database.read() as tx:
            return await _existing(tx, stream_id)

    async def newest(self, limit: int, before: tuple[int, str] | None) -> tuple[Sequence[Stream], bool]:
        """A page of at most `limit` streams, newest first, and whether there are more."""
        async with self._database.read() as tx:
            streams = await tx.streams.newest(limit + 1, before)
        return streams[:limit], len(streams) > limit

    async def delete(self, stream_id: StreamId) -> None:
        """Delete the stream and end its run; its playlists go on to their end. Raises NoStream."""
        async with self._database.write() as tx:
            stream = await _existing(tx, stream_id)
            await tx.streams.delete(stream_id, unix_ms())
        _deleted({"stream": stream_id}, level=logging.INFO)
        if stream.live is not None:
            try:
                await self._endings.end(stream.live.id)
            except LogError as error:
                _unended({"run": stream.live.id}, error=error)

    async def _once(self, idempotency_key: str | None, request: str, make: Make) -> tuple[Stream, StreamKey]:
        """Run `make` once for an Idempotency-Key; a repetition within 24 hours gets the first answer."""
        if idempotency_key is None:
            key = new_stream_key()
            async with self._database.write() as tx:
                return await make(tx, key), key
        try:
            return await self._once_named(idempotency_key, request, make)
        except Conflict:  # the same request was faster on another connection: its answer is there now
            return await self._once_named(idempotency_key, request, make)

    async def _once_named(self, idempotency_key: str, request: str, make: Make) -> tuple[Stream, StreamKey]:
        digest = digest_of("idempotency", idempotency_key)
        salt = new_salt()
        key = derive_stream_key(self._api_key, salt, idempotency_key)
        now_ms = unix_ms()
        async with self._database.write() as tx:
            await tx.streams.forget_replays(now_ms - REPLAY_MS)
            earlier = await tx.streams.replay(digest)
            if earlier is None:
                stream = await make(tx, key)
                await tx.streams.keep_replay(digest, Replay(request, stream.id, salt, key.digest), now_ms)
                return stream, key
            return await self._again(tx, earlier, request, idempotency_key)

    async def _again(
        self, tx: Transaction, earlier: Replay, request: str, idempotency_key: str
    ) -> tuple[Stream, StreamKey]:
        if earlier.request_digest != request:
            raise KeyReused("This Idempotency-Key was used with another request.")
        key = derive_stream_key(self._api_key, earlier.salt, idempotency_key)
        stream = await tx.streams.get(earlier.stream)
        if stream is None or key.digest != earlier.stream_key_digest:
            raise KeyReused("The answer to this Idempotency-Key cannot be given again.")
        return replace(stream, key_hint=hint(key)), key


async def _existing(tx: Transaction, stream_id: StreamId) -> Stream:
    stream = await tx.streams.get(stream_id)
    if stream is None:
        raise NoStream("There is no such stream.")
    return stream
