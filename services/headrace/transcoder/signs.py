"""Signs of life of all runs: how far each is behind its source and its replicas, and how fast it is now.

Law: read from the works when somebody wants to know, or every `SAMPLE_S`; no frame and no part pays for it. A run whose
source does not send says nothing about its encoder and is left out. Neighbours: `supervisor` has the works.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

from headrace.core.media import TICKS_PER_S
from headrace.runtime.aio.clock import monotonic_s
from headrace.transcoder import metrics

SAMPLE_S = 10.0
LIVE_SHARE = 0.9  # of a second of media in each second: less, with nothing waiting, is the source's doing


class Work(Protocol):
    """One run."""

    @property
    def fed(self) -> int:
        """Everything before this time was given to the worker, ticks."""

    @property
    def published(self) -> int:
        """Everything before this time is published in every rendition, ticks."""

    @property
    def input_bytes(self) -> int:
        """Media that waits for the worker to read it."""

    @property
    def undurable_s(self) -> float:
        """How long the oldest entry has been staged that is not durable."""


class _Sample(NamedTuple):
    at_s: float
    fed: int
    published: int


class Signs:
    """Of `works`, as they are at each look."""

    def __init__(self, works: Collection[Work], clock: Callable[[], float] = monotonic_s) -> None:
        self._works = works
        self._clock = clock
        self._samples: dict[Work, _Sample] = {}
        metrics.INPUT_BYTES.set_function(lambda: sum(work.input_bytes for work in self._works))
        metrics.BACKLOG_S.set_function(lambda: max((_backlog(work) for work in self._works), default=0) / TICKS_PER_S)
        metrics.UNDURABLE_S.set_function(lambda: max((work.undurable_s for work in self._works), default=0.0))

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            await asyncio.sleep(SAMPLE_S)
            self.sample()

    def sample(self) -> None:
        """Count the speed of each run that was there the last time, and is live."""
        now_s = self._clock()
        samples = {work: _Sample(now_s, work.fed, work.published) for work in self._works}
        for work, now in samples.items():
            before = self._samples.get(work)
            if before is not None and now_s > before.at_s:
                wanted = (now_s - before.at_s) * TICKS_PER_S
                if work.input_bytes or now.fed - before.fed >= LIVE_SHARE * wanted:
                    metrics.SPEED.observe((now.published - before.published) / wanted)
        self._samples = samples


def _backlog(work: Work) -> int:
    return max(0, work.fed - work.published)
