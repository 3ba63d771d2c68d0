"""Requests of the API and the console are counted by what they asked for, never by the path that they gave."""

import pytest
from prometheus_client import REGISTRY

from headrace.control.http.measuring import Measured
from headrace.control.metrics import ROUTES
from tests.support.asgi import ask
from tests.unit.control.support import API_KEY, Control

COUNTED = [
    ("GET", "/v1/streams", "200"),
    ("POST", "/v1/streams", "422"),
    ("GET", "/", "200"),
    ("GET", "/docs", "200"),
    ("GET", "/errors", "200"),
    ("GET", "/openapi.json", "200"),
    ("GET", "/readyz", "200"),
    ("GET", "/metrics", "200"),
    ("POST", "/console/logout", "204"),
]


def counted(route: str, method: str, status: str) -> float:
    labels = {"route": route, "method": method, "status": status}
    return REGISTRY.get_sample_value("headrace_control_requests_total", labels) or 0.0


def timed(route: str) -> float:
    return REGISTRY.get_sample_value("headrace_control_request_seconds_count", {"route": route}) or 0.0


@pytest.mark.parametrize(("method", "path", "status"), COUNTED)
async def test_a_request_is_counted_by_its_route_and_its_answer(
    parts: Control, method: str, path: str, status: str
) -> None:
    before, times = counted(path, method, status), timed(path)
    async with parts.client(Authorization=f"Bearer {API_KEY}") as client:
        await client.request(method, path)
    assert (counted(path, method, status) - before, timed(path) - times) == (1, 1)


async def test_what_a_path_names_is_no_label(parts: Control) -> None:
    before = counted("/v1/streams/{stream_id}", "GET", "404"), counted("/console", "GET", "404")
    other = counted("other", "GET", "404"), counted("/v1/streams/{stream_id}", "other", "405")
    async with parts.client(Authorization=f"Bearer {API_KEY}") as client:
        await client.get("/v1/streams/secretword")
        await client.get("/console/secretword.js")
        await client.get("/secretword")
        await client.request("SECRETWORD", "/v1/streams/secretword")
        exposition = (await client.get("/metrics")).text
    assert counted("/v1/streams/{stream_id}", "GET", "404") - before[0] == 1
    assert counted("/console", "GET", "404") - before[1] == 1
    assert counted("other", "GET", "404") - other[0] == 1
    assert counted("/v1/streams/{stream_id}", "other", "405") - other[1] == 1
    assert "secretword" not in exposition.lower()


async def test_every_route_of_the_api_has_a_label(parts: Control) -> None:
    async with parts.client() as client:
        described = (await client.get("/openapi.json")).json()
    assert set(described["paths"]) <= set(ROUTES)


async def test_a_bug_is_counted_as_500() -> None:
    async def failing(*_: object) -> None:
        raise RuntimeError("planted")

    before = counted("other", "GET", "500")
    with pytest.raises(RuntimeError):
        await ask(Measured(failing), "/planted")
    assert counted("other", "GET", "500") - before == 1
