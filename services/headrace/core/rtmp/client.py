"""The client's end of an RTMP connection: a publisher.

Law: say where to (`connect`, `publish`) at once; the steps run by themselves as answers come, and events tell how far
they are. Media may be sent after `PublishStarted`. What the server says beyond that is counted, never an error.
Neighbours: `_link` below; `publisher` is the shell with the socket, the tests' encoder, and later a relay.
"""

from collections import deque
from enum import Enum, auto

from headrace.core.amf import EcmaArray, Value, encode_values
from headrace.core.rtmp import _commands as c
from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._commands import Command
from headrace.core.rtmp._handshake import ClientHandshake, HandshakeKind
from headrace.core.rtmp._link import Link
from headrace.core.rtmp._messages import Message
from headrace.core.rtmp.errors import RtmpUsageError
from headrace.core.rtmp.events import ClientEvent, Connected, PeerNoise, PublishRefused, PublishStarted
from headrace.core.rtmp.limits import DEFAULT_LIMITS, OUT_CHUNK_BYTES, Limits

COMMAND_CSID, AUDIO_CSID, DATA_CSID, VIDEO_CSID = 3, 4, 5, 6
FLASH_VER = "FMLE/3.0 (compatible; Headrace)"
"""Servers that only serve known encoders look for this prefix."""

CONNECT_ID, RELEASE_ID, FC_PUBLISH_ID, CREATE_ID, PUBLISH_ID, FC_UNPUBLISH_ID, DELETE_ID = range(1, 8)
"""One connection asks each thing once, so transaction ids can be constants."""


class _Step(Enum):
    NEW = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    CREATING = auto()
    PUBLISHING = auto()
    LIVE = auto()
    OVER = auto()


class ClientConnection:
    """One publish to one server.

    `random` is at least RANDOM_BYTES of randomness. `data_to_send` has the first bytes at once.
    """

    def __init__(
        self, *, random: bytes, handshake: HandshakeKind = HandshakeKind.SIMPLE, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        """Raises RtmpUsageError if `random` is too short."""
        start = ClientHandshake(random, handshake)
        self._link = Link(start, limits)
        self._link.out += start.start()
        self._events: deque[ClientEvent] = deque()
        self._step = _Step.NEW
        self._connect: dict[str, Value] | None = None
        self._name: str | None = None
        self._stream_id = 0

    # --- bytes and events

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the server, cut anywhere; then drain `next_event`. Raises RtmpError."""
        self._link.receive(data, now_ms)
        self._proceed()

    def next_event(self) -> ClientEvent | None:
        """The next event, or None until more bytes come. Raises RtmpError, RtmpLimitExceeded, and no other."""
        while True:
            if self._link.events:
                return self._link.events.popleft()
            if self._events:
                return self._events.popleft()
            message = self._link.next_message()
            if message is not None:
                self._receive(message)
            elif not self._link.events:
                noise = self._link.noise
                return PeerNoise(*noise.popitem()) if noise else None

    def data_to_send(self) -> bytes:
        """The bytes for the server since the last call."""
        data = bytes(self._link.out)
        self._link.out.clear()
        return data

    # --- the dialogue

    def connect(self, app: str, tc_url: str) -> None:
        """Ask for `app`; `tc_url` is the URL without the stream name. Once. Raises RtmpUsageError."""
        if self._connect is not None:
            raise RtmpUsageError("connect was called already")
        self._connect = {"app": app, "type": "nonprivate", "flashVer": FLASH_VER, "tcUrl": tc_url}
        self._proceed()

    def publish(self, stream_name: str) -> None:
        """Publish under `stream_name` (key and query) as soon as the server has taken the connect. Once.

        Raises RtmpUsageError.
        """
        if self._name is not None:
            raise RtmpUsageError("publish was called already")
        self._name = stream_name
        self._proceed()

    def end(self) -> None:
        """Stop publishing on purpose: FCUnpublish and deleteStream. Then flush and close. Nothing if nothing is on."""
        if self._step in (_Step.PUBLISHING, _Step.LIVE):
            self._send(c.command("FCUnpublish", FC_UNPUBLISH_ID, None, self._name))
            self._send(c.command("deleteStream", DELETE_ID, None, float(self._stream_id)))
        self._step = _Step.OVER

    def request_ping(self, now_ms: int) -> None:
        """Send a ping now; `PongReceived` tells the round trip. Raises RtmpUsageError before the handshake is over."""
        if not self._link.open:
            raise RtmpUsageError("no ping before the handshake is over")
        self._link.ping(now_ms)

    # --- media

    def send_video(self, timestamp_ms: int, data: bytes) -> None:
        """One FLV video tag body at its decoding time. Raises RtmpUsageError unless publishing."""
        self._send_media(VIDEO_CSID, m.VIDEO, timestamp_ms, data)

    def send_audio(self, timestamp_ms: int, data: bytes) -> None:
        """One FLV audio tag body. Raises RtmpUsageError unless publishing."""
        self._send_media(AUDIO_CSID, m.AUDIO, timestamp_ms, data)

    def send_metadata(self, timestamp_ms: int, values: dict[str, Value]) -> None:
        """onMetaData, as encoders wrap it. Raises RtmpUsageError unless publishing."""
        data = encode_values("@setDataFrame", "onMetaData", EcmaArray(values))
        self._send_media(DATA_CSID, m.DATA, timestamp_ms, data)

    def _send_media(self, csid: int, kind: int, timestamp_ms: int, data: bytes) -> None:
        if self._step is not _Step.LIVE:
            raise RtmpUsageError("media before PublishStarted, or after the end")
        self._link.send(csid, Message(kind, self._stream_id, timestamp_ms & 0xFFFFFFFF, data))

    # --- steps

    def _proceed(self) -> None:
        """Do what can be done now: each step waits for the one before it."""
        if self._step is _Step.NEW and self._link.open and self._connect is not None:
            self._step = _Step.CONNECTING
            self._link.control(m.SET_CHUNK_SIZE, m.number(OUT_CHUNK_BYTES))
            self._link.writer.chunk_size = OUT_CHUNK_BYTES
            self._send(c.command("connect", CONNECT_ID, self._connect))
        if self._step is _Step.CONNECTED and self._name is not None:
            self._step = _Step.CREATING
            self._send(c.command("releaseStream", RELEASE_ID, None, self._name))
            self._send(c.command("FCPublish", FC_PUBLISH_ID, None, self._name))
            self._send(c.command("createStream", CREATE_ID, None))

    def _receive(self, message: Message) -> None:
        command = c.read_command(message) if message.type in (m.COMMAND, m.COMMAND_AMF3) else None
        if command is None:
            self._link.noise["unknown_message_type"] += 1
        elif command.name == "_result":
            self._answered(command)
        elif command.name == "_error":
            if command.transaction_id in (CONNECT_ID, CREATE_ID):  # others, such as FCPublish, are courtesies
                self._refused(command)
        elif command.name == "onStatus":
            self._status(command)
        elif command.name not in ("onFCPublish", "onFCUnpublish", "onBWDone"):
            self._link.noise["unknown_command"] += 1

    def _answered(self, command: Command) -> None:
        if command.transaction_id == CONNECT_ID and self._step is _Step.CONNECTING:
            self._step = _Step.CONNECTED
            self._events.append(Connected(command.object(1)))
            self._proceed()
        elif command.transaction_id == CREATE_ID and self._step is _Step.CREATING:
            self._step = _Step.PUBLISHING
            self._stream_id = (command.number(1) or 1) & 0xFFFFFFFF
            self._send(c.command("publish", PUBLISH_ID, None, self._name, "live", stream_id=self._stream_id))

    def _status(self, command: Command) -> None:
        info = command.object(1)
        if info.get("level") == "error":
            self._refused(command)
        elif info.get("code") == c.PUBLISH_START and self._step is _Step.PUBLISHING:
            self._step = _Step.LIVE
            self._events.append(PublishStarted(self._stream_id))

    def _refused(self, command: Command) -> None:
        if self._step is not _Step.OVER:
            self._step = _Step.OVER
            info = command.object(1)
            self._events.append(PublishRefused(str(info.get("code", "")), str(info.get("description", ""))))

    def _send(self, message: Message) -> None:
        self._link.send(COMMAND_CSID, message)
