"""A service as a process of its own: its settings, its HTTP port, its signals, its exit code.

Law: what cannot be is one sentence: exit code 2 for a setting, 1 for everything else. The first signal stops the
service and then its HTTP port, so that probes and players hear of the stop; within `STOP_S` all is over but for the
last words of its telemetry, and the exit code of that is 0. Neighbours: each service's `__main__` calls `run_process`;
standalone runs all of them itself.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable
from typing import NoReturn, Protocol

from pydantic import Field

from headrace.core.errors import HeadraceError
from headrace.runtime import vitals
from headrace.runtime.aio.tasks import task_group
from headrace.runtime.config import BadSetting, Settings, pod_name, tell_libraries, variable
from headrace.runtime.http import serve_http
from headrace.runtime.lifecycle import listen_tcp, run_until_signalled
from headrace.runtime.probes import AsgiApp
from headrace.runtime.telemetry import logs, traces
from headrace.runtime.telemetry.redaction import redact
from headrace.runtime.telemetry.settings import TelemetrySettings

STOP_S = 14.0  # spot nodes give 15 s
BAD_SETTING_EXIT = 2
FAILED_EXIT = 1

_log = logs.logger(__name__)


class HttpSettings(Settings):
    """`HEADRACE_*` variables that every service has when it is a process of its own."""

    http_host: str = "0.0.0.0"
    """Address of the HTTP port, which serves `/livez`, `/readyz` and `/metrics`, and what else the service serves."""

    http_port: int = Field(default=8080, ge=0, le=65_535)
    """The HTTP port; 0 takes a free one, which the log names."""


class Service(Protocol):
    """What `<service>.service.build` makes."""

    @property
    def http_app(self) -> AsgiApp:
        """What the HTTP port serves."""

    async def run(self) -> None:
        """Serve until `stop`, then end in order."""

    def stop(self) -> None:
        """Let `run` return. It may be called before `run` has begun."""


Load = Callable[[], Callable[[], Service]]
"""Imports the service, and answers what builds it from the environment."""


def run_process(name: str, load: Load) -> NoReturn:
    """Run the service to its end, and exit. `name` is its own and its extra's."""
    tell_libraries()
    try:
        pod = pod_name(name, variable("HEADRACE_POD") or "")
        logs.configure(name, pod)
        build = load()
        telemetry = TelemetrySettings()
        with traces.sent(telemetry, name, pod):
            run_until_signalled(lambda stopping: _run(name, pod, telemetry, build, stopping))
    except BadSetting as error:
        _exit(name, str(error), BAD_SETTING_EXIT)
    except HeadraceError as error:
        _exit(name, str(error), FAILED_EXIT)
    except ModuleNotFoundError as error:
        package = (error.name or "headrace").partition(".")[0]
        if package == "headrace":
            raise
        _exit(name, f"{package} is missing: pip install 'headrace[{name}]'", FAILED_EXIT)
    sys.exit(0)


async def _run(
    name: str, pod: str, telemetry: TelemetrySettings, build: Callable[[], Service], stopping: asyncio.Event
) -> None:
    settings = HttpSettings()
    service = build()
    with listen_tcp(settings.http_host, settings.http_port, "HTTP") as sock:
        async with vitals.told(telemetry, name, pod):
            await _serve(name, service, sock, stopping)


async def _serve(name: str, service: Service, sock: socket.socket, stopping: asyncio.Event) -> None:
    async with task_group() as group:
        serving = group.create_task(serve_http(service.http_app, sock))
        running = group.create_task(service.run())
        host, port, *_ = sock.getsockname()
        _log.info("serving", extra={"service": name, "http_host": host, "http_port": port})
        await stopping.wait()
        _log.info("stopping", extra={"service": name})
        service.stop()
        _, late = await asyncio.wait({running}, timeout=STOP_S)
        if late:
            _log.error("stopped in the middle, for it took too long", extra={"service": name})
            os._exit(FAILED_EXIT)
        serving.cancel()


def _exit(name: str, sentence: str, code: int) -> NoReturn:
    print(f"headrace {name}: {redact(sentence)}", file=sys.stderr)
    sys.exit(code)
