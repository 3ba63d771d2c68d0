"""A follower is told every entry once, in order, whatever becomes of pushes and of the log."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.broadcast import Hold, RunStart
from headrace.livelog.base import Cursor, Published, Reading
from headrace.livelog.redis.answers import Found
from headrace.livelog.redis.subscriptions import Push, _push
from headrace.livelog.redis.trail import REMEMBERED, Trail
from headrace.wire.log import entry_to_bytes
from tests.support.broadcasts import PLAN


class Log:
    """A log's published entries. `branch` makes histories differ."""

    def __init__(self) -> None:
        self.entries: list[tuple[str, bytes, Hold]] = []

    def grow(self, at: int) -> Push:
        """Publish one."""
        entry = Hold(at)
        data = entry_to_bytes(entry)
        before = self.entries[-1][0] if self.entries else ""
        self.entries.append((hashlib.sha1(before.encode() + data).hexdigest(), data, entry))
        return Push(len(self.entries), self.entries[-1][0].encode(), data)

    def read(self, cursor: Cursor) -> Found:
        """As a server answers."""
        known = 0 < cursor.n <= len(self.entries) and self.entries[cursor.n - 1][0] == cursor.id
        shown = tuple(Published(n, each[0], each[2]) for n, each in enumerate(self.entries, 1))
        last_id = self.entries[-1][0] if self.entries else ""
        return Found(len(self.entries), last_id, 0, False, not known, (), shown[cursor.n :] if known else shown)


class Follower:
    """What a follower was told."""

    def __init__(self, log: Log) -> None:
        self.log = log
        self.trail = Trail(Cursor(0, ""))
        self.told: list[Published] = []
        self.wholes = 0
        self.read()

    def read(self) -> None:
        self.hear_reading(self.trail.take(self.log.read(self.trail.cursor)))

    def hear(self, *pushes: Push) -> None:
        reading, missed = self.trail.follow(pushes)
        self.hear_reading(reading)
        if missed:
            self.read()

    def hear_reading(self, reading: Reading | None) -> None:
        if reading is None:
            return
        if reading.whole:
            self.wholes += 1
            self.told.clear()
        self.told += reading.entries
        assert [each.n for each in self.told] == list(range(1, len(self.told) + 1))
        before = ""
        for each in self.told:
            assert isinstance(each.entry, Hold)
            assert each.id == hashlib.sha1(before.encode() + entry_to_bytes(each.entry)).hexdigest()
            before = each.id
        if self.told:
            assert self.trail.cursor == Cursor(self.told[-1].n, self.told[-1].id) == reading.cursor


steps = st.one_of(
    st.tuples(st.just("grow"), st.integers(0, 3)),
    st.tuples(st.just("lost push"), st.integers(0, 3)),
    st.tuples(st.just("twice"), st.integers(0, 3)),
    st.tuples(st.just("take back"), st.integers(1, 5)),
    st.tuples(st.just("old push"), st.integers(0, 9)),
    st.tuples(st.just("read"), st.just(0)),
)


@given(st.lists(steps, max_size=60))
def test_whatever_happens_a_follower_ends_with_what_the_log_has(happens: list[tuple[str, int]]) -> None:
    log = Log()
    follower = Follower(log)
    pushed: list[Push] = []
    for what, value in happens:
        if what in ("grow", "lost push", "twice"):
            push = log.grow(value)
            pushed.append(push)
            if what != "lost push":
                follower.hear(push)
            if what == "twice":
                follower.hear(push)
        elif what == "take back":
            before = list(follower.told)
            del log.entries[-value:]
            follower.read()  # shorter and equal, or nothing that was not told
            assert follower.told[: len(before)] == before or follower.told == [
                Published(n, each[0], each[2]) for n, each in enumerate(log.entries, 1)
            ]
        elif what == "old push" and pushed:
            follower.hear(pushed[value % len(pushed)])
        else:
            follower.read()
    for _ in range(7):  # more than was ever taken back: then no log is shorter than what was told
        follower.hear(log.grow(9))
    while len(log.entries) < len(follower.told):
        follower.hear(log.grow(9))
    follower.read()
    assert [(each.id, each.entry) for each in follower.told] == [(each[0], each[2]) for each in log.entries]


def test_a_shorter_log_that_is_equal_is_waited_for_and_one_that_differs_is_told_whole() -> None:
    log = Log()
    follower = Follower(log)
    for at in range(5):
        follower.hear(log.grow(at))
    before = list(follower.told)
    taken = log.entries[3:]
    del log.entries[3:]
    follower.read()
    assert follower.told == before
    log.entries += taken
    follower.hear(log.grow(5))
    assert (len(follower.told), follower.wholes) == (6, 1)
    del log.entries[3:]
    follower.hear(log.grow(99))
    assert [each.entry for each in follower.told] == [Hold(0), Hold(1), Hold(2), Hold(99)]
    assert follower.wholes == 2


def test_an_emptied_log_is_waited_for_until_it_tells_something() -> None:
    log = Log()
    follower = Follower(log)
    for at in range(5):
        follower.hear(log.grow(at))
    log.entries.clear()
    follower.read()
    assert len(follower.told) == 5
    follower.hear(log.grow(7))
    assert [each.entry for each in follower.told] == [Hold(7)]


def test_a_first_reading_is_told_even_where_nothing_was_published() -> None:
    assert Trail(Cursor(0, "")).take(Log().read(Cursor(0, ""))) == Reading((), Cursor(0, ""), whole=True)


def test_what_was_forgotten_is_told_once() -> None:
    log = Log()
    trail = Trail(Cursor(0, ""))
    start = RunStart(PLAN, 0)
    first = Found(0, "", 3, False, True, (start,), ())
    assert trail.take(first) == Reading((), Cursor(0, ""), whole=True, head=(start,), oldest=3)
    push = log.grow(1)
    assert trail.follow([push])[0] == Reading(
        (Published(1, push.id.decode(), Hold(1)),), Cursor(1, push.id.decode()), oldest=3
    )
    same = Found(1, push.id.decode(), 3, False, False, (), ())
    assert trail.take(same) is None
    later = Found(1, push.id.decode(), 4, False, False, (), ())
    reading = trail.take(later)
    assert reading is not None
    assert (reading.oldest, reading.entries) == (4, ())


def test_what_a_follower_remembers_is_bounded() -> None:
    log = Log()
    follower = Follower(log)
    for at in range(3 * REMEMBERED):
        follower.hear(log.grow(at))
    assert len(follower.trail._ids) <= REMEMBERED + 1


@pytest.mark.parametrize("data", [b"", b"1", b"1 ", b"x y z", b"1 \xff z", b"-1 0 z", b"9" * 30 + b" 0 z"])
def test_a_push_that_no_writer_of_ours_made_has_the_log_read(data: bytes) -> None:
    trail = Trail(Cursor(0, ""))
    assert trail.follow([_push(data)]) == (None, True)
    assert trail.cursor == Cursor(0, "")
