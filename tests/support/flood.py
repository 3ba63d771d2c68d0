"""Encoders that send faster than life: a session's media packed once, the same bytes to every stream, a thread each.

Until `go` is set they send at a few times life's pace, as encoders that start together; then as fast as they are read.
"""

import os
import threading
from itertools import takewhile
from pathlib import Path

from headrace.core import flv, rtmp
from headrace.publisher.sources.file import FileSource
from tests.support.publishers_raw import RawPublisher
from tests.support.stack import Stream

START_PACE = 3.0
SLICE_BYTES = 32 << 10
PATIENCE_S = 60.0  # a server with twenty of these reads each of them seldom


def packed(file: Path, seconds: int) -> bytes:
    """What an encoder sends from its publish's start to before its end: `file` again and again, as RTMP."""
    source = FileSource(file, loop=True)
    client = _publishing()
    client.send_metadata(0, dict(flv.metadata_values(source.description.metadata)))
    client.send_video(0, flv.encode_video(flv.VideoConfig(source.description.avc)))
    client.send_audio(0, flv.encode_audio(flv.AudioConfig(source.description.aac)))
    for item in takewhile(lambda item: item.dts_ms < 1000 * seconds, source.items()):
        if item.video:
            video = flv.VideoData(item.keyframe, item.pts_ms - item.dts_ms, item.data)
            client.send_video(item.dts_ms, flv.encode_video(video))
        else:
            client.send_audio(item.dts_ms, flv.encode_audio(flv.AudioData(item.data)))
    return client.data_to_send()


class Encoder(threading.Thread):
    """Publishes `media`, which is `seconds` long, and ends once it may `leave`, which must be within seconds.

    `sent` counts its bytes; `error` is what went wrong.
    """

    def __init__(self, stream: Stream, media: bytes, seconds: int, go: threading.Event, leave: threading.Event) -> None:
        super().__init__(daemon=True)
        self.sent = 0
        self.error: Exception | None = None
        self._stream = stream
        self._media = media
        self._slice_s = SLICE_BYTES * seconds / len(media)
        self._go = go
        self._leave = leave
        self.start()

    def run(self) -> None:
        """The whole publish."""
        try:
            with RawPublisher(self._stream.publish_url, "live", self._stream.key, PATIENCE_S) as publisher:
                while not isinstance(event := publisher.answer(), rtmp.PublishStarted):
                    assert isinstance(event, rtmp.Connected), event
                self._send(publisher)
                self._leave.wait(PATIENCE_S)
                publisher.client.end()
                publisher.flush()
                publisher.end_sending()
                publisher.closed_after(PATIENCE_S)
        except (AssertionError, OSError) as error:
            self.error = error

    def _send(self, publisher: RawPublisher) -> None:
        media = memoryview(self._media)
        for start in range(0, len(media), SLICE_BYTES):
            self._go.wait(self._slice_s / START_PACE)
            publisher.send(media[start : start + SLICE_BYTES])
            self.sent = min(start + SLICE_BYTES, len(media))


def _publishing() -> rtmp.ClientConnection:
    """A client that may send media, by a dialogue with a server in memory: what it says next suits every server."""
    client = rtmp.ClientConnection(random=os.urandom(rtmp.RANDOM_BYTES))
    server = rtmp.ServerConnection(random=os.urandom(rtmp.RANDOM_BYTES))
    client.connect("live", "rtmp://localhost/live")
    client.publish("key")
    while True:
        server.receive_data(client.data_to_send(), 0)
        while (asked := server.next_event()) is not None:
            if isinstance(asked, rtmp.ConnectRequested | rtmp.PublishRequested):
                server.accept(asked.id)
        client.receive_data(server.data_to_send(), 0)
        while (answered := client.next_event()) is not None:
            if isinstance(answered, rtmp.PublishStarted):
                client.data_to_send()
                return client
