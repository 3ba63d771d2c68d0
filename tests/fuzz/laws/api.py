"""Control's JSON API: whatever a client sends, its answer is what it asked for or a problem that says why not.

Law: an input is a request's choice of route, then its body, query or path. Nothing is 500, and what reaches the
database is text that every database can keep.
"""

import asyncio
import atexit
import json
from collections.abc import MutableMapping, Sequence
from functools import cache
from typing import Any, cast
from urllib.parse import quote

from pydantic import SecretStr

from headrace.control.auth import Auth
from headrace.control.fleet import Fleet
from headrace.control.http import create_app
from headrace.control.model import Stream
from headrace.control.pods import Pods
from headrace.control.registry import NoStream, Registry
from headrace.control.settings import ControlSettings
from headrace.core.broadcast import Profile, StreamId, StreamKey
from tests.fuzz.judge import Shape

API_KEY = "a key of the fuzzers"
PROBLEM = b"application/problem+json"


class _Registry:
    """Keeps nothing, and looks at what it is to keep."""

    async def create(
        self, name: str, profile_given: object, profile: Profile, idempotency_key: str | None
    ) -> tuple[Stream, StreamKey]:
        _can_be_kept(name, json.dumps(profile_given))
        assert 0 < len(name) <= 200, f"a name of {len(name)} characters"
        return Stream(StreamId("s"), name, profile, profile_given, "hint", 0), StreamKey("sk")

    async def reset_key(self, stream_id: StreamId, idempotency_key: str | None) -> tuple[Stream, StreamKey]:
        return await self.get(stream_id), StreamKey("sk")

    async def get(self, stream_id: StreamId) -> Stream:
        _can_be_kept(stream_id)
        raise NoStream("There is no such stream.")

    async def newest(self, limit: int, before: tuple[int, str] | None) -> tuple[Sequence[Stream], bool]:
        assert 0 < limit <= 200, f"{limit} streams"
        if before is not None:
            _can_be_kept(before[1])
            assert 0 <= before[0] < 1 << 63, "no such time"
        return [], False

    async def delete(self, stream_id: StreamId) -> None:
        await self.get(stream_id)


def _can_be_kept(*texts: str) -> None:
    for text in texts:
        text.encode()
        assert "\0" not in text, f"PostgreSQL keeps no {text!r}"


@cache
def _world() -> tuple[asyncio.AbstractEventLoop, Any]:
    settings = ControlSettings(database_url="sqlite+aiosqlite://", api_key=SecretStr(API_KEY))
    silent, fleet = Pods(3.0, lambda: 0.0, lambda: 0), Fleet(3.0, lambda: 0.0)
    app = create_app(settings, cast(Registry, _Registry()), Auth(API_KEY, lambda: 0.0), lambda: "", silent, fleet)
    loop = asyncio.new_event_loop()
    atexit.register(loop.close)
    return loop, app


def api(data: bytes) -> None:
    """One request."""
    choice, rest = data[0] if data else 0, data[1:]
    text = rest.decode("latin-1")
    match choice % 8:
        case 0 | 1:
            answer = _ask("POST", "/v1/streams", rest)
        case 2:
            answer = _ask("GET", "/v1/streams", b"", query=quote(rest, safe="&=%").encode())
        case 3:
            answer = _ask("GET", "/v1/streams", b"", query=b"cursor=" + quote(rest).encode())
        case 4:
            answer = _ask("GET", f"/v1/streams/{rest.decode(errors='replace')}", b"")
        case 5:
            answer = _ask("POST", f"/v1/streams/{rest.decode(errors='replace')}/key", b"", key=rest)
        case 6:
            answer = _ask("DELETE", f"/v1/streams/{text}", b"")
        case _:
            answer = _ask("POST", "/v1/streams", b'{"name": "x"}', key=rest)
    status, kind = answer
    assert status < 500, f"answered with {status}"
    assert status < 400 or kind == PROBLEM, f"{status} as {kind!r}"


def _ask(method: str, path: str, body: bytes, query: bytes = b"", key: bytes = b"") -> tuple[int, bytes]:
    loop, app = _world()
    headers = [(b"authorization", b"Bearer " + API_KEY.encode()), (b"content-type", b"application/json")]
    headers.append((b"content-length", str(len(body)).encode()))
    if key:
        headers.append((b"idempotency-key", key))
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": quote(path).encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": query,
        "headers": headers,
        "client": ("192.0.2.1", 1),
        "server": ("control", 80),
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    loop.run_until_complete(app(scope, receive, send))
    kinds = dict(sent[0]["headers"])
    return sent[0]["status"], kinds.get(b"content-type", b"")


SHAPES = (
    Shape(b"\x00", b"["),
    Shape(b"\x00", b'{"profile":'),
    Shape(b'\x00{"name": "', b"a", b'"}'),
    Shape(b'\x00{"name": "x", "profile": {"rungs": [', b'{"height": 90},', b"1]}}"),
    Shape(b'\x00{"name": ', b"9", b"}"),
    Shape(b"\x02", b"limit=1&"),
    Shape(b"\x03", b"OTk5"),
    Shape(b"\x04", b"a"),
)
