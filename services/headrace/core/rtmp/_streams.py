"""The message streams of one connection: the ids that createStream gives out, and what is published on them.

Law: at most so many at a time; ids are the smallest free ones from 1. A peer that names a stream wrongly means
the only busy one. Neighbours: `server` alone.
"""

from enum import Enum, auto

from headrace.core.rtmp._messages import Message


class Phase(Enum):
    """Where a message stream is in a publish's life."""

    IDLE = auto()
    ASKED = auto()
    LIVE = auto()


class Stream:
    """One message stream."""

    __slots__ = ("held", "id", "name", "phase")

    def __init__(self, stream_id: int) -> None:
        self.id = stream_id
        self.phase = Phase.IDLE
        self.name = ""
        self.held: list[Message] = []
        """Messages that wait for the answer to its publish."""


class StreamTable:
    """The message streams that exist now."""

    def __init__(self, max_streams: int) -> None:
        self._streams: dict[int, Stream] = {}
        self._max_streams = max_streams

    def get(self, stream_id: int) -> Stream | None:
        """The stream with exactly this id."""
        return self._streams.get(stream_id)

    def create(self, stream_id: int | None = None) -> Stream | None:
        """A new stream, or None if there are too many. `stream_id` is one that the peer uses without having asked."""
        if len(self._streams) >= self._max_streams:
            return None
        if stream_id is None:
            stream_id = next(free for free in range(1, self._max_streams + 1) if free not in self._streams)
        return self._streams.setdefault(stream_id, Stream(stream_id))

    def delete(self, stream: Stream | None) -> None:
        """Give the id back."""
        if stream is not None:
            self._streams.pop(stream.id, None)

    def busy(self) -> list[Stream]:
        """Streams that publish, or ask to."""
        return [stream for stream in self._streams.values() if stream.phase is not Phase.IDLE]

    def find(self, stream_id: int) -> Stream | None:
        """The stream with this id, else the only busy one."""
        return self._streams.get(stream_id) or self._only_busy()

    def named(self, name: str) -> Stream | None:
        """The busy stream published under `name`, else the only busy one."""
        return next((stream for stream in self.busy() if stream.name == name), None) or self._only_busy()

    def _only_busy(self) -> Stream | None:
        busy = self.busy()
        return busy[0] if len(busy) == 1 else None
