"""`python -m headrace.transcoder`: a transcoder alone, configured by `HEADRACE_*` variables, with a log of its own."""

import asyncio
import sys

from pydantic import ValidationError

from headrace.core.errors import HeadraceError
from headrace.livelog.memory import MemoryLog
from headrace.runtime.lifecycle import listen_tcp, run_until_signalled, serve_http
from headrace.runtime.telemetry.logs import configure
from headrace.transcoder.service import build
from headrace.transcoder.settings import TranscoderSettings


async def main(stopping: asyncio.Event) -> None:
    """Run until `stopping` is set. Raises HeadraceError where it cannot start."""
    settings = TranscoderSettings()
    log = MemoryLog()
    service = build(settings, log=log)
    sock = listen_tcp(settings.transcoder_http_host, settings.transcoder_http_port, "HTTP")
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work) for work in (log.run(), serve_http(service.http_app, sock), service.run())]
        await stopping.wait()
        for task in tasks:
            task.cancel()


if __name__ == "__main__":
    configure()
    try:
        run_until_signalled(main)
    except* (HeadraceError, ValidationError) as errors:
        sys.exit("; ".join(str(error) for error in errors.exceptions))
