"""The origin's composition root: makes the objects and hands them to each other.

Law: no logic. Neighbours: `standalone` mounts `http_app` under `/live` and runs `run`.
"""

import asyncio

from headrace.livelog.base import LiveLog
from headrace.origin.caching import MediaCache
from headrace.origin.follower import Follower
from headrace.origin.http import OriginApp
from headrace.origin.settings import OriginSettings

__all__ = ["OriginSettings", "Service", "build"]


class Service:
    """An origin. `http_app` answers below `/live` and wants the whole path; it needs `run` to be running."""

    def __init__(self, http_app: OriginApp, follower: Follower) -> None:
        self.http_app = http_app
        self._follower = follower
        self._stopping = asyncio.Event()

    async def run(self) -> None:
        """Follow runs until `stop` or cancellation; waiting requests are then answered."""
        async with asyncio.TaskGroup() as group:
            following = group.create_task(self._follower.run())
            with self.http_app.sharing.within(group):
                await self._stopping.wait()
            following.cancel()

    def stop(self) -> None:
        """Let `run` return."""
        self._stopping.set()


def build(settings: OriginSettings, *, log: LiveLog) -> Service:
    """An origin over `log`."""
    cache = MediaCache(log, settings.origin_cache_bytes)
    follower = Follower(log, settings.origin_idle_s, cache.forget)
    return Service(OriginApp(log, follower, cache, settings.origin_max_waiting), follower)
