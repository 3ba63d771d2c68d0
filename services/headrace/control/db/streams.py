"""Rows of streams, and of requests that may be repeated.

Law: one statement per question; a deleted stream is gone for every reader and stays as a row for its runs' sake.
"""

import json
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import ARRAY, Row, Select, Text, any_, bindparam, delete, exists, func, insert, select, tuple_, update

from headrace.control.db.connection import Connection
from headrace.control.db.live import LIVE_COLUMNS, live_run_of, with_newest_session
from headrace.control.db.tables import TENANT, replays, runs, streams
from headrace.control.model import LiveRun, Replay, RunState, Stream
from headrace.core.broadcast import Profile, StreamId, StreamKey


class Streams:
    """Repository of streams."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def add(self, stream: Stream, key_digest: str) -> None:
        """A new stream. Raises Conflict (through the transaction) where the key is in use."""
        await self._connection.execute(
            insert(streams).values(
                id=stream.id,
                tenant_id=TENANT,
                name=stream.name,
                profile=json.dumps(stream.profile_given),
                key_digest=key_digest,
                key_hint=stream.key_hint,
                created_ms=stream.created_ms,
            )
        )

    async def get(self, stream: StreamId) -> Stream | None:
        """The stream and its live run, unless deleted."""
        row = (await self._connection.execute(_BY_ID, {"stream": stream})).first()
        return _with_run(row) if row else None

    async def by_keys(self, keys: Sequence[StreamKey]) -> Sequence[Stream | None]:
        """For each key the stream that it publishes to."""
        query = _BY_KEYS if self._connection.dialect.name == "postgresql" else _BY_KEYS_LISTED
        rows = await self._connection.execute(query, {"digests": [key.digest for key in keys]})
        found = {row.key_digest: row for row in rows}
        busy = await self._some([row.id for row in found.values() if row.has_run])
        streams_of = {
            digest: busy.get(row.id) if row.has_run else _stream_of(row, None) for digest, row in found.items()
        }
        return [streams_of.get(key.digest) for key in keys]

    async def _some(self, ids: Sequence[str]) -> dict[str, Stream]:
        if not ids:
            return {}
        query = _BY_IDS if self._connection.dialect.name == "postgresql" else _BY_IDS_LISTED
        return {row.id: _with_run(row) for row in await self._connection.execute(query, {"ids": list(ids)})}

    async def newest(self, limit: int, before: tuple[int, str] | None) -> Sequence[Stream]:
        """At most `limit` streams, newest first, those after the position (created_ms, id) of an earlier page."""
        query = _alive().order_by(streams.c.created_ms.desc(), streams.c.id.desc()).limit(limit)
        if before is not None:
            query = query.where(tuple_(streams.c.created_ms, streams.c.id) < before)
        return [_with_run(row) for row in await self._connection.execute(query)]

    async def count(self) -> int:
        """How many streams there are."""
        query = select(func.count()).select_from(streams).where(streams.c.deleted_ms.is_(None))
        number: int = (await self._connection.execute(query)).scalar_one()
        return number

    async def delete(self, stream: StreamId, now_ms: int) -> bool:
        """Whether the stream was there and is gone now, its key with it."""
        done = await self._connection.execute(
            update(streams).where(streams.c.id == stream, streams.c.deleted_ms.is_(None)).values(deleted_ms=now_ms)
        )
        return done.rowcount == 1

    async def set_key(self, stream: StreamId, key_digest: str, key_hint: str) -> bool:
        """Whether the stream is there and has this key now."""
        done = await self._connection.execute(
            update(streams)
            .where(streams.c.id == stream, streams.c.deleted_ms.is_(None))
            .values(key_digest=key_digest, key_hint=key_hint)
        )
        return done.rowcount == 1

    async def replay(self, idempotency_digest: str) -> Replay | None:
        """What a request with this Idempotency-Key did."""
        query = select(replays).where(replays.c.key_digest == idempotency_digest)
        row = (await self._connection.execute(query)).first()
        return Replay(row.request_digest, row.stream_id, row.salt, row.stream_key_digest) if row else None

    async def keep_replay(self, idempotency_digest: str, replay: Replay, now_ms: int) -> None:
        """Keep what a repetition needs. Raises Conflict (through the transaction) where another request was faster."""
        await self._connection.execute(
            insert(replays).values(
                key_digest=idempotency_digest,
                tenant_id=TENANT,
                request_digest=replay.request_digest,
                stream_id=replay.stream,
                salt=replay.salt,
                stream_key_digest=replay.stream_key_digest,
                created_ms=now_ms,
            )
        )

    async def forget_replays(self, before_ms: int) -> None:
        """Delete what is older than `before_ms`, salts and all."""
        await self._connection.execute(delete(replays).where(replays.c.created_ms < before_ms))


def _known() -> Select[Any]:
    query = select(streams, *LIVE_COLUMNS).select_from(with_newest_session(streams, by_stream=True))
    return query.where(streams.c.deleted_ms.is_(None))


def _alive() -> Select[Any]:
    return _known().where(streams.c.tenant_id == TENANT)


_BY_ID = _alive().where(streams.c.id == bindparam("stream"))

# Most who publish find nobody there: what is cheap to ask, first. A key says whose stream it is: were the tenant asked
# for, too, PostgreSQL would go through all of his streams while it has not counted them.
_WITH_KEY = select(
    *(streams.c[name] for name in ("id", "key_digest", "name", "profile", "key_hint", "created_ms")),
    exists().where(runs.c.stream_id == streams.c.id, runs.c.state == RunState.LIVE).label("has_run"),
).where(streams.c.deleted_ms.is_(None))
_BY_KEYS = _WITH_KEY.where(streams.c.key_digest == any_(bindparam("digests", type_=ARRAY(Text))))
_BY_IDS = _known().where(streams.c.id == any_(bindparam("ids", type_=ARRAY(Text))))
_BY_IDS_LISTED = _known().where(streams.c.id.in_(bindparam("ids", expanding=True)))
_BY_KEYS_LISTED = _WITH_KEY.where(streams.c.key_digest.in_(bindparam("digests", expanding=True)))


@lru_cache(maxsize=256)  # streams have few
def parsed(profile: str) -> Profile:
    """A profile as it is kept."""
    return Profile.parse(json.loads(profile))


def _with_run(row: Row[Any]) -> Stream:
    return _stream_of(row, live_run_of(row) if row.live_id is not None else None)


def _stream_of(row: Row[Any], live: LiveRun | None) -> Stream:
    given = json.loads(row.profile)
    return Stream(
        id=row.id,
        name=row.name,
        profile=parsed(row.profile),
        profile_given=given,
        key_hint=row.key_hint,
        created_ms=row.created_ms,
        live=live,
    )
