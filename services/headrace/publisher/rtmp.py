"""Publishes a source over RTMP: the socket and the clock around `core.rtmp`'s client.

Law: a refusal is told in the server's own words; media leaves at its time, unless the server reads slower. Neighbours:
`media` says what a source is.
"""

import asyncio
import os
import socket
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from headrace.core import flv, rtmp
from headrace.core.errors import HeadraceError, RemoteProtocolError
from headrace.publisher.media import Description, Item, MediaSource
from headrace.runtime.aio.clock import monotonic_ms
from headrace.runtime.aio.tasks import task_group

CONNECT_S = 10.0
ANSWER_S = 15.0
SEND_S = 60.0  # a server that reads nothing for so long is gone
BATCH_MS = 100  # media is asked of the source in steps of this length
READ_BYTES = 65_536


class PublishError(HeadraceError):
    """The publish could not begin or go on; the message says why."""

    code = "publish_failed"


async def publish(
    url: str,
    source: MediaSource,
    *,
    on_progress: Callable[[int, int], None] = lambda media_ms, sent_bytes: None,
) -> None:
    """Publish `source` to `rtmp://host[:port]/app/key`, to its end. Raises PublishError.

    `on_progress(media_ms, sent_bytes)` is called about ten times a second of media.
    """
    host, port, app, key = _parse(url)
    try:
        async with asyncio.timeout(CONNECT_S):
            reader, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        raise PublishError(f"cannot reach {host}:{port}: {error or 'no answer'}") from error
    writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client = _Client(reader, writer)
    try:
        await client.start(app, f"rtmp://{host}:{port}/{app}", key)
        await client.send(source, on_progress)
    except (OSError, RemoteProtocolError) as error:
        raise PublishError(f"the connection to {host}:{port} broke: {error}") from error
    finally:
        writer.close()


class _Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._rtmp = rtmp.ClientConnection(random=os.urandom(rtmp.RANDOM_BYTES))
        self._started = asyncio.Event()
        self._ended = False
        self._closed = asyncio.Event()

    async def start(self, app: str, tc_url: str, key: str) -> None:
        """Up to the server's permission to send."""
        self._rtmp.connect(app, tc_url)
        self._rtmp.publish(key)
        try:
            async with asyncio.timeout(ANSWER_S):
                await self._flush()
                while not self._started.is_set():
                    await self._read()
        except TimeoutError:
            raise PublishError(f"the server did not answer within {ANSWER_S:.0f} s") from None

    async def send(self, source: MediaSource, on_progress: Callable[[int, int], None]) -> None:
        """All of the media, then the end; what the server says meanwhile is heard."""
        async with task_group() as group:
            listening = group.create_task(self._listen())
            await self._send_all(source, on_progress)
            listening.cancel()

    async def _send_all(self, source: MediaSource, on_progress: Callable[[int, int], None]) -> None:
        self._describe(source.description)
        items = source.items()
        start_ms, sent_bytes, until_ms = monotonic_ms(), 0, 0
        batch = await asyncio.to_thread(_take, items, until_ms)
        while batch:
            for item in batch:
                if (early_ms := start_ms + item.dts_ms - monotonic_ms()) > 0:
                    await self._flush()
                    await asyncio.sleep(early_ms / 1000)
                self._send_item(item)
                sent_bytes += len(item.data)
            await self._flush()
            on_progress(batch[-1].dts_ms, sent_bytes)
            until_ms = batch[-1].dts_ms + BATCH_MS
            batch = await asyncio.to_thread(_take, items, until_ms)
        self._rtmp.end()
        await self._flush()
        self._ended = True
        self._writer.write_eof()
        # The server closes once it has read everything, which may take as long as it takes to process it.
        async with asyncio.timeout(SEND_S):
            await self._closed.wait()

    def _describe(self, description: Description) -> None:
        self._rtmp.send_metadata(0, dict(flv.metadata_values(description.metadata)))
        if description.avc:
            self._rtmp.send_video(0, flv.encode_video(flv.VideoConfig(description.avc)))
        if description.aac:
            self._rtmp.send_audio(0, flv.encode_audio(flv.AudioConfig(description.aac)))

    def _send_item(self, item: Item) -> None:
        if item.video:
            event = flv.VideoData(item.keyframe, item.pts_ms - item.dts_ms, item.data)
            self._rtmp.send_video(item.dts_ms, flv.encode_video(event))
        else:
            self._rtmp.send_audio(item.dts_ms, flv.encode_audio(flv.AudioData(item.data)))

    async def _listen(self) -> None:
        while not self._closed.is_set():
            await self._read()

    async def _read(self) -> None:
        data = await self._reader.read(READ_BYTES)
        if not data:
            if not self._ended:
                raise PublishError("the server closed the connection")
            self._closed.set()
            return
        self._rtmp.receive_data(data, monotonic_ms())
        while (event := self._rtmp.next_event()) is not None:
            match event:
                case rtmp.PublishStarted():
                    self._started.set()
                case rtmp.PublishRefused(code, description):
                    raise PublishError(f"the server refused: {description or code} ({code})")
        await self._flush()

    async def _flush(self) -> None:
        self._writer.write(self._rtmp.data_to_send())
        try:
            async with asyncio.timeout(SEND_S):
                await self._writer.drain()
        except TimeoutError:
            raise PublishError(f"the server read nothing for {SEND_S:.0f} s") from None


def _take(items: Iterator[Item], until_ms: int) -> list[Item]:
    """The next items up to the first at or after `until_ms`."""
    taken: list[Item] = []
    for item in items:
        taken.append(item)
        if item.dts_ms >= until_ms:
            break
    return taken


def _parse(url: str) -> tuple[str, int, str, str]:
    parts = urlsplit(url)
    app, _, key = parts.path.strip("/").rpartition("/")
    if parts.scheme != "rtmp" or not parts.hostname or not app or not key:
        raise PublishError("the address must look like rtmp://host[:port]/app/key")
    if parts.query:
        key += "?" + parts.query
    return parts.hostname, parts.port or 1935, app, key
