"""Names of things: streams, runs, and the secret by which an encoder publishes.

Law: a stream key never shows itself in a log, a traceback or a repr.
"""

import hashlib
from typing import NewType

StreamId = NewType("StreamId", str)
RunId = NewType("RunId", str)


class StreamKey:
    """A publisher's secret. `reveal()` gives the text; `digest` is what may be stored and compared."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The key itself: for the wire to control, and for nothing else."""
        return self._text

    @property
    def digest(self) -> str:
        """SHA-256 in hex. Keys are 128 random bits or more, so a plain hash cannot be searched."""
        return hashlib.sha256(self._text.encode()).hexdigest()

    def __repr__(self) -> str:
        return "StreamKey(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, StreamKey) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)
