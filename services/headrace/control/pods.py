"""What each pod said last, for people and `headrace doctor`: every kind of pod, its version, its clock.

Law: soft state of this replica, beside the fleet's, from the same reports; nothing is decided by it but that no other
kind of pod reports by a transcoder's name. A pod that ends in order is gone at once, one that falls silent is shown as
silent for `FORGET_S`. Neighbours: `fleet` decides by reports, `http.pods` shows this.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from headrace.control.fleet import FORGET_S
from headrace.runtime.telemetry.logs import RateLimited, logger
from headrace.wire.control import PodKind, PodReport
from headrace.wire.errors import NotAllowed

_borrowed = RateLimited(logger(__name__), "a pod reports by the name of a transcoder, and is none")


class PodCondition(StrEnum):
    """How a pod is."""

    READY = "ready"
    NOT_READY = "not_ready"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class SeenPod:
    """A pod's last report, and how long ago it came, seconds.

    `clock_ms`: how far the pod's clock is ahead of ours, milliseconds; what its report took on the way makes it seem
    behind. None: it has not told.
    """

    report: PodReport
    heard_s: float
    condition: PodCondition
    clock_ms: int | None


@dataclass(slots=True)
class _Heard:
    report: PodReport
    seen_s: float
    clock_ms: int | None
    call: object


class Pods:
    """`clock` gives monotonic seconds, `unix_ms` the time of day."""

    def __init__(self, silence_s: float, clock: Callable[[], float], unix_ms: Callable[[], int]) -> None:
        self._silence_s = silence_s
        self._clock = clock
        self._unix_ms = unix_ms
        self._heard: dict[str, _Heard] = {}

    def before(
        self, serve: Callable[[AsyncIterator[PodReport]], Awaitable[None]]
    ) -> Callable[[AsyncIterator[PodReport]], Awaitable[None]]:
        """A handler of reports that hears them too, before `serve` does."""

        async def handle(reports: AsyncIterator[PodReport]) -> None:
            await serve(self._overheard(reports))

        return handle

    def seen(self) -> list[SeenPod]:
        """Every pod that is not forgotten, by kind and name."""
        now_s = self._clock()
        self._forget(now_s)
        found = [
            SeenPod(heard.report, now_s - heard.seen_s, self._condition(heard, now_s), heard.clock_ms)
            for heard in self._heard.values()
        ]
        return sorted(found, key=lambda one: (one.report.kind.value, one.report.pod))

    async def _overheard(self, reports: AsyncIterator[PodReport]) -> AsyncIterator[PodReport]:
        call, pod = object(), None
        async for report in reports:
            pod = report.pod
            self._note(report, call)
            yield report
        # Its goodbye; unless it is calling again already.
        if pod is not None and (heard := self._heard.get(pod)) is not None and heard.call is call:
            del self._heard[pod]

    def _note(self, report: PodReport, call: object) -> None:
        heard = self._heard.get(report.pod)
        clock_ms = report.sent_ms - self._unix_ms() if report.sent_ms else None
        if heard is None:
            self._forget(self._clock())
            self._heard[report.pod] = _Heard(report, self._clock(), clock_ms, call)
            return
        borrowed = heard.report.kind is PodKind.TRANSCODER and report.kind is not PodKind.TRANSCODER
        if borrowed and self._clock() - heard.seen_s < FORGET_S:
            # By this name edges are told where to send media.
            _borrowed({"pod": report.pod, "kind": report.kind.value})
            raise NotAllowed(f"a transcoder has the name {report.pod}: set HEADRACE_POD to another one")
        heard.report, heard.seen_s, heard.call = report, self._clock(), call
        if clock_ms is not None:
            heard.clock_ms = clock_ms

    def _condition(self, heard: _Heard, now_s: float) -> PodCondition:
        if now_s - heard.seen_s >= self._silence_s:
            return PodCondition.SILENT
        return PodCondition.READY if heard.report.ready else PodCondition.NOT_READY

    def _forget(self, now_s: float) -> None:
        for pod in [pod for pod, heard in self._heard.items() if now_s - heard.seen_s >= FORGET_S]:
            del self._heard[pod]
