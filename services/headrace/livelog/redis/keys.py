"""The names of a run's keys: one hash tag, so that a Cluster keeps them together and a function may use them all.

Law: nobody else makes a key's name. Neighbours: `functions.lua` says what is in each.
"""

from typing import NamedTuple

from redis.crc import key_slot

from headrace.core.broadcast import RunId, StreamId


class Keys(NamedTuple):
    """A run's keys, channel and key prefixes."""

    h: bytes
    c: bytes
    p: bytes
    g: bytes
    s: bytes
    channel: bytes
    staged: bytes
    published: bytes

    @property
    def log(self) -> tuple[bytes, ...]:
        """All keys that hold no bytes of parts."""
        return self.h, self.c, self.p, self.g, self.s


def keys_of(run: RunId) -> Keys:
    """The names for this run."""
    tag = b"{%b}" % run.encode()
    return Keys(tag + b":h", tag + b":c", tag + b":p", tag + b":g", tag + b":s", tag, tag + b":t:", tag + b":b:")


def part_name(rung: str, msn: int, part: int, encoder: str) -> bytes:
    """What a part's bytes are called after the prefix."""
    return f"{rung}:{msn}:{part}:{encoder}".encode()


def current_key(stream: StreamId) -> bytes:
    """Where the stream's newest run is named."""
    return b"current:" + stream.encode()


def slot_of(key: bytes) -> int:
    """A key's slot in a Cluster."""
    return key_slot(key)
