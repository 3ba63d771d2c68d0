"""One end of an RTMP connection below the commands: handshake, chunks, control messages, acknowledgements, pings.

Law: the same for server and client. Control messages are obeyed whatever chunk stream or message stream they come on
(cameras get it wrong), and never reach the dialogue above. After an error the link is dead and repeats that error.
Neighbours: `server` and `client` drive one link each; `_handshake`, `_chunks`, `_writer` do the work.
"""

from collections import Counter, deque

from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._chunks import ChunkReader
from headrace.core.rtmp._handshake import ClientHandshake, ServerHandshake
from headrace.core.rtmp._messages import Message
from headrace.core.rtmp._writer import ChunkWriter
from headrace.core.rtmp.errors import RtmpError, RtmpLimitExceeded
from headrace.core.rtmp.events import HandshakeCompleted, PongReceived
from headrace.core.rtmp.limits import ACK_WINDOW_BYTES, Limits

CONTROL_CSID = 2


class Link:
    """Bytes on one side, messages on the other. `now_ms` is any monotonic clock in milliseconds."""

    def __init__(
        self, handshake: ServerHandshake | ClientHandshake, limits: Limits, max_idle_messages: int | None = None
    ) -> None:
        self.handshake = handshake
        self.idle_messages = 0
        """Since the owner last saw what the connection is for; more than `max_idle_messages` are too many."""
        self._max_idle_messages = max_idle_messages
        self.reader = ChunkReader(limits)
        self.writer = ChunkWriter()
        self.out = bytearray()
        self.error: RtmpError | RtmpLimitExceeded | None = None
        self.now_ms = 0
        self.events: deque[HandshakeCompleted | PongReceived] = deque()
        """What the link itself has to tell; the side above hands it on."""
        self._received = 0
        self._acknowledged = 0
        self._ack_window = ACK_WINDOW_BYTES
        self._window_sent: int | None = None
        self._ping_sent_ms: int | None = None

    @property
    def noise(self) -> Counter[str]:
        """Oddities since the counter was last cleared."""
        return self.reader.noise

    @property
    def open(self) -> bool:
        """The handshake is over: chunks may be written."""
        return self.handshake.leftover is not None

    def receive(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the peer. Raises RtmpError if they are another protocol."""
        self.now_ms = now_ms
        if self.error is not None:
            raise self.error
        self._received += len(data)  # from the first byte of the handshake, as encoders count
        if self.open:
            self.reader.feed(data)
        else:
            try:
                self.out += self.handshake.receive(data, now_ms)
            except RtmpError as error:
                self.error = error
                raise
            if self.handshake.leftover is None:
                return
            self.events.append(HandshakeCompleted(self.handshake.kind))
            self.reader.feed(self.handshake.leftover)
        if self._received - self._acknowledged >= self._ack_window // 2:
            self._acknowledged = self._received
            self.control(m.ACKNOWLEDGEMENT, m.number(self._received & 0xFFFFFFFF))

    def next_message(self) -> Message | None:
        """The next message that is not the protocol's own; None when bytes are missing or `events` come first.

        Raises RtmpError, RtmpLimitExceeded.
        """
        if self.error is not None:
            raise self.error
        try:
            while (message := self.reader.next_message()) is not None:
                self.idle_messages += 1
                if self._max_idle_messages is not None and self.idle_messages > self._max_idle_messages:
                    raise RtmpLimitExceeded(f"{self.idle_messages} messages without media", code="too_many_messages")
                if message.type > m.SET_PEER_BANDWIDTH:
                    return message
                self._obey(message)
                if self.events:
                    return None
        except (RtmpError, RtmpLimitExceeded) as error:
            self.error = error
            raise
        return None

    def send(self, csid: int, message: Message) -> None:
        """Write one message."""
        self.writer.write(self.out, csid, message)

    def control(self, kind: int, payload: bytes) -> None:
        """Write one control message."""
        if kind == m.WINDOW_ACK_SIZE:
            self._window_sent = m.read_number(payload)
        self.send(CONTROL_CSID, Message(kind, 0, 0, payload))

    def ping(self, now_ms: int) -> None:
        """Ask the peer for a sign of life. Only the last ping's pong counts."""
        self._ping_sent_ms = now_ms
        self.control(m.USER_CONTROL, m.user_control(m.PING_REQUEST, now_ms & 0xFFFFFFFF))

    def _obey(self, message: Message) -> None:
        if message.type == m.USER_CONTROL:
            self._user_control(message.payload)
            return
        value = m.read_number(message.payload)
        if value is None:
            self.noise["short_control"] += 1
        elif message.type == m.SET_CHUNK_SIZE:
            self.reader.set_chunk_size(value)
        elif message.type == m.ABORT:
            self.reader.abort(value)
        elif message.type == m.WINDOW_ACK_SIZE:
            self._ack_window = value or ACK_WINDOW_BYTES
        elif message.type == m.SET_PEER_BANDWIDTH and value != self._window_sent:
            self.control(m.WINDOW_ACK_SIZE, m.number(value))  # §5.4.5: answered when the window is news
        elif message.type == 0:
            self.noise["unknown_message_type"] += 1

    def _user_control(self, payload: bytes) -> None:
        event = int.from_bytes(payload[:2], "big")
        value = m.read_number(payload[2:])
        if len(payload) < 2 or (event in (m.PING_REQUEST, m.PING_RESPONSE) and value is None):
            self.noise["short_control"] += 1
        elif event == m.PING_REQUEST and value is not None:
            self.control(m.USER_CONTROL, m.user_control(m.PING_RESPONSE, value))
        elif event == m.PING_RESPONSE:
            if self._ping_sent_ms is not None and value == self._ping_sent_ms & 0xFFFFFFFF:
                self.events.append(PongReceived(self.now_ms - self._ping_sent_ms))
                self._ping_sent_ms = None
            else:
                self.noise["unasked_pong"] += 1
        elif event not in m.KNOWN_USER_CONTROL:
            self.noise["unknown_user_control"] += 1
