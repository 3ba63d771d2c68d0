"""`/v1/streams`: the REST API.

Law: a skin over `registry`; what it decides is status codes and JSON.
"""

import base64
import binascii
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from headrace.control.http.problems import responses
from headrace.control.http.schemas import KEEPABLE, StreamJson, StreamPage, StreamRequest, StreamWithKey
from headrace.control.http.security import Guard
from headrace.control.registry import Registry
from headrace.control.settings import ControlSettings
from headrace.core.broadcast import Profile, StreamId
from headrace.core.errors import HeadraceError

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
MAX_MS = (1 << 63) - 1  # databases hold no larger integer
_NOT_OURS = "Use the `next_cursor` of the page before."

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        description="Any unique text, such as a UUID. The same request sent again with it within 24 hours changes "
        "nothing and gets the same stream and stream key; another request with it is refused with 409.",
    ),
]
Id = Annotated[str, Path(description="The stream's id.", max_length=32, pattern=KEEPABLE)]


class BadCursor(HeadraceError):
    """The cursor is not one that a page named."""

    code = "bad_cursor"


def streams_router(settings: ControlSettings, registry: Registry, guard: Guard) -> APIRouter:
    """The routes."""
    common = responses(HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.SERVICE_UNAVAILABLE)
    invalid = responses(HTTPStatus.UNPROCESSABLE_ENTITY)
    missing = responses(HTTPStatus.NOT_FOUND)
    reused = responses(HTTPStatus.CONFLICT)
    router = APIRouter(prefix="/v1/streams", tags=["streams"], dependencies=[Depends(guard)], responses=common)

    @router.post(
        "",
        status_code=HTTPStatus.CREATED,
        operation_id="createStream",
        summary="Make a stream",
        responses={**invalid, **reused, **responses(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)},
    )
    async def create(body: StreamRequest, response: Response, idempotency_key: IdempotencyKey = None) -> StreamWithKey:
        """The answer holds the stream key, this once. An encoder may publish at once."""
        profile = Profile.parse(body.profile)
        stream, key = await registry.create(body.name, body.profile, profile, idempotency_key)
        response.headers["Location"] = f"/v1/streams/{stream.id}"
        return StreamWithKey.with_key(stream, key, settings)

    @router.get("", operation_id="listStreams", summary="List streams", responses=invalid)
    async def page(
        cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.", max_length=200)] = None,
        limit: Annotated[int, Query(description="Most streams on a page.", ge=1, le=MAX_LIMIT)] = DEFAULT_LIMIT,
    ) -> StreamPage:
        """Newest first, a page at a time."""
        streams, more = await registry.newest(limit, _position(cursor) if cursor else None)
        next_cursor = _cursor(streams[-1].created_ms, streams[-1].id) if more else None
        return StreamPage(streams=[StreamJson.of(one, settings) for one in streams], next_cursor=next_cursor)

    @router.get("/{stream_id}", operation_id="getStream", summary="Look at a stream", responses={**missing, **invalid})
    async def get(stream_id: Id) -> StreamJson:
        """Its state is that of this moment."""
        return StreamJson.of(await registry.get(StreamId(stream_id)), settings)

    @router.delete(
        "/{stream_id}",
        status_code=HTTPStatus.NO_CONTENT,
        response_class=Response,
        operation_id="deleteStream",
        summary="Delete a stream",
        responses={**missing, **invalid},
    )
    async def delete(stream_id: Id) -> None:
        """Its key is no longer valid, and a run that is live ends: players see the end of the broadcast."""
        await registry.delete(StreamId(stream_id))

    @router.post(
        "/{stream_id}/key",
        operation_id="resetStreamKey",
        summary="Make a new stream key",
        responses={**missing, **invalid, **reused},
    )
    async def reset_key(stream_id: Id, idempotency_key: IdempotencyKey = None) -> StreamWithKey:
        """The answer holds the new key, this once. The old one is no longer valid; who publishes with it goes on."""
        stream, key = await registry.reset_key(StreamId(stream_id), idempotency_key)
        return StreamWithKey.with_key(stream, key, settings)

    return router


def _cursor(created_ms: int, stream_id: str) -> str:
    return base64.urlsafe_b64encode(f"{created_ms}.{stream_id}".encode()).decode().rstrip("=")


def _position(cursor: str) -> tuple[int, str]:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
        created, _, stream_id = text.partition(".")
        created_ms = int(created)
    except (binascii.Error, ValueError) as error:
        raise BadCursor(_NOT_OURS) from error
    if not 0 <= created_ms <= MAX_MS or "\0" in stream_id:
        raise BadCursor(_NOT_OURS)
    return created_ms, stream_id
