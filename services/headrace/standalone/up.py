"""`headrace up`: builds the services, starts them, and ends them in order.

Law: stopping goes the way of the media: the edge ends its publishes, the transcoder flushes, then viewers get a moment
to read that the runs are over. Neighbours: `cli.up` prints what `Started` says.
"""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from headrace.control import service as control_service
from headrace.edge import service as edge_service
from headrace.livelog.memory import MemoryLog
from headrace.livelog.settings import LogSettings
from headrace.origin import service as origin_service
from headrace.runtime import vitals
from headrace.runtime.aio.tasks import task_group
from headrace.runtime.http import serve_http
from headrace.runtime.lifecycle import listen_tcp
from headrace.runtime.telemetry.settings import TelemetrySettings
from headrace.standalone.data import DataDirectory
from headrace.standalone.demo import demo_stream, publish_demo
from headrace.standalone.http import OnePort
from headrace.standalone.public import public_host
from headrace.standalone.settings import Address, UpSettings
from headrace.standalone.sockets import socket_directory
from headrace.transcoder import service as transcoder_service
from headrace.wire.lease_keys import LeaseKey

LINGER_S = 1.0  # players ask every second or two; most of them read the ENDLIST


@dataclass(frozen=True, slots=True)
class Started:
    """What a person who started it wants to know. `new_api_key` where one was made, `demo_url` with the demo."""

    data: Path
    new_api_key: str | None
    console_url: str
    rtmp_url: str
    demo_url: str | None


async def up(settings: UpSettings, stopping: asyncio.Event, on_started: Callable[[Started], None]) -> None:
    """Run everything until `stopping` is set. Raises HeadraceError, one of its services' as itself."""
    with contextlib.ExitStack() as closing:
        data = closing.enter_context(contextlib.closing(DataDirectory(settings.data)))
        sockets = closing.enter_context(socket_directory())
        async with vitals.told(TelemetrySettings(), "standalone", "standalone"):
            await _up(settings, data, sockets, closing, stopping, on_started)


async def _up(
    settings: UpSettings,
    data: DataDirectory,
    sockets: Path,
    closing: contextlib.ExitStack,
    stopping: asyncio.Event,
    on_started: Callable[[Started], None],
) -> None:
    api_key, key_is_new = data.api_key()
    await control_service.migrate(data.database_url)
    http_sock = closing.enter_context(listen_tcp(settings.http.host, settings.http.port, "HTTP"))
    http_url = f"http://{Address(public_host(settings.http.host), http_sock.getsockname()[1])}"
    control_target, transcoder_target = f"unix:{sockets}/control", f"unix:{sockets}/transcoder"

    log, lease_key = MemoryLog(LogSettings().log_bytes), LeaseKey.made()
    edge = edge_service.build(
        edge_service.EdgeSettings(
            rtmp_host=settings.rtmp.host, rtmp_port=settings.rtmp.port, control_target=control_target
        )
    )
    rtmp_url = f"rtmp://{Address(public_host(settings.rtmp.host), edge.rtmp_port)}/live"
    transcoder = transcoder_service.build(
        transcoder_service.TranscoderSettings(
            transcoder_target=transcoder_target,
            control_target=control_target,
            capacity_file=settings.data / "capacity.json",
        ),
        log=log,
        lease_keys=lease_key.public,
    )
    control_settings = control_service.ControlSettings(
        database_url=data.database_url,
        api_key=SecretStr(api_key),
        control_target=control_target,
        public_rtmp_url=rtmp_url,
        public_http_url=http_url,
    )
    control = control_service.build(control_settings, log=log, lease_key=lease_key)
    origin = origin_service.build(origin_service.OriginSettings(), log=log)

    async with task_group() as group:
        start = group.create_task
        serving = start(serve_http(OnePort(control.http_app, origin.http_app), http_sock))
        behind = [start(log.run()), start(origin.run()), start(control.run()), serving]
        transcoding = start(transcoder.run())
        edging = start(edge.run())
        demo_url = None
        demo = None
        if settings.demo:
            publish_url, demo_url = await demo_stream(control.http_app, api_key, data)
            demo = start(publish_demo(publish_url, stopping))
        on_started(
            Started(
                settings.data,
                api_key if key_is_new else None,
                f"{http_url}/?login={control.login_url_token()}",
                rtmp_url,
                demo_url,
            )
        )
        await stopping.wait()
        await _ended(edging)
        if demo is not None:
            await _ended(demo)
        await _ended(transcoding)
        await asyncio.sleep(LINGER_S)
        for task in behind:
            await _ended(task)


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancel `task` and wait for its end."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
