"""A run's log as its readers meet it: bytes to entries, entries to playlists and to windows.

Law: what cannot be read, or is of a kind that nobody knows, is skipped and counted; entries in whatever order, of
whatever plan, fold into playlists that can be printed, within a bound of memory.
"""

from collections.abc import Sequence
from hashlib import sha1

from headrace.core.broadcast import Entry, RunId
from headrace.livelog.base import Cursor, Published, Reading
from headrace.livelog.redis.answers import Found, entry_of
from headrace.livelog.redis.subscriptions import _push
from headrace.livelog.redis.trail import Trail
from headrace.livelog.redis.written import Written
from headrace.livelog.window import Window
from headrace.origin.followed import Disagreement, FollowedRun
from headrace.origin.metrics import UNKNOWN_ENTRIES
from headrace.wire.log import entry_to_bytes
from tests.fuzz.judge import Shape
from tests.fuzz.laws.wire import row, rows
from tests.support.runs import init_of, parts_of, plan_of, start_of, whole_run

START = Cursor(0, "")


def entries(data: bytes) -> None:
    """A row of entries as bytes, each behind two bytes of length."""
    _read([entry_of(each) for each in rows(data)])


def order(data: bytes) -> None:
    """Each byte names one of a run's entries, or what happens to what was read so far."""
    _read([_ENTRIES[byte % len(_ENTRIES)] for byte in data])


def pushes(data: bytes) -> None:
    """What a server says to a follower between two readings."""
    trail = Trail(START)
    trail.take(Found(0, "", 0, False, True, (), ()))
    heard = [_push(each) for each in rows(data)]
    before = trail.cursor.n
    reading, missed = trail.follow(heard)
    if reading is not None:
        assert [each.n for each in reading.entries] == list(range(before + 1, trail.cursor.n + 1)), "out of order"
    assert missed or trail.cursor.n - before <= len(heard), "more than was said"


def _read(found: Sequence[Entry | None]) -> None:
    published, last = [], ""
    for n, entry in enumerate(found, 1):
        last = sha1(last.encode() + (entry_to_bytes(entry) if entry else b"?"), usedforsecurity=False).hexdigest()
        published.append(Published(n, last, entry))
    unknown = UNKNOWN_ENTRIES._value.get()
    followed = FollowedRun(RunId("r"))
    half = len(published) // 2
    for piece in (published[:half], published[half:]):
        if piece:
            reading = Reading(tuple(piece), Cursor(piece[-1].n, piece[-1].id), whole=piece[0].n == 1)
            followed.take(reading)
            _print(followed)
    counted = UNKNOWN_ENTRIES._value.get() - unknown
    assert counted == sum(entry is None for entry in found), f"{counted} unknown entries were counted"
    again = FollowedRun(RunId("r"))
    if published:
        again.take(Reading(tuple(published), Cursor(len(published), last), whole=True))
        for rung in followed.model.rungs:
            assert again.model.playlist(rung) == followed.model.playlist(rung), "another origin lists something else"
        try:
            again.take(Reading(tuple(published[half:]), Cursor(len(published), last)))
        except Disagreement as error:
            raise AssertionError("what is known already is a disagreement") from error
    window, written = Window(), Written()
    for each in published:
        window.show(each.entry)
        window.trim()
        if each.entry is not None:
            written.stage(each.n, each.id, each.entry)
            written.publish(each.n)
    assert written.bytes_s > 0, "bytes that are not kept at all"


def _print(followed: FollowedRun) -> None:
    followed.pages.multivariant("", "")
    for rung in followed.model.rungs:
        page = followed.pages.media(rung, "?token=1")
        if page is None:
            continue
        for line in page.plain.decode().splitlines():
            assert line.isprintable(), f"a line that cannot be printed: {line!r}"
            assert line.count('"') % 2 == 0, f"a quoted string that does not end: {line!r}"


def _some() -> list[Entry | None]:
    """At most 256 entries of a small run and of others that it might be taken for."""
    plan, other = plan_of("source+auto", window_s=20), plan_of("passthrough", audio=False)
    rungs = plan.rung_names[:2] + plan.rung_names[-1:]
    made: list[Entry | None] = [None, *start_of(plan), *start_of(other), init_of(plan, rungs[0], "b")]
    for msn in (0, 1, 2, 7):
        for rung in plan.rung_names:
            made += parts_of(plan, rung, msn, of=2, count=2)
    for rung in rungs:
        made += parts_of(plan, rung, 1, of=2, count=2, gaps=(0,))
        made += parts_of(plan, rung, 2, of=2, count=2, filled=(1,), discontinuity=1, encoder="e2")
        made += parts_of(plan, rung, 3, of=6, count=6)
    made += whole_run(other, 1, ended=True)[-2:]
    return made[:256]


_ENTRIES = _some()


def _bytes(found: Sequence[Entry]) -> bytes:
    return b"".join(row(entry_to_bytes(entry)) for entry in found)


_PLAN = plan_of("passthrough", audio=False)
_BEGUN = _bytes(start_of(_PLAN))
ENTRY_SHAPES = (
    Shape(_BEGUN, _bytes(parts_of(_PLAN, "source", 0))),
    Shape(_BEGUN, _bytes(start_of(_PLAN)[1:])),
    Shape(_BEGUN, b"\x00\x00"),
    Shape(_BEGUN, b"\x00\x02\x7a\x00"),
    Shape(b"", _BEGUN),
)
ORDER_SHAPES = (Shape(bytes(range(8)), bytes(range(1, 60))), Shape(bytes(range(8)), b"\x00"))
