"""A client and a server core joined in memory, and a server brought to the point where media may come."""

from collections.abc import Callable, Iterable

from headrace.core import rtmp
from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._chunks import ChunkReader
from headrace.core.rtmp._commands import Command, command, read_command
from headrace.core.rtmp._messages import Message
from headrace.core.rtmp._writer import ChunkWriter
from headrace.core.rtmp.limits import MAX_MESSAGE_BYTES

RANDOM = bytes(range(256)) * 6
C0_C1_C2 = b"\x03" + bytes(1536) + bytes(1536)


class ConnectionPair:
    """Each side's bytes go to the other; each side's events are kept. `cut` splits what is fed."""

    def __init__(
        self,
        handshake: rtmp.HandshakeKind = rtmp.HandshakeKind.SIMPLE,
        cut: Callable[[bytes], Iterable[bytes]] = lambda data: [data],
        answer: bool = True,
    ) -> None:
        self.client = rtmp.ClientConnection(random=RANDOM, handshake=handshake)
        self.server = rtmp.ServerConnection(random=RANDOM[::-1])
        self.client_events: list[rtmp.ClientEvent] = []
        self.server_events: list[rtmp.ServerEvent] = []
        self.now_ms = 0
        self._cut = cut
        self._answer = answer

    def pump(self) -> None:
        """Exchange bytes until neither side has any; say yes to every question unless told otherwise."""
        while (up := self.client.data_to_send()) + (down := self.server.data_to_send()):
            for piece in self._cut(up):
                self.server.receive_data(piece, self.now_ms)
                self._drain_server()
            for piece in self._cut(down):
                self.client.receive_data(piece, self.now_ms)
                while (heard := self.client.next_event()) is not None:
                    self.client_events.append(heard)
            self.now_ms += 1

    def publish(self, name: str = "KEY") -> None:
        """All the way to media."""
        self.client.connect("live", "rtmp://host/live")
        self.client.publish(name)
        self.pump()

    def _drain_server(self) -> None:
        while (event := self.server.next_event()) is not None:
            self.server_events.append(event)
            if self._answer and isinstance(event, (rtmp.ConnectRequested, rtmp.PublishRequested)):
                self.server.accept(event.id)


class RawPeer:
    """A hand-written encoder against a server: messages or wire bytes in, events and the server's messages out."""

    def __init__(self, limits: rtmp.Limits = rtmp.DEFAULT_LIMITS) -> None:
        self.server = rtmp.ServerConnection(random=RANDOM, limits=limits)
        self._writer = ChunkWriter()
        self._reader = ChunkReader(limits)
        self._reader.max_message_bytes = MAX_MESSAGE_BYTES
        self._skip = 1 + 1536 + 1536
        self.feed(C0_C1_C2)

    def feed(self, data: bytes, now_ms: int = 0) -> list[rtmp.ServerEvent]:
        """Bytes to the server; the events they make."""
        self.server.receive_data(data, now_ms)
        return self.events()

    def events(self) -> list[rtmp.ServerEvent]:
        """The events that wait."""
        events = []
        while (event := self.server.next_event()) is not None:
            events.append(event)
        return events

    def send(self, *messages: Message, csid: int = 3, now_ms: int = 0) -> list[rtmp.ServerEvent]:
        """Messages to the server; the events they make."""
        out = bytearray()
        for message in messages:
            self._writer.write(out, csid, message)
        return self.feed(bytes(out), now_ms)

    def received(self) -> list[Message]:
        """The messages that the server sent since the last call."""
        data = self.server.data_to_send()
        self._reader.feed(data[self._skip :])
        self._skip = 0
        messages = []
        while (message := self._reader.next_message()) is not None:
            if message.type == m.SET_CHUNK_SIZE:
                self._reader.set_chunk_size(int.from_bytes(message.payload, "big"))
            messages.append(message)
        return messages

    def commands(self) -> list[Command]:
        """The commands among `received`."""
        found = [read_command(message) for message in self.received() if message.type in (m.COMMAND, m.COMMAND_AMF3)]
        return [answer for answer in found if answer is not None]

    def connect(self, **properties: str) -> None:
        """Connect, accepted; what the server said is dropped."""
        said = {"app": "live", "tcUrl": "rtmp://host/live"} | properties
        events = self.send(command("connect", 1, dict(said)))
        asked = next(event for event in events if isinstance(event, rtmp.ConnectRequested))
        self.server.accept(asked.id)
        self.received()

    def ask(self, stream_id: int = 1, name: str = "KEY", create: bool = True) -> rtmp.PublishRequested:
        """Create a stream if asked to, and ask to publish on it."""
        if create:
            self.send(command("createStream", 4, None))
        events = self.send(command("publish", 5, None, name, "live", stream_id=stream_id))
        asked = [event for event in events if isinstance(event, rtmp.PublishRequested)]
        assert len(asked) == 1
        return asked[0]

    def publish(self, stream_id: int = 1, name: str = "KEY") -> None:
        """Create a stream and publish on it, accepted; what the server said is dropped."""
        self.server.accept(self.ask(stream_id, name).id)
        self.received()


def live_peer() -> RawPeer:
    """A peer that publishes on stream 1."""
    peer = RawPeer()
    peer.connect()
    peer.publish()
    return peer
