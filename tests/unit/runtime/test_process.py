"""Probes, logs, memory limits and ports."""

import logging
from pathlib import Path
from typing import Any

import pytest

from headrace.runtime.memory import memory_limit_bytes
from headrace.runtime.probes import Probes
from headrace.runtime.telemetry.logs import RateLimited


async def get(app: Probes, path: str) -> tuple[int, bytes]:
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    await app({"type": "http", "path": path, "method": "GET", "headers": []}, receive, send)
    return sent[0]["status"], sent[1]["body"]


async def test_livez_is_well_even_when_readyz_is_not() -> None:
    reason = "draining"
    app = Probes(lambda: reason)
    assert await get(app, "/livez") == (200, b"ok\n")
    assert await get(app, "/readyz") == (503, b"draining\n")
    reason = ""
    assert (await get(app, "/readyz"))[0] == 200
    status, body = await get(app, "/metrics")
    assert status == 200
    assert b"python_info" in body
    assert (await get(app, "/else"))[0] == 404


def test_the_containers_memory_limit_counts(tmp_path: Path) -> None:
    limit, none = tmp_path / "limit", tmp_path / "none"
    limit.write_text("1048576\n")
    none.write_text("max\n")
    assert memory_limit_bytes((limit,)) == 1 << 20
    assert memory_limit_bytes((none, tmp_path / "missing")) > 1 << 20


def test_a_peer_cannot_fill_the_log(caplog: pytest.LogCaptureFixture) -> None:
    said = RateLimited(logging.getLogger("test"), "garbage", period_s=3600)
    for _ in range(1000):
        said({"peer": "x"})
    assert len(caplog.records) == 1
