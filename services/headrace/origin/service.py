"""The origin's composition root: makes the objects and hands them to each other.

Law: no logic. Neighbours: `standalone` mounts `http_app` under `/live`; `__main__` gives it a port of its own.
"""

import asyncio

from headrace.livelog.base import LiveLog
from headrace.livelog.opened import OpenedLog
from headrace.origin.caching import MediaCache
from headrace.origin.follower import Follower
from headrace.origin.http import OriginApp
from headrace.origin.report import Reporter
from headrace.origin.settings import OriginSettings

__all__ = ["OriginSettings", "Service", "build"]


class Service:
    """An origin. `http_app` answers below `/live` and wants the whole path; it needs `run` to be running."""

    def __init__(self, settings: OriginSettings, opened: OpenedLog) -> None:
        log = opened.log
        cache = MediaCache(log, settings.origin_cache_bytes)
        self._follower = Follower(log, settings.origin_idle_s, cache.forget)
        self._opened = opened
        self._reporter = Reporter(settings, self._not_ready)
        self._stopping = asyncio.Event()
        self.http_app = OriginApp(log, self._follower, cache, settings.origin_max_waiting, self._not_ready)

    async def run(self) -> None:
        """Follow runs until `stop` or cancellation; waiting requests are then answered."""
        async with self._opened.running(), asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._follower.run()), group.create_task(self._reporter.run())]
            with self.http_app.sharing.within(group):
                await self._stopping.wait()
            for task in tasks:
                task.cancel()

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping.set()

    def _not_ready(self) -> str:
        if self._stopping.is_set():
            return "stopping"
        # Later it has what it has read, and is ready: a log that is away is so for every origin at the same time.
        return "" if self._opened.has_answered else "the live log does not answer"


def build(settings: OriginSettings, *, log: LiveLog | None = None) -> Service:
    """An origin over `log`, or over the one that the environment names. Raises BadSetting, BadTarget."""
    return Service(settings, OpenedLog(log))
