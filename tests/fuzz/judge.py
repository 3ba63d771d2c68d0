"""What every target must hold to, measured: no other error, no more time and no more memory than its bytes allow.

Law: an input is `Found` out by what it costs this thread in CPU time, never by the clock on the wall, so that a busy
machine convicts nobody; whoever is slow once is asked three times. Neighbours: `targets` has the table, `one` judges
under atheris, the tests here under pytest.
"""

import gc
import signal
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from headrace.core.errors import HeadraceError

TRIES = 3
HANG_S = 20  # of CPU time; whoever needs as much is not waited for
GROWTH = 8  # how much longer the second of two inputs is
SLACK = 3  # how much more than that it may cost
LEAST_S = 0.004  # what is faster than this is too fast to be compared
LEAK_BYTES = (
    200  # an input may leave behind without being suspected: memory that was not traced gives way to such as is
)
LEAK_BLOCKS = 0.5  # of memory likewise: less than one object
LEAK_TRIES = 40
LEAKS_OF = 30  # inputs, at the least, are fed before one looks


class Found(AssertionError):
    """A target broke a law; the message says which, and by how much."""


class Shape(NamedTuple):
    """An input that can be made as long as one likes: `head`, then `unit` again and again, then `tail`."""

    head: bytes
    unit: bytes
    tail: bytes = b""

    def of(self, size: int) -> bytes:
        """One of about `size` bytes."""
        room = size - len(self.head) - len(self.tail)
        return self.head + self.unit * max(1, room // len(self.unit)) + self.tail


@dataclass(frozen=True, slots=True)
class Target:
    """What is fed, what it may raise, and what it may cost.

    `run` raises what is `allowed` (errors of the house, each with its code) or fails. An input costs at most `ms` and
    `us_per_byte` of CPU time, and holds at most `kib` and `bytes_per_byte` of memory at once. `max_bytes`: the longest
    input that is made at random. `shapes` are made as long as `long_bytes`, and must not cost more than their length.
    """

    name: str
    run: Callable[[bytes], None]
    allowed: tuple[type[HeadraceError], ...] = ()
    ms: float = 60
    us_per_byte: float = 40
    kib: int = 512
    bytes_per_byte: int = 60
    max_bytes: int = 4096
    long_bytes: int = 1 << 18
    shapes: Sequence[Shape] = field(default=())


def feed(target: Target, data: bytes) -> None:
    """Let the target have `data`. Raises whatever it may not raise."""
    try:
        target.run(data)
    except target.allowed as error:
        if not error.code or not str(error):
            raise Found(f"{type(error).__name__} has no code, or nothing to say") from error


def spent_s(target: Target, data: bytes) -> float:
    """CPU seconds of this thread for `data`. Raises Found where there is no end of it."""
    before = signal.signal(signal.SIGVTALRM, _hangs)
    signal.setitimer(signal.ITIMER_VIRTUAL, HANG_S)
    try:
        begun_s = time.thread_time()
        feed(target, data)
        return time.thread_time() - begun_s
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _hangs(*_: object) -> None:
    raise Found(f"a hang: {HANG_S} s of CPU time, and no end")


def judge_time(target: Target, data: bytes, slower: float = 1.0) -> None:
    """Raises Found where `data` costs more time than its length allows, `slower` times over."""
    allowed_s = slower * (target.ms / 1e3 + target.us_per_byte * len(data) / 1e6)
    spent = [spent_s(target, data)]
    while min(spent) > allowed_s:
        if len(spent) == TRIES:
            raise Found(f"{len(data)} bytes cost {min(spent):.3f} s of CPU time; {allowed_s:.3f} s are allowed")
        spent.append(spent_s(target, data))


def judge_memory(target: Target, data: bytes) -> None:
    """Raises Found where `data` makes the target hold more at once than its length allows."""
    allowed = target.kib * 1024 + target.bytes_per_byte * len(data)
    with traced():
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        feed(target, data)
        _, peak = tracemalloc.get_traced_memory()
    if peak - before > allowed:
        raise Found(f"{len(data)} bytes made {peak - before} bytes be held at once; {allowed} are allowed")


def judge(target: Target, data: bytes, slower: float = 1.0) -> None:
    """All of it."""
    judge_time(target, data, slower)
    judge_memory(target, data)


def judge_growth(target: Target, shape: Shape) -> None:
    """Raises Found where an input that is `GROWTH` times as long costs much more than that."""
    short, long = shape.of(target.long_bytes // GROWTH), shape.of(target.long_bytes)
    short_s = min(spent_s(target, short) for _ in range(TRIES))
    allowed_s = SLACK * max(short_s * len(long) / len(short), LEAST_S)
    long_s = [spent_s(target, long)]
    while min(long_s) > allowed_s:
        if len(long_s) == TRIES:
            raise Found(
                f"{len(short)} bytes cost {1e3 * short_s:.1f} ms of CPU time, and {len(long)} of the same shape "
                f"{1e3 * min(long_s):.1f} ms"
            )
        long_s.append(spent_s(target, long))
    judge_memory(target, shape.of(target.long_bytes // 4))  # tracing takes its time


def judge_leaks(target: Target, inputs: Sequence[bytes]) -> None:
    """Raises Found where the same inputs, again and again, leave something behind each time."""
    inputs = list(inputs) * -(-LEAKS_OF // len(inputs))
    held = held_blocks = left = left_blocks = 0
    gc.collect()
    gc.freeze()  # the modules of half the house are no input's doing, and slow to look through
    try:
        with traced():
            for _ in range(LEAK_TRIES):  # caches fill, and then are full
                for data in inputs:
                    feed(target, data)
                gc.collect()
                left, held = tracemalloc.get_traced_memory()[0] - held, tracemalloc.get_traced_memory()[0]
                left_blocks, held_blocks = sys.getallocatedblocks() - held_blocks, sys.getallocatedblocks()
                if left <= LEAK_BYTES * len(inputs) and left_blocks <= LEAK_BLOCKS * len(inputs):
                    return
    finally:
        gc.unfreeze()
    raise Found(f"{len(inputs)} inputs leave {left} bytes in {left_blocks} pieces behind, each time again")


class traced:
    """Python's memory is traced within."""

    def __enter__(self) -> None:
        tracemalloc.start()

    def __exit__(self, *_: object) -> None:
        tracemalloc.stop()
