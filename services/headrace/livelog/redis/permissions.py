"""What the log's users must be able to do, and whether a user is: tried without changing anything.

Law: each try names keys of a run that is not there, and is made so that it does nothing even where it is allowed: it
changes what exists, or has one word too many, and a server looks at permissions before it looks at either.
Neighbours: `docs/how-to/redis.md` has the users as a server takes them, `inspecting` tries.
"""

from collections.abc import Collection
from enum import Enum

from headrace.core.broadcast import RunId, StreamId
from headrace.livelog.redis import library
from headrace.livelog.redis.connection import Command
from headrace.livelog.redis.keys import current_key, keys_of

NOBODY = "headrace-doctor"
_KEYS = keys_of(RunId(NOBODY))
_CURRENT = current_key(StreamId(NOBODY))
_STAGED, _PUBLISHED = _KEYS.staged + b"nothing", _KEYS.published + b"nothing"
_FENCED = (*(b"" for _ in range(5)), b"", b"0", b"0", b"1")  # `open` is 0: an unknown run is answered EMPTY

READS: dict[str, Command] = {
    "FCALL_RO": (b"FCALL_RO", library.READ, b"3", _KEYS.h, _KEYS.c, _KEYS.s, b"0", b""),
    "HMGET": (b"HMGET", _KEYS.h, b"pub"),
    "HGETALL": (b"HGETALL", _KEYS.c),
    "XRANGE": (b"XRANGE", _KEYS.s, b"-", b"+", b"COUNT", b"1"),
}
"""What everybody must."""

SERVES: dict[str, Command] = {
    "GET": (b"GET", _PUBLISHED),
    "GET current:": (b"GET", _CURRENT),
    "SSUBSCRIBE": (b"SSUBSCRIBE", _KEYS.channel),  # the last one on its connection
}
"""What origins must besides."""

WRITES: dict[str, Command] = {
    "FCALL": (b"FCALL", library.TAKEOVER, b"5", *_KEYS.log, *_FENCED),
    "FUNCTION LOAD": (b"FUNCTION", b"LOAD", f"#!lua name={library.NAME}\n".encode()),  # it registers nothing
    "WAIT": (b"WAIT", b"0", b"1"),
    "SET": (b"SET", _STAGED, b"", b"XX"),
    "SET current:": (b"SET", _CURRENT, b"", b"XX"),
    "HSET": (b"HSET", _KEYS.h, b"a", b"field", b"without"),
    "HGET": (b"HGET", _KEYS.p, b"none"),
    "HVALS": (b"HVALS", _KEYS.p),
    "DEL": (b"DEL", _STAGED),
    "EXISTS": (b"EXISTS", _STAGED),
    "EXPIRE": (b"EXPIRE", _STAGED, b"1"),
    "TTL": (b"TTL", _KEYS.h),
    "XADD": (b"XADD", _KEYS.g, b"NOMKSTREAM", b"*", b"a", b"b"),
    "XTRIM": (b"XTRIM", _KEYS.g, b"MAXLEN", b"1"),
    "RENAME": (b"RENAME", _STAGED, _PUBLISHED),
    "SPUBLISH": (b"SPUBLISH", _KEYS.channel, b""),
}
"""What transcoders and control must besides."""


class User(Enum):
    """What a user is by what it may do."""

    WRITER = "writer"
    READER = "reader"
    NEITHER = "neither"


def user_of(refused: Collection[str]) -> tuple[User, list[str]]:
    """Who is refused these, and what is missing to the one it comes closest to.

    Who may all that writers must is a writer, whatever else it may.
    """
    missing_to_write = [name for name in (*READS, *WRITES) if name in refused]
    if not missing_to_write:
        return User.WRITER, []
    missing_to_read = [name for name in (*READS, *SERVES) if name in refused]
    if not missing_to_read and all(name in refused for name in WRITES):
        return User.READER, []
    return User.NEITHER, missing_to_write
