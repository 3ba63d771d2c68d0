"""`/metrics` says the same in each of the forms that a scraper may ask for."""

import gzip

import pytest
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from headrace.runtime import vitals  # noqa: F401  # which declares some metrics
from headrace.runtime.probes import PROBES, Probes
from tests.support.asgi import Reply, ask

TEXT = "text/plain; version=0.0.4; charset=utf-8"
# As Prometheus 3 asks.
PROMETHEUS = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)


async def scrape(**headers: str) -> Reply:
    reply = await ask(
        Probes(lambda: ""), "/metrics", {name.replace("_", "-"): value for name, value in headers.items()}
    )
    assert reply.status == 200
    assert int(reply.headers["content-length"]) == len(reply.body)
    return reply


async def test_who_asks_for_nothing_gets_prometheus_text() -> None:
    reply = await scrape()
    assert reply.headers["content-type"] == TEXT
    names = {family.name for family in text_string_to_metric_families(reply.body.decode())}
    assert "process_open_fds" in names


@pytest.mark.parametrize(
    "accept",
    ["application/openmetrics-text; version=1.0.0", "Application/OpenMetrics-Text;version=nonsense", PROMETHEUS],
)
async def test_open_metrics_is_for_who_asks_for_it(accept: str) -> None:
    reply = await scrape(accept=accept)
    assert reply.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0; charset=utf-8")
    assert reply.body.endswith(b"# EOF\n")
    text = reply.body.decode()
    families = {family.name: family for family in openmetrics.text_string_to_metric_families(text)}  # type: ignore[no-untyped-call]
    assert families["headrace_process_loop_lag_seconds"].unit == "seconds"


@pytest.mark.parametrize("accept", ["image/png", "text/plain; version=nonsense", ";;,=", "a" * 9000])
async def test_a_wish_that_means_nothing_is_answered_with_text(accept: str) -> None:
    assert (await scrape(accept=accept)).headers["content-type"] == TEXT


async def test_it_is_compressed_for_who_can_read_that() -> None:
    plain, packed = await scrape(), await scrape(accept_encoding="deflate, gzip;q=1.0")
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert len(packed.body) < len(plain.body) / 3
    assert gzip.decompress(packed.body).startswith(b"# HELP ")


async def test_a_head_has_the_fields_and_no_body() -> None:
    reply = await ask(Probes(lambda: ""), "/metrics", method="HEAD")
    assert (reply.status, reply.body) == (200, b"")
    assert int(reply.headers["content-length"]) > 1000


def test_a_process_knows_its_probes_for_as_long_as_they_are_there() -> None:
    probes = Probes(lambda: "starting")
    assert probes in PROBES
    assert not probes.ready
    before = len(PROBES)
    del probes
    assert len(PROBES) == before - 1
