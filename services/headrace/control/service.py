"""Control's composition root.

Law: makes the objects and runs them; no logic. `Sessions` and `Fleet.serve` are the handlers of `wire.control`.
Neighbours: standalone migrates the database, builds this and mounts `http_app`; `__main__` runs it alone.
"""

import asyncio

from headrace.control import metrics
from headrace.control.accounts import Accounts
from headrace.control.auth import Auth
from headrace.control.db import Database, migrate
from headrace.control.endings import Endings
from headrace.control.fleet import Fleet
from headrace.control.http import create_app
from headrace.control.leases import Leases
from headrace.control.pods import Pods
from headrace.control.registry import Registry
from headrace.control.sessions import Sessions
from headrace.control.settings import LEAST_KEY_CHARS, ControlSettings
from headrace.livelog.base import LiveLog
from headrace.livelog.opened import OpenedLog
from headrace.runtime.aio.clock import monotonic_s, unix_ms
from headrace.runtime.config import BadSetting
from headrace.runtime.probes import AsgiApp
from headrace.runtime.telemetry.logs import logger
from headrace.wire.channel import REPORTS, listen, make_server, serve
from headrace.wire.control import add_fleet, add_sessions
from headrace.wire.health import CONTROL_SERVICES, add_health
from headrace.wire.identity import Role
from headrace.wire.lease import LeaseSigner
from headrace.wire.lease_keys import LeaseKey
from headrace.wire.reflection import GrpcSettings, add_reflection
from headrace.wire.trust import trust_of

__all__ = ["LEAST_KEY_CHARS", "ControlSettings", "Service", "build", "migrate"]

_log = logger(__name__)


class Service:
    """Control, ready to run: serve `http_app`, and await `run` beside it."""

    def __init__(self, settings: ControlSettings, opened: OpenedLog, lease_key: LeaseKey | None) -> None:
        self._settings = settings
        self._trust = trust_of(Role.CONTROL, settings.control_target)
        self._opened = opened
        log = opened.log
        api_key = settings.api_key.get_secret_value()
        self._database = Database(settings.database_url, settings.database_connections)
        self._auth = Auth(api_key, monotonic_s)
        self._fleet = Fleet(settings.fleet_silence_s, monotonic_s)
        self._pods = Pods(settings.fleet_silence_s, monotonic_s, unix_ms)
        self._accounts = Accounts(self._database, self._fleet, monotonic_s)
        leases = Leases(settings.lease_s, settings.fleet_silence_s, self._database, self._fleet, monotonic_s)
        self._endings = Endings(settings, self._database, log, leases)
        if lease_key is None and self._trust.own is not None:
            raise BadSetting(
                "HEADRACE_LEASE_KEY: missing: where services have certificates, sessions have lease tokens"
            )
        signer = None if lease_key is None else LeaseSigner(lease_key)
        self._sessions = Sessions(
            settings, self._database, log, self._fleet, self._accounts, leases, self._endings, signer
        )
        self._registry = Registry(self._database, self._endings, api_key)
        self._stopping = asyncio.Event()
        metrics.TRANSCODERS.set_function(lambda: len(self._fleet.alive()))
        self.http_app: AsgiApp = create_app(settings, self._registry, self._auth, self._ready, self._pods, self._fleet)

    async def run(self) -> None:
        """Serve edges and transcoders and end runs that are over, until `stop` or cancellation.

        Raises DatabaseError, LogError and CannotListen at the start.
        """
        try:
            async with self._opened.running():
                await self._database.check_schema()
                await self._endings.forget_lost_runs()
                server = make_server(REPORTS, trust=self._trust)
                add_sessions(server, self._sessions)
                add_fleet(server, self._pods.before(self._fleet.serve))
                health = add_health(server, CONTROL_SERVICES, self._ready)
                add_reflection(server, CONTROL_SERVICES, GrpcSettings())
                target = listen(server, self._settings.control_target, trust=self._trust)
                _log.info("listening for edges and transcoders", extra={"target": target})
                async with asyncio.TaskGroup() as group:
                    works = (
                        self._trust.run(),
                        serve(server),
                        health.run(),
                        self._sessions.run(),
                        self._endings.sweep_for_ever(),
                        self._accounts.run(),
                    )
                    tasks = [group.create_task(work) for work in works]
                    await self._stopping.wait()
                    for task in tasks:
                        task.cancel()
        finally:
            await self._database.close()

    def stop(self) -> None:
        """Let `run` return after a clean stop."""
        self._stopping.set()

    def login_url_token(self) -> str:
        """A one-time token for `/?login=TOKEN`."""
        return self._auth.new_login_token()

    def _ready(self) -> str:
        if self._stopping.is_set():
            return "stopping"
        if not self._endings.healthy:
            return "the database does not answer"
        return "" if self._fleet.known else "transcoders have not reported yet"


def build(settings: ControlSettings, *, log: LiveLog | None = None, lease_key: LeaseKey | None = None) -> Service:
    """Control as `settings` say, with `log` or the one that the environment names. Raises BadSetting.

    Lease tokens are signed with `lease_key`, or the one in the file that `settings` name, or not at all.
    """
    if lease_key is None and settings.lease_key is not None:
        lease_key = LeaseKey.in_file(settings.lease_key)
    return Service(settings, OpenedLog(log), lease_key)
