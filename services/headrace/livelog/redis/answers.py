"""What the functions answer, as `livelog.base` says it.

Law: pure; the words are those of `functions.lua`. Neighbours: `writing` and `following`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from headrace.core.broadcast import End, Entry, Epoch, RunId
from headrace.livelog.base import (
    Fenced,
    LogFull,
    NoRun,
    OutOfStep,
    Published,
    RunEnded,
    RungPosition,
    StaleLog,
)
from headrace.wire.errors import WireError
from headrace.wire.log import entry_from_bytes

_STEPS = ("CONFLICT", "BEHIND", "POSITION", "SPLICE")


@dataclass(frozen=True, slots=True)
class Found:
    """What `read` found. `shown` and `shown_id`: the last published entry; `over`: it is the run's end."""

    shown: int
    shown_id: str
    oldest: int
    over: bool
    whole: bool
    head: tuple[Entry, ...]
    entries: tuple[Published, ...]


def refuse(run: RunId, answer: Sequence[Any]) -> NoReturn:
    """Raise what an answer other than OK means."""
    word = answer[0].decode()
    if word == "EMPTY":
        raise NoRun(f"no run {run}")
    if word == "FENCED":
        raise Fenced(Epoch(int(answer[1]), int(answer[2])))
    if word == "ENDED":
        raise RunEnded("the run has ended")
    if word == "STALE":
        raise StaleLog("the log does not reach what was promised durable")
    if word == "BYTES":
        raise LogFull("the server did not keep a part's bytes")
    if word in _STEPS:
        raise OutOfStep(word.lower(), f"the log is at {answer[1].decode() or 'its beginning'}")
    raise AssertionError(f"functions.lua answered {word}")


def positions(pairs: Sequence[bytes]) -> dict[str, RungPosition]:
    """Each rung's position."""
    return {rung.decode(): _position(text.decode()) for rung, text in zip(pairs[::2], pairs[1::2], strict=True)}


def position_text(position: RungPosition) -> str:
    """A position as the log keeps it: its first four words are the place."""
    place = f"{position.msn} {position.part} {position.start} {position.segment_start}"
    return f"{place} {position.opened:d} {position.encoder}"


def found(answer: Sequence[Any], entries: Sequence[Any]) -> Found:
    """An answer to `read`, and the entries behind the cursor: they may be newer, never older."""
    _, shown, shown_id, oldest, over, whole, head = answer
    inits = dict(zip(head[::2], head[1::2], strict=True))
    last, last_id, is_over = int(shown), shown_id.decode(), over == b"1"
    after = published(entries)
    if after:
        last, last_id, is_over = after[-1].n, after[-1].id, isinstance(after[-1].entry, End)
    return Found(last, last_id, int(oldest), is_over, whole == b"1", _head(inits), after)


def published(entries: Sequence[Any]) -> tuple[Published, ...]:
    """The entries of a stream's range."""
    return tuple(
        Published(int(entry_id.partition(b"-")[0]), fields[1].decode(), entry_of(fields[3]))
        for entry_id, fields in entries
    )


def entry_of(data: bytes) -> Entry | None:
    """The entry; None where this version does not know it, or cannot read it: who takes it counts it."""
    try:
        return entry_from_bytes(data)
    except WireError:
        return None


def _head(fields: Mapping[bytes, bytes]) -> tuple[Entry, ...]:
    # The run's start comes first, then what windows begin with, then what is current: `opening:` after `init:`.
    names = sorted(fields, reverse=True)
    entries = dict.fromkeys(entry_of(fields[name]) for name in names)
    return tuple(entry for entry in entries if entry is not None)


def _position(text: str) -> RungPosition:
    msn, part, start, segment_start, opened, encoder = text.split(" ", 5)
    return RungPosition(int(msn), int(part), int(start), int(segment_start), opened == "1", encoder)
