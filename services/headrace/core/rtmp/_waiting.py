"""The waiting room: messages that came before the answer that decides about them.

Law: all of a connection's waiting messages share one byte bound; what is released goes before anything newer.
Neighbours: `server` alone.
"""

from collections import deque

from headrace.core.rtmp._messages import Message
from headrace.core.rtmp.errors import RtmpLimitExceeded

MESSAGE_COST_BYTES = 128
"""What a waiting message costs besides its payload, so that empty ones count as well."""


class WaitingRoom:
    """Queues of one connection, each behind one question, and the messages that wait no longer."""

    __slots__ = ("_bytes", "_max_bytes", "released")

    def __init__(self, max_bytes: int) -> None:
        self._bytes = 0
        self._max_bytes = max_bytes
        self.released: deque[Message] = deque()
        """To be looked at before the connection's next message."""

    def hold(self, queue: list[Message], message: Message) -> None:
        """Let `message` wait at the end of `queue`. Raises RtmpLimitExceeded."""
        self._bytes += len(message.payload) + MESSAGE_COST_BYTES
        if self._bytes > self._max_bytes:
            raise RtmpLimitExceeded("too much sent before the answer", code="too_much_before_accept")
        queue.append(message)

    def drop(self, queue: list[Message]) -> None:
        """Forget a queue: the answer was no, or is not wanted any more."""
        self._bytes -= sum(len(message.payload) + MESSAGE_COST_BYTES for message in queue)
        queue.clear()

    def release(self, queue: list[Message]) -> None:
        """The answer was yes."""
        self.released.extend(queue)
        self.drop(queue)
