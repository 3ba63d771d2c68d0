"""The server's end of an RTMP connection: what encoders publish to.

Law: feed bytes with `receive_data`, take events with `next_event` until None, send what `data_to_send` gives.
Permissions are events answered by id; while a question is open, what depends on the answer is held within a bound, and
everything else goes on. Nothing unknown ends a connection: it is answered with null, or counted as noise.
Neighbours: `_link` below; `edge` is the shell with the socket and the clock.
"""

from collections import deque

from headrace.core.rtmp import _commands as c
from headrace.core.rtmp import _messages as m
from headrace.core.rtmp._commands import Command
from headrace.core.rtmp._handshake import ServerHandshake
from headrace.core.rtmp._link import Link
from headrace.core.rtmp._messages import Message
from headrace.core.rtmp._streams import Phase, Stream, StreamTable
from headrace.core.rtmp._timers import Timers
from headrace.core.rtmp._waiting import WaitingRoom
from headrace.core.rtmp.errors import RtmpError, RtmpLimitExceeded, RtmpUsageError
from headrace.core.rtmp.events import (
    AudioReceived,
    ConnectRequested,
    EndReason,
    MetadataReceived,
    PeerNoise,
    PublishEnded,
    PublishRequested,
    ServerEvent,
    VideoReceived,
)
from headrace.core.rtmp.limits import DEFAULT_LIMITS, OUT_CHUNK_BYTES, Limits
from headrace.core.rtmp.target import parse_publish_target

COMMANDS = (m.COMMAND, m.COMMAND_AMF3)
COMMAND_CSID, STATUS_CSID = 3, 5


class ServerConnection:
    """One peer that connects, and may publish on several message streams.

    `random` is at least RANDOM_BYTES of randomness; `now_ms` everywhere is one monotonic clock in milliseconds.
    """

    def __init__(self, *, random: bytes, limits: Limits = DEFAULT_LIMITS) -> None:
        """Raises RtmpUsageError if `random` is too short."""
        self._limits = limits
        self._link = Link(ServerHandshake(random), limits, limits.max_idle_messages)
        self._events: deque[ServerEvent] = deque()
        self._streams = StreamTable(limits.max_streams)
        self._next_id = 1
        self._connect: Command | None = None  # the connect command, asked or accepted
        self._connect_id: int | None = None  # its open question
        self._connected = False
        self._asked: dict[int, tuple[Stream, Command]] = {}  # open publish questions
        self._held: list[Message] = []  # behind the connect question
        self._waiting = WaitingRoom(limits.max_pending_bytes)
        self._fc_publish = False
        self._close_reason: str | None = None
        self._timers = Timers(limits)

    # --- bytes and events

    def receive_data(self, data: bytes, now_ms: int) -> None:
        """Take bytes from the peer, cut anywhere; then drain `next_event`. Raises RtmpError."""
        self._link.receive(data, now_ms)
        if self._link.open:
            self._timers.opened(now_ms)

    def next_event(self) -> ServerEvent | None:
        """The next event, or None until more bytes or an answer come. Raises RtmpError, RtmpLimitExceeded, no other."""
        link, released = self._link, self._waiting.released
        while True:
            if self._events:
                return self._events.popleft()
            if link.events:
                return link.events.popleft()
            message = released.popleft() if released else link.next_message()
            if message is not None:
                event = self._receive(message)
                if event is not None:
                    return event
            elif not link.events:
                return self._noise()

    def data_to_send(self) -> bytes:
        """The bytes for the peer since the last call. A shell that cannot send them stops reading the peer as well."""
        if not self._link.out:
            return b""
        data = bytes(self._link.out)
        self._link.out.clear()
        return data

    @property
    def close_reason(self) -> str | None:
        """Why the shell should flush and then close: an error's code, or how we refused. None: stay open."""
        return self._link.error.code if self._link.error is not None else self._close_reason

    # --- answers

    def accept(self, request_id: int) -> None:
        """Say yes to a request. A request that the peer has withdrawn is passed over. Raises RtmpUsageError."""
        if request_id == self._connect_id and self._connect is not None:
            self._connect_id = None
            self._connected = True
            window = self._limits.ack_window_bytes
            self._link.control(m.WINDOW_ACK_SIZE, m.number(window))
            self._link.control(m.SET_PEER_BANDWIDTH, m.peer_bandwidth(window))
            self._link.control(m.SET_CHUNK_SIZE, m.number(OUT_CHUNK_BYTES))
            self._link.writer.chunk_size = OUT_CHUNK_BYTES
            self._send(c.connect_answer(self._connect))
            self._timers.pinged(self._link.now_ms)
            self._waiting.release(self._held)
        elif (question := self._question(request_id)) is not None:
            stream, request = question
            stream.phase = Phase.LIVE
            self._link.reader.max_message_bytes = self._limits.max_message_bytes
            self._link.control(m.USER_CONTROL, m.user_control(m.STREAM_BEGIN, stream.id))
            if self._fc_publish:
                started = c.status("status", c.PUBLISH_START, "Publishing.")
                self._send(c.command("onFCPublish", 0, None, started, amf3=request.amf3))
            self._send(c.on_status(stream.id, "status", c.PUBLISH_START, "Publishing.", amf3=request.amf3))
            self._waiting.release(stream.held)

    def reject(self, request_id: int, code: str, description: str) -> None:
        """Say no, with a status word that encoders show, such as "NetStream.Publish.BadName".

        Then flush, and close about a second later (`close_reason`). Raises RtmpUsageError.
        """
        if request_id == self._connect_id and self._connect is not None:
            self._connect_id = None
            self._send(c.error(self._connect, None, c.status("error", code, description)))
            self._waiting.drop(self._held)
            self._close_reason = "connect_rejected"
        elif (question := self._question(request_id)) is not None:
            stream, request = question
            self._stop(stream)
            self._send(c.on_status(stream.id, "error", code, description, amf3=request.amf3))
            if not self._streams.busy():
                self._close_reason = "publish_rejected"

    def end_publish(self, stream_id: int, code: str, description: str) -> None:
        """End an accepted publish from our side with an error status; no event follows. Raises RtmpUsageError."""
        stream = self._streams.get(stream_id)
        if stream is None or stream.phase is not Phase.LIVE:
            raise RtmpUsageError(f"nothing is published on stream {stream_id}")
        self._stop(stream)
        self._send(c.on_status(stream_id, "error", code, description))
        if not self._streams.busy():
            self._close_reason = "publish_ended"

    def _question(self, request_id: int) -> tuple[Stream, Command] | None:
        if not 0 < request_id < self._next_id:
            raise RtmpUsageError(f"there never was a request {request_id}")
        return self._asked.pop(request_id, None)

    # --- time

    def request_ping(self, now_ms: int) -> None:
        """Send a ping now; `PongReceived` tells the round trip. Raises RtmpUsageError before the handshake is over."""
        if not self._link.open:
            raise RtmpUsageError("no ping before the handshake is over")
        self._timers.pinged(now_ms)
        self._link.ping(now_ms)

    def handle_timer(self, now_ms: int) -> None:
        """Call once when the socket opens, then when `get_timer` is due. Pings, and keeps the deadlines before publish.

        Silence of an accepted publisher is the shell's to judge, since only it knows when it stopped reading.
        Raises RtmpError (`handshake_timeout`, `publish_timeout`).
        """
        self._timers.started(now_ms)
        deadline = self._timers.deadline()
        if self._link.error is None and deadline is not None and now_ms >= deadline[0]:
            self._link.error = RtmpError(deadline[1].replace("_", " "), code=deadline[1])
        if self._link.error is not None:
            raise self._link.error
        ping_due = self._timers.ping_due()
        if ping_due is not None and now_ms >= ping_due:
            self.request_ping(now_ms)

    def get_timer(self) -> int | None:
        """When to call `handle_timer` next, or None before it was called first."""
        return self._timers.next_due()

    # --- messages

    def _receive(self, message: Message) -> ServerEvent | None:
        """One message: a media event at once, anything else through the queue of events."""
        kind, stream_id, timestamp, payload = message
        if kind not in COMMANDS:
            stream = self._streams.get(stream_id)
            if stream is not None and stream.phase is Phase.LIVE:
                self._link.idle_messages = 0
                if kind == m.VIDEO and payload:
                    return VideoReceived(stream_id, timestamp, payload)
                if kind == m.AUDIO:
                    return AudioReceived(stream_id, timestamp, payload)
                return self._receive_other(message)
            if self._connect_id is None:
                if stream is not None and stream.phase is Phase.ASKED:
                    self._hold(stream.held, message)
                else:
                    self._link.noise["data_without_publish"] += 1
                return None
        if self._connect_id is not None:
            self._hold(self._held, message)
        elif (command := c.read_command(message)) is None:
            self._link.noise["unreadable_command"] += 1
        elif self._connected:
            self._obey(command)
        elif command.name == "connect" and self._connect is None:
            self._ask_connect(command)
        else:
            self._link.noise["command_before_connect"] += 1
        return None

    def _receive_other(self, message: Message) -> ServerEvent | None:
        """What is rare on a live stream: metadata, aggregates, oddities."""
        noise = self._link.noise
        if message.type in (m.DATA, m.DATA_AMF3):
            properties = c.read_metadata(message)
            if properties is not None:
                return MetadataReceived(message.stream_id, message.timestamp, properties)
            noise["unknown_data"] += 1
        elif message.type == m.AGGREGATE:
            parts = m.split_aggregate(message)
            if parts is None:
                noise["bad_aggregate"] += 1
            else:
                known = [part for part in parts if part.type in (m.AUDIO, m.VIDEO, m.DATA)]
                self._waiting.released.extendleft(reversed(known))
        elif message.type == m.VIDEO:
            noise["empty_video"] += 1
        else:
            noise["unknown_message_type"] += 1
        return None

    def _obey(self, command: Command) -> None:
        match command.name:
            case "createStream":
                stream = self._streams.create()
                failed = c.status("error", c.CALL_FAILED, "Too many streams on one connection.")
                self._send(c.answer(command, None, float(stream.id)) if stream else c.error(command, None, failed))
                return
            case "publish":
                self._ask_publish(command)
                return
            case "play" | "play2":
                no_play = "This server only takes publishers."
                self._send(c.on_status(command.stream_id, "error", c.PLAY_NOT_FOUND, no_play, amf3=command.amf3))
                return
            case "_result" | "_error" | "onStatus":
                return  # answers to questions that were never asked
            case "FCPublish":
                self._fc_publish = True
            case "FCUnpublish":
                ended = c.status("status", c.UNPUBLISH_SUCCESS, "Stopped publishing.")
                self._send(c.command("onFCUnpublish", 0, None, ended, amf3=command.amf3))
                self._end(self._streams.named(command.text(1)), EndReason.FC_UNPUBLISH)
            case "closeStream":
                self._end(self._streams.find(command.stream_id), EndReason.CLOSE_STREAM)
            case "deleteStream":
                deleted = self._streams.find(command.number(1) or command.stream_id)
                self._end(deleted, EndReason.DELETE_STREAM)
                self._streams.delete(deleted)
            case "releaseStream" | "_checkbw" | "getStreamLength" | "DVRSetStreamInfo" | "setDataFrame":
                pass
            case _:
                self._link.noise["unknown_command"] += 1
        if command.transaction_id:
            self._send(c.answer(command, None))

    def _ask_connect(self, command: Command) -> None:
        self._connect = command
        self._connect_id = self._take_id()
        said = command.object(0)
        text = {name.lower(): value for name, value in said.items() if isinstance(value, str)}  # some write "tcurl"
        app, tc_url, flash_ver = (text.get(name, "") for name in ("app", "tcurl", "flashver"))
        self._events.append(ConnectRequested(self._connect_id, app, tc_url, flash_ver, said))

    def _ask_publish(self, command: Command) -> None:
        stream = self._streams.get(command.stream_id) or self._streams.create(command.stream_id)
        if stream is None or stream.phase is not Phase.IDLE:
            self._link.noise["publish_twice" if stream else "too_many_streams"] += 1
            why = "This stream is publishing already." if stream else "Too many streams on one connection."
            self._send(c.on_status(command.stream_id, "error", c.PUBLISH_BAD_NAME, why, amf3=command.amf3))
            return
        self._timers.asked_to_publish = True
        reader = self._link.reader
        reader.max_message_bytes = max(reader.max_message_bytes, self._limits.max_pending_bytes)
        said = self._connect.object(0) if self._connect else {}
        text = {name.lower(): value for name, value in said.items() if isinstance(value, str)}
        stream.name, stream.phase, request_id = command.text(1), Phase.ASKED, self._take_id()
        self._asked[request_id] = (stream, command)
        target = parse_publish_target(text.get("tcurl", ""), text.get("app", ""), stream.name)
        self._events.append(PublishRequested(request_id, stream.id, target, stream.name, command.text(2)))

    def _end(self, stream: Stream | None, reason: EndReason) -> None:
        """The peer is done with `stream`; its open question, if there is one, is withdrawn."""
        if stream is None or stream.phase is Phase.IDLE:
            return
        self._asked = {key: asked for key, asked in self._asked.items() if asked[0] is not stream}
        if stream.phase is Phase.LIVE:
            self._send(c.on_status(stream.id, "status", c.UNPUBLISH_SUCCESS, "Stopped publishing."))
        self._stop(stream)
        self._events.append(PublishEnded(stream.id, reason))

    def _stop(self, stream: Stream) -> None:
        stream.phase = Phase.IDLE
        self._waiting.drop(stream.held)

    # --- small things

    def _hold(self, queue: list[Message], message: Message) -> None:
        try:
            self._waiting.hold(queue, message)
        except RtmpLimitExceeded as error:
            self._link.error = error
            raise

    def _take_id(self) -> int:
        self._next_id += 1
        return self._next_id - 1

    def _send(self, message: Message) -> None:
        self._link.send(STATUS_CSID if message.stream_id else COMMAND_CSID, message)

    def _noise(self) -> PeerNoise | None:
        noise = self._link.noise
        return PeerNoise(*noise.popitem()) if noise else None
