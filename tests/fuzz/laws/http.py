"""The origin's HTTP port: bytes on a connection, through the real server's parser, to the real origin.

Law: whatever is asked is answered or waited for, the same the short way and by ASGI; nothing is ever 500, no line of a
playlist comes from the question, and who hangs up leaves nothing waiting (by the short way: ASGI's waits end with
their time).
"""

import asyncio
import atexit
from collections.abc import Iterable
from functools import cache
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from headrace.core.broadcast import RunId, StreamId
from headrace.livelog.base import LiveLog
from headrace.origin import looking
from headrace.origin.http import OriginApp
from headrace.origin.paths import parse
from headrace.origin.service import Service, build
from headrace.origin.settings import OriginSettings
from headrace.runtime.http import _Connection
from headrace.runtime.probes import Receive, Scope, Send
from tests.fuzz.judge import Shape
from tests.support.runs import PlaybackLog, parts_of, plan_of, whole_run

QUIET_TURNS = 60  # of the loop, after which what is not answered waits for something
PATHS = (
    b"/live/s1/index.m3u8",
    b"/live/s1/r1/index.m3u8",
    b"/live/s1/r1/1080p/index.m3u8",
    b"/live/s1/r1/audio/index.m3u8",
    b"/live/s1/r2/1080p/index.m3u8",
    b"/live/s1/r1/1080p/2.0-e1.m4s",
    b"/live/s1/r1/1080p/3.3-e1.m4s",
    b"/live/s1/r9/audio/index.m3u8",
)
_ODD = bytes((0x23, 0x7F, *range(0x21)))  # what ends a query or a request line
_PLAIN = bytes.maketrans(_ODD, b"_" * len(_ODD))


class _Asgi:
    """The origin without its short way."""

    def __init__(self, app: OriginApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


class _Wire(asyncio.Transport):
    """A client that reads all that it is sent."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = bytearray()
        self.closed = False

    def write(self, data: Any) -> None:
        assert not self.closed, "written to after the end"
        self.sent += data

    def writelines(self, list_of_data: Iterable[Any]) -> None:
        self.write(b"".join(list_of_data))

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return ("192.0.2.1", 1) if name in ("peername", "sockname") else default

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        raise AssertionError("another protocol")


class _World:
    """An origin with a run that is live, in the middle of a segment, and one that is over."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        looking.EVERY_S = 0.0  # or one way would wait for the other
        plan, log = plan_of(), PlaybackLog()
        self.loop.run_until_complete(log.append("r1", *whole_run(plan, 3)))
        for rung in plan.rung_names:
            self.loop.run_until_complete(log.append("r1", *parts_of(plan, rung, 3, count=3)))
        self.loop.run_until_complete(log.append("r2", *whole_run(plan, 8, ended=True)))
        log.newest[StreamId("s1")] = RunId("r1")
        self.origin: Service = build(OriginSettings(origin_idle_s=1e9), log=cast(LiveLog, log))
        self.running = self.loop.create_task(self.origin.run())
        atexit.register(self.close)
        self.faces = [self._config(app) for app in (self.origin.http_app, _Asgi(self.origin.http_app))]
        for path in PATHS:
            self.ask(self.faces[0], b"GET " + path + b" HTTP/1.1\r\n\r\n")

    def close(self) -> None:
        """Stop the origin."""
        self.origin.stop()
        self.loop.run_until_complete(self.running)
        self.loop.close()

    @staticmethod
    def _config(app: Any) -> uvicorn.Config:
        config = uvicorn.Config(
            app, ws="none", log_config=None, access_log=False, server_header=False, date_header=False, lifespan="off"
        )
        config.load()
        return config

    def ask(self, face: uvicorn.Config, data: bytes) -> bytes:
        """What a client hears that sends `data`, and hangs up once nothing more comes."""
        return self.loop.run_until_complete(self._ask(face, data))

    async def _ask(self, face: uvicorn.Config, data: bytes) -> bytes:
        state, wire = ServerState(), _Wire()
        connection = _Connection(face, state, {}, self.loop)
        connection.connection_made(wire)
        half = len(data) // 2
        for piece in (data[:half], data[half:]):
            if piece and not wire.closed:
                connection.data_received(piece)
        quiet = 0
        while quiet < (QUIET_TURNS if state.tasks else 5):
            heard = len(wire.sent)
            await asyncio.sleep(0)
            quiet = quiet + 1 if heard == len(wire.sent) else 0
        connection.connection_lost(None)
        for _ in range(10):
            await asyncio.sleep(0)
        left = [task for task in state.tasks if not task.done()]
        for task in left:
            task.cancel()
        assert face is not self.faces[0] or not left, "a request goes on without its client"
        return bytes(wire.sent)


@cache
def _world() -> _World:
    return _World()


def http(data: bytes) -> None:
    """Anything at all on the connection."""
    world = _world()
    short, long = (world.ask(face, data) for face in world.faces)
    # No two pages of metrics are the same; and garbage overtakes the answers that ASGI has only begun to make.
    if not any(word in short for word in (b"openmetrics", b"text/plain; version=", b"Invalid HTTP request")):
        assert short == long, f"the short way says {short[:300]!r}, ASGI says {long[:300]!r}"
    for answer in _answers(short):
        status = answer[9:12]
        assert status.isdigit(), f"no status: {answer[:100]!r}"
        assert status != b"500", f"a bug: {answer[:300]!r}"
        if b"mpegurl" in answer:
            _check_playlist(answer)


def query(data: bytes) -> None:
    """A query of a playlist or a part; the first byte says of which, and how it is asked."""
    choice, said = data[0] if data else 0, data[1:].translate(_PLAIN)
    head = (b"GET", b"GET", b"HEAD", b"OPTIONS")[choice >> 3 & 3] + b" " + PATHS[choice & 7] + b"?" + said
    http(head + b" HTTP/1.1\r\nhost: h\r\n\r\n")


def header(data: bytes) -> None:
    """The headers that matter: the first byte says which, and of what resource."""
    choice, said = data[0] if data else 0, data[1:].translate(_PLAIN)
    name = (b"range", b"if-none-match", b"accept-encoding", b"if-range")[choice >> 3 & 3]
    more = b"range: bytes=0-1\r\n" if name == b"if-range" else b""
    http(b"GET " + PATHS[choice & 7] + b" HTTP/1.1\r\n" + more + name + b": " + said + b"\r\n\r\n")


def path(data: bytes) -> None:
    """A path below the root: what it names is named by nothing else."""
    text = data.decode("latin-1")
    if (named := parse(text)) is not None:
        assert text.isascii(), "a name that is no plain ASCII"
        assert ".." not in text.split("/"), "a path that climbs"
        assert parse(text) == named, "another time another thing"
    http(b"GET /" + data.translate(_PLAIN) + b" HTTP/1.1\r\n\r\n")


def _answers(sent: bytes) -> list[bytes]:
    return [b"HTTP/1.1 " + each for each in sent.split(b"HTTP/1.1 ")[1:]]


def _check_playlist(answer: bytes) -> None:
    head, _, body = answer.partition(b"\r\n\r\n")
    if b"content-encoding: gzip" in head or not body:
        return
    for line in body.decode().splitlines():
        assert line.isprintable(), f"a line that cannot be printed: {line!r}"
        assert line.startswith("#EXT") or line.endswith(("m3u8", "m4s", "mp4")) or "?" in line, f"a line: {line!r}"
        assert line.count('"') % 2 == 0, f"a quoted string that does not end: {line!r}"


QUERY_SHAPES = (
    Shape(b"\x02", b"_HLS_msn=1&"),
    Shape(b"\x02_HLS_msn=", b"1"),
    Shape(b"\x02", b"&"),
    Shape(b"\x02", b"a=%"),
    Shape(b"\x04", b'"'),
    Shape(b"\x04", b"\xff"),
)
HTTP_SHAPES = (
    Shape(b"GET ", b"/"),
    Shape(b"GET /live/s1/r1/audio/index.m3u8 HTTP/1.1\r\n", b"range: bytes=0-1\r\n"),
    Shape(b"GET / HTTP/1.1\r\n", b"a: b\r\n"),
    Shape(b"", b"GET /live/s1/r1/audio/index.m3u8 HTTP/1.1\r\n\r\n"),
    Shape(b"", b"\r\n"),
    Shape(b"POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
)
HEADER_SHAPES = (
    Shape(b"\x05bytes=0-1", b",0-1"),
    Shape(b"\x05bytes=", b"9"),
    Shape(b"\x0d", b'W/"a",'),
    Shape(b"\x12", b"gzip;q=0,"),
)
