"""RTMP commands: reading them out of messages, and the answers that encoders understand.

Law: pure; a command is known by its name and answered with its own transaction id, exactly. Status words are those that
encoders show to their users. Source: Adobe RTMP 1.0 §7.2. Neighbours: `_messages` for types, `server` and `client` for
the dialogue.
"""

from typing import NamedTuple

from headrace.core.amf import Value, decode_values, encode_values
from headrace.core.rtmp._messages import COMMAND, COMMAND_AMF3, DATA_AMF3, Message
from headrace.core.rtmp.limits import MAX_DATA_MESSAGE_BYTES

CONNECT_SUCCESS = "NetConnection.Connect.Success"
PUBLISH_START = "NetStream.Publish.Start"
UNPUBLISH_SUCCESS = "NetStream.Unpublish.Success"
PUBLISH_BAD_NAME = "NetStream.Publish.BadName"
PLAY_NOT_FOUND = "NetStream.Play.StreamNotFound"
CALL_FAILED = "NetConnection.Call.Failed"


class Command(NamedTuple):
    """One command message."""

    name: str
    transaction_id: float
    """0 if the sender wants no answer."""
    arguments: list[Value]
    """The command object (often None) and what follows it."""
    stream_id: int
    amf3: bool
    """It came as type 17, and is answered as such."""

    def text(self, index: int) -> str:
        """Argument `index` if it is a string, else ""."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return value if isinstance(value, str) else ""

    def number(self, index: int) -> int | None:
        """Argument `index` if it is a whole number, else None."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return int(value) if isinstance(value, (int, float)) and value == value // 1 else None

    def object(self, index: int) -> dict[str, Value]:
        """Argument `index` if it is an object or ECMA array, else {}."""
        value = self.arguments[index] if index < len(self.arguments) else None
        return value if isinstance(value, dict) else {}


def message_values(message: Message) -> list[Value]:
    """The AMF values of a command or data message, as far as they can be read.

    Types 15 and 17 put a format byte 0 before AMF0 values, which may switch to AMF3 one by one. Nothing is read out of
    a message too large to be worth it.
    """
    payload = message.payload
    if len(payload) > MAX_DATA_MESSAGE_BYTES:
        return []
    if message.type in (COMMAND_AMF3, DATA_AMF3) and payload[:1] == b"\0":
        payload = payload[1:]
    return decode_values(payload).values


def read_command(message: Message) -> Command | None:
    """The command in `message`, or None if it has not even a name. A missing transaction id reads as 0."""
    values = message_values(message)
    if not values or not isinstance(values[0], str):
        return None
    transaction_id = values[1] if len(values) > 1 else 0.0
    if not isinstance(transaction_id, (int, float)):
        transaction_id = 0.0
    return Command(values[0], transaction_id, values[2:], message.stream_id, message.type == COMMAND_AMF3)


def read_metadata(message: Message) -> dict[str, Value] | None:
    """The properties in a data message that is onMetaData, with or without @setDataFrame before it; else None."""
    values = message_values(message)
    if "onMetaData" not in values[:2]:
        return None
    return next((value for value in values if isinstance(value, dict)), None)


def command(name: str, transaction_id: float, *arguments: Value, stream_id: int = 0, amf3: bool = False) -> Message:
    """A command message. With `amf3` it is type 17, whose format byte 0 says that AMF0 values follow."""
    payload = encode_values(name, transaction_id, *arguments)
    if amf3:
        return Message(COMMAND_AMF3, stream_id, 0, b"\0" + payload)
    return Message(COMMAND, stream_id, 0, payload)


def status(level: str, code: str, description: str) -> dict[str, Value]:
    """An information object."""
    return {"level": level, "code": code, "description": description}


def on_status(stream_id: int, level: str, code: str, description: str, *, amf3: bool = False) -> Message:
    """onStatus on a message stream."""
    info = status(level, code, description)
    return command("onStatus", 0, None, info, stream_id=stream_id, amf3=amf3)


def answer(request: Command, *arguments: Value) -> Message:
    """`_result` to `request`, on its stream, in its encoding."""
    return _answer("_result", request, arguments)


def error(request: Command, *arguments: Value) -> Message:
    """`_error` to `request`."""
    return _answer("_error", request, arguments)


def _answer(name: str, request: Command, arguments: tuple[Value, ...]) -> Message:
    stream_id, amf3 = request.stream_id, request.amf3
    return command(name, request.transaction_id, *arguments, stream_id=stream_id, amf3=amf3)


def connect_answer(request: Command) -> Message:
    """`_result` to connect. GStreamer wants both objects; Flash wants its own object encoding back."""
    encoding = request.object(0).get("objectEncoding")
    return answer(
        request,
        {"fmsVer": "FMS/3,5,3,888", "capabilities": 127.0, "mode": 1.0},
        status("status", CONNECT_SUCCESS, "Connection succeeded.")
        | {"objectEncoding": encoding if isinstance(encoding, (int, float)) else 0.0},
    )
