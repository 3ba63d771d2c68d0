"""What a live log is: two interfaces, and the errors by which it refuses.

Law: append is stage, wait, publish, in this order; takeover comes before everything and publishes nothing; readers see
published entries only. Every implementation passes the same contract tests.
"""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from headrace.core.broadcast import Claim, Entry, Epoch, RunId, StreamId
from headrace.core.errors import HeadraceError


@dataclass(frozen=True, slots=True)
class RungPosition:
    """Where a rung goes on: the next part's place, and who wrote the last one.

    `start` is the nominal boundary at which the next part starts, `segment_start` that of its segment (equal to `start`
    where a segment begins), ticks. `opened`: the segment opened on a source keyframe.
    `encoder` is '' after a gap in which media is missing.
    """

    msn: int
    part: int
    start: int
    segment_start: int
    opened: bool
    encoder: str


@dataclass(frozen=True, slots=True)
class Taken:
    """A takeover's answer: the last staged integer, the last published one, the chained id, each rung's position."""

    n: int
    published: int
    id: str
    rungs: dict[str, RungPosition] = field(default_factory=dict)


class Append(NamedTuple):
    """One entry to be staged; a Part with its bytes."""

    entry: Entry
    data: bytes | None = None


@dataclass(frozen=True, slots=True)
class Staged:
    """A staged entry's integer and chained id: id = sha1hex(previous id + entry bytes)."""

    n: int
    id: str


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has come. The cursor before everything is `Cursor(0, "")`."""

    n: int
    id: str


@dataclass(frozen=True, slots=True)
class Published:
    """One published entry. `entry` is None where its kind is unknown to this version: skip it."""

    n: int
    id: str
    entry: Entry | None


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read found after a cursor.

    `whole`: the cursor was not found in the log, so `entries` is the entire window, and `head` the run's RunStart and
    each rung's Inits in order: first, if the log has forgotten it, the one that the window begins with, last the
    current one. The reader goes back to the last entry that it shares with it. `cursor`: after it.
    `oldest`: the MSN below which the log has forgotten every segment; it may be within the plan's window.
    """

    entries: tuple[Published, ...]
    cursor: Cursor
    whole: bool = False
    head: tuple[Entry, ...] = ()
    oldest: int = 0


class LogError(HeadraceError):
    """A refusal by the log."""

    code = "log"


class NoRun(LogError):
    """The log knows no such run (EMPTY)."""

    code = "log_empty"


class Fenced(LogError):
    """Somebody else holds the run; `epoch` is the fence's. Raised by takeover (REFUSED) and by all that follows it."""

    code = "log_fenced"

    def __init__(self, epoch: Epoch) -> None:
        super().__init__(f"the run is held by session {epoch.session}, attempt {epoch.attempt}")
        self.epoch = epoch


class RunEnded(LogError):
    """The run has its `End`."""

    code = "log_ended"


class StaleLog(LogError):
    """The log is behind what was promised durable (STALE)."""

    code = "log_stale"


class OutOfStep(LogError):
    """CONFLICT, BEHIND, POSITION or SPLICE: the writer and the log disagree; take over again. `kind` says which."""

    code = "log_out_of_step"

    def __init__(self, kind: str, description: str) -> None:
        super().__init__(f"{kind}: {description}")
        self.kind = kind


class Unreachable(LogError):
    """The log does not answer, or its connection was lost; what was under way may have been done or not.

    A writer takes over again, with a higher take, before it does anything else.
    """

    code = "log_unreachable"


class LogFull(LogError):
    """No room for another run."""

    code = "log_full"


class Entries(Protocol):
    """The entries of runs. All calls have deadlines of their own and raise LogError, Unreachable always among them."""

    @property
    def in_process(self) -> bool:
        """Whether it lives in this process alone: with that ends every run, and every service that feeds one."""

    async def takeover(self, run: RunId, claim: Claim, floor: int, *, open_new: bool = False) -> Taken:
        """Make `claim` the run's fence. `floor`: ticks already promised durable. `open_new`: create an unknown run.

        Raises NoRun, Fenced, RunEnded, StaleLog, LogFull.
        """

    async def stage(self, run: RunId, claim: Claim, n: int, *appends: Append) -> Staged:
        """Store `appends` in order, the first as the run's n-th entry (the last + 1). Nobody sees them yet.

        The answer is that to the last one. Staging the same entry again at its integer is answered as the first time.
        Where one is refused, those before it are staged and none after it. Raises Fenced, RunEnded, OutOfStep.
        """

    async def wait(self, run: RunId) -> bool:
        """Whether all that was staged before is on every replica (always, where there are none)."""

    async def publish(self, run: RunId, claim: Claim, n: int) -> None:
        """Show every staged entry up to `n` to readers, in order. Raises Fenced, OutOfStep."""

    async def read(self, run: RunId, cursor: Cursor) -> Reading:
        """Published entries after `cursor`. Raises NoRun."""

    def follow(self, run: RunId, cursor: Cursor) -> AsyncIterator[Reading]:
        """`read` now, and again whenever something was published, or forgotten before its time.

        Ends after the Reading that holds `End`.
        """

    async def set_current(self, newest: Mapping[StreamId, RunId]) -> None:
        """These are the streams' newest runs."""

    async def current(self, stream: StreamId) -> RunId | None:
        """The stream's newest run, if it has one."""


class Bytes(Protocol):
    """The bytes of parts, kept for the window and a margin."""

    async def get(self, run: RunId, rung: str, msn: int, part: int, encoder: str) -> bytes | None:
        """A part's bytes, or None when they are unknown or expired."""


class LiveLog(Entries, Bytes, Protocol):
    """Both, as services use them. A part's bytes come with `stage` and go with the window."""

    async def run(self) -> None:
        """Do what must be done beside calls, until cancelled: whoever opened the log awaits it."""
