"""What an origin says of itself, over a real socket."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from headrace.livelog.memory import MemoryLog
from headrace.origin.service import OriginSettings, build
from headrace.runtime.config import BadSetting
from headrace.wire.channel import listen, make_server
from headrace.wire.control import PodKind, PodReport, add_fleet


async def test_an_origin_tells_control_that_it_is_there(tmp_path: Path) -> None:
    heard: asyncio.Queue[PodReport] = asyncio.Queue()

    async def fleet(reports: AsyncIterator[PodReport]) -> None:
        async for report in reports:
            heard.put_nowait(report)

    server = make_server()
    add_fleet(server, fleet)
    target = listen(server, f"unix:{tmp_path}/c")
    await server.start()
    origin = build(OriginSettings(control_target=target, pod="o-0", zone="z"), log=MemoryLog(1 << 20))
    async with asyncio.TaskGroup() as group:
        group.create_task(origin.run())
        async with asyncio.timeout(10):
            report = await heard.get()
        assert (report.pod, report.kind, report.zone, report.ready) == ("o-0", PodKind.ORIGIN, "z", True)
        origin.stop()
    await server.stop(0)


def test_a_target_that_is_none_is_a_setting_that_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_PLAINTEXT", "true")
    with pytest.raises(BadSetting, match="no gRPC target"):
        build(OriginSettings(control_target="nowhere"), log=MemoryLog(1 << 20))
