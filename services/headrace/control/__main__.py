"""`python -m headrace.control`: control alone, configured by `HEADRACE_*` variables, with a live log of its own."""

import asyncio
import sys

from pydantic import ValidationError

from headrace.control.service import ControlSettings, build, migrate
from headrace.core.errors import HeadraceError
from headrace.livelog.memory import MemoryLog
from headrace.runtime.lifecycle import listen_tcp, run_until_signalled, serve_http
from headrace.runtime.telemetry.logs import configure


async def main(stopping: asyncio.Event) -> None:
    """Run until `stopping` is set. Raises HeadraceError where it cannot start."""
    settings = ControlSettings()  # type: ignore[call-arg]  # the environment gives them
    await migrate(settings.database_url)
    service = build(settings, log=MemoryLog())
    sock = listen_tcp(settings.control_http_host, settings.control_http_port, "HTTP")
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(serve_http(service.http_app, sock))
        running = group.create_task(service.run())
        await stopping.wait()
        serving.cancel()
        await asyncio.wait([serving])
        running.cancel()


if __name__ == "__main__":
    configure()
    try:
        run_until_signalled(main)
    except* (HeadraceError, ValidationError) as errors:
        sys.exit("; ".join(str(error) for error in errors.exceptions))
