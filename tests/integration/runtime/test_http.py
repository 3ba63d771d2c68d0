"""Clients of the HTTP port that are slow, silent, rude or too many."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from prometheus_client import REGISTRY

from headrace.runtime import http
from headrace.runtime.direct import Answer, Direct, Later, head
from headrace.runtime.http import MAX_HEAD_BYTES, Limits, serve_http
from headrace.runtime.lifecycle import listen_tcp

GET = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
SHORT = Limits(request_s=0.3, idle_s=1.0, stall_s=0.6, connections=100)
LARGE = 32 << 20  # more than the kernel keeps for a client that does not read

Connect = Callable[[], Any]


async def app(scope: Any, receive: Any, send: Any) -> None:
    """`/large` answers a lot, `/slow` late, everything else at once; bodies are read."""
    while (message := await receive())["type"] == "http.request" and message["more_body"]:
        pass
    if scope["path"] == "/slow":
        await asyncio.sleep(1.6)
    body = bytes(LARGE) if scope["path"] == "/large" else b"ok"
    length = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": length})
    await send({"type": "http.response.body", "body": body})


class Directly:
    """The same by the shorter way; what it has answered is counted. `/asgi` has no other face.

    `shared`: all answers are futures'; `given` has them.
    """

    def __init__(self) -> None:
        self.answered = 0
        self.shared = False
        self.given: list[asyncio.Future[Answer]] = []

    def direct(self, scope: Any) -> Direct:
        found = self._found(scope)
        if not self.shared or found is None:
            return found
        self.given.append(asyncio.ensure_future(awaited(found)))
        return self.given[-1]

    def _found(self, scope: Any) -> Answer | Later | None:
        if scope["path"] == "/asgi":
            return None
        if scope["path"] == "/broken":
            return self._broken
        self.answered += 1
        body = bytes(LARGE) if scope["path"] == "/large" else b"ok"
        answer = Answer(head(200, ((b"content-length", str(len(body)).encode()),)), body)
        if scope["path"] != "/slow":
            return answer

        async def later() -> Answer:
            await asyncio.sleep(1.6)
            return answer

        return later

    async def _broken(self) -> Answer:
        raise ValueError("on purpose")

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await app(scope, receive, send)


async def awaited(found: Answer | Later) -> Answer:
    return found if isinstance(found, Answer) else await found()


@asynccontextmanager
async def serving(limits: Limits, app: Any = app) -> AsyncIterator[Connect]:
    sock = listen_tcp("127.0.0.1", 0, "HTTP")
    port = sock.getsockname()[1]
    opened: list[asyncio.StreamWriter] = []

    async def connect() -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        opened.append(writer)
        return reader, writer

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        task = group.create_task(serve_http(app, sock, limits))
        try:
            yield connect
        finally:
            for writer in opened:
                writer.close()
            task.cancel()


@pytest.fixture
def directly() -> Directly:
    return Directly()


@pytest.fixture(params=["asgi", "direct", "shared"])
async def connect(
    request: pytest.FixtureRequest, directly: Directly, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Connect]:
    monkeypatch.setattr(http, "LOOK_S", 0.05)
    directly.shared = request.param == "shared"
    async with serving(SHORT, app if request.param == "asgi" else directly) as made:
        yield made


def by(*ways: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("connect", ways, indirect=True)


async def closed_after_s(reader: asyncio.StreamReader) -> float:
    """When the other side closes; what it sends before is thrown away."""
    began_s = asyncio.get_running_loop().time()
    try:
        while await reader.read(1 << 20):
            pass
    except ConnectionResetError:
        pass
    return asyncio.get_running_loop().time() - began_s


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HTTP/1.1\r\nHost: x\r\nA: ", b"POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\nx"]
)
async def test_a_connection_that_asks_nothing_whole_is_closed(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    writer.write(sent)
    assert 0.2 < await closed_after_s(reader) < 5


@pytest.mark.parametrize("sent", [b"", b"GET / HT"])
async def test_a_connection_is_kept_for_the_next_request_and_not_for_ever(connect: Connect, sent: bytes) -> None:
    reader, writer = await connect()
    for _ in range(3):
        writer.write(GET)
        assert b"200 OK" in await reader.readuntil(b"ok")
        await asyncio.sleep(0.5)
    writer.write(sent)
    assert 0.3 < await closed_after_s(reader) < 5


async def test_a_request_that_is_answered_late_is_answered(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(GET.replace(b"/ ", b"/slow "))
    assert b"200 OK" in await reader.readuntil(b"ok")


async def test_pipelined_requests_are_answered(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(GET.replace(b"/ ", b"/slow ") + GET)
    for _ in range(2):
        assert b"200 OK" in await reader.readuntil(b"ok")


@by("direct", "shared")
async def test_a_whole_answer_has_a_date_and_leaves_the_connection_open(connect: Connect) -> None:
    reader, writer = await connect()
    for path in (b"/", b"/slow", b"/asgi"):
        writer.write(GET.replace(b"/", path, 1))
        answer = await reader.readuntil(b"\r\n\r\nok")
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.count(b"\r\ndate: ") == answer.count(b"\r\ncontent-length: 2\r\n") == 1
        assert b"connection:" not in answer


@by("direct", "shared")
@pytest.mark.parametrize("path", [b"/", b"/slow"])
@pytest.mark.parametrize("asked", [b"GET %s HTTP/1.0\r\n\r\n", b"GET %s HTTP/1.1\r\nConnection: close\r\n\r\n"])
async def test_a_whole_answer_is_the_last_where_the_client_wants_it(
    connect: Connect, path: bytes, asked: bytes
) -> None:
    reader, writer = await connect()
    writer.write(asked % path)
    answer = await reader.read()
    assert b"\r\nconnection: close\r\n" in answer
    assert answer.endswith(b"\r\n\r\nok")


@by("direct")
async def test_what_fails_while_it_is_waited_for_is_500(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(GET.replace(b"/", b"/broken", 1))
    assert b"500 Internal Server Error" in await reader.read()


@by("shared")
async def test_where_an_answer_will_not_come_the_connection_is_closed(connect: Connect, directly: Directly) -> None:
    reader, writer = await connect()
    writer.write(GET.replace(b"/", b"/slow", 1))
    await asked(directly)
    directly.given[0].cancel()
    async with asyncio.timeout(5):
        assert await reader.read() == b""


@by("shared")
async def test_who_hangs_up_is_written_nothing_and_waits_no_longer(
    connect: Connect, directly: Directly, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Answer] = []
    monkeypatch.setattr(http._Connection, "_write", lambda self, cycle, answer: written.append(answer))
    _, writer = await connect()
    writer.write(GET.replace(b"/", b"/slow", 1))
    await asked(directly)
    writer.transport.abort()
    await asyncio.wait(directly.given, timeout=5)
    await asyncio.sleep(0)
    assert directly.given[0].cancelled()
    assert written == []


async def asked(directly: Directly) -> None:
    async with asyncio.timeout(5):
        while not directly.given:  # noqa: ASYNC110  # it comes over a socket
            await asyncio.sleep(0.01)


async def test_what_waits_behind_a_slow_one_is_answered_in_order_however_much(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(GET.replace(b"/", b"/slow", 1) + 1500 * GET + GET.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert (await reader.read()).count(b"200 OK") == 1502


@by("direct", "shared")
async def test_a_client_that_asks_much_and_reads_nothing_is_answered_no_further(
    connect: Connect, directly: Directly
) -> None:
    _, writer = await connect()
    writer.write(100 * GET.replace(b"/", b"/large", 1))
    await asyncio.sleep(0.3)
    assert 1 <= directly.answered <= 2


async def test_a_connection_that_is_over_is_not_left_to_the_garbage_collector(connect: Connect) -> None:
    gc.collect()
    gc.disable()
    try:
        reader, writer = await connect()
        writer.write(GET)
        await reader.readuntil(b"ok")
        writer.close()
        for _ in range(40):
            await asyncio.sleep(0.05)
            left = sum(isinstance(each, http._Connection) for each in gc.get_objects())
            if not left:
                break
        assert left == 0
    finally:
        gc.enable()


async def test_a_client_that_does_not_read_is_cut_and_a_slow_one_is_not(connect: Connect) -> None:
    (_, silent), (slow, writer) = await connect(), await connect()
    for one in (silent, writer):
        one.write(GET.replace(b"/ ", b"/large "))
    got = 0
    while got < LARGE:
        got += len(await slow.read(1 << 20))
        await asyncio.sleep(0.05)  # longer in all than a stall may be
    await asyncio.sleep(0.2)
    assert silent.transport.is_closing() or await reset(silent)


async def reset(writer: asyncio.StreamWriter) -> bool:
    """Whether the other side has cut the connection, as a further write shows."""
    for _ in range(20):
        writer.write(b"x")
        await asyncio.sleep(0.05)
        if writer.transport.is_closing():
            return True
    return False


async def test_headers_without_an_end_are_refused(connect: Connect) -> None:
    reader, writer = await connect()
    writer.write(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * (MAX_HEAD_BYTES // 6 + 1))
    assert b"400 Bad Request" in await reader.readline()


async def test_a_long_body_is_no_long_header(connect: Connect) -> None:
    reader, writer = await connect()
    size = 4 * MAX_HEAD_BYTES
    writer.write(b"POST / HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % size + bytes(size) + GET)
    for _ in range(2):
        assert b"200 OK" in await reader.readuntil(b"ok")


async def test_beyond_the_limit_there_is_503_and_further_beyond_nothing() -> None:
    async with serving(Limits(connections=8)) as connect:
        first = [await connect() for _ in range(7)]
        for reader, writer in first:
            writer.write(GET)
            assert b"200 OK" in await reader.readuntil(b"ok")
        beyond = [await connect() for _ in range(3)]
        for reader, writer in beyond:
            writer.write(GET)
            assert b"503" in await reader.readline()
        await asyncio.sleep(0.1)
        open_ones = [await connect() for _ in range(3)]
        reader, _ = await connect()
        assert await reader.read() == b""
        assert len(open_ones) == 3


async def test_connections_and_requests_that_are_answered_are_told_beside_how_many_there_may_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http, "LOOK_S", 0.01)
    released = asyncio.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        await released.wait()
        await app(scope, receive, send)

    async def told(**expected: float) -> None:
        async with asyncio.timeout(5):
            while any(REGISTRY.get_sample_value(f"headrace_http_{name}") != value for name, value in expected.items()):  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async with serving(Limits(connections=50), waits) as connect:
        await told(limit_connections=50, connections=0, open_requests=0)
        busy = [await connect() for _ in range(3)]
        for _, writer in busy[:2]:
            writer.write(GET)
        await told(connections=3, open_requests=2)
        released.set()
        for reader, _ in busy[:2]:
            assert b"200 OK" in await reader.readuntil(b"ok")
        await told(connections=3, open_requests=0)
