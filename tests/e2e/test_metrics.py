"""What an operator sees of a stream, from its publish to its end: by `/metrics`, and by a collector."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.sources import MONO, Source
from tests.support.metrics_reference import Metric, catalogue
from tests.support.otlp import MetricsCollector, Series, metrics_collector, series
from tests.support.publishers import Pace, Publisher, publish
from tests.support.reader import Viewer
from tests.support.stack import Stack, Stream, eventually

pytestmark = pytest.mark.timeout(90)

NAME = "a name that nobody else has"
# What has happened after one stream that somebody watched; a histogram by its count.
HAPPENED = [
    *("edge_received_bytes_total", "edge_received_frames_total", "edge_sent_bytes_total", "edge_sent_frames_total"),
    *("edge_sent_batches_total", "edge_closed_connections_total", "edge_held_limit_bytes", "edge_first_part_seconds"),
    *("transcoder_received_frames_total", "transcoder_received_bytes_total", "transcoder_taken_workers_total"),
    *("transcoder_published_parts_total", "transcoder_published_bytes_total", "transcoder_worker_start_seconds"),
    *("transcoder_publish_delay_seconds", "transcoder_durable_delay_seconds", "transcoder_calls_total"),
    *("transcoder_capacity_pixels_per_second", "log_held_bytes", "log_held_limit_bytes", "log_runs"),
    *("origin_requests_total", "origin_sent_bytes_total", "origin_log_readings_total", "origin_part_age_seconds"),
    *("origin_live_edge_age_seconds", "origin_first_playlist_seconds", "origin_followed_runs"),
    *("origin_waiting_limit_requests", "origin_media_cache_limit_bytes", "origin_media_lookups_total"),
    *("control_opened_sessions_total", "control_streams", "control_transcoders", "control_requests_total"),
    *("control_request_seconds", "wire_served_calls_total", "wire_served_call_seconds", "wire_made_calls_total"),
    *("wire_made_call_seconds", "wire_made_open_calls", "wire_served_open_calls", "http_connections"),
    *("http_limit_connections", "process_loop_lag_seconds", "process_start_seconds"),
]
WHILE_LIVE = [
    *("edge_connections", "edge_publishers", "edge_held_bytes", "transcoder_runs", "transcoder_used_pixels_per_second"),
    *("transcoder_worker_resident_bytes", "origin_oldest_live_edge_seconds", "control_live_runs"),
]
# What goes on while nobody publishes or watches: reports, requests for metrics, the loop, and the sendings themselves.
RESTLESS = (
    *("wire_", "http_", "process_", "telemetry_", "log_", "control_request", "origin_live_edge", "transcoder_worker"),
)


class Seen(NamedTuple):
    """What was there to be seen of one stream."""

    stream: Stream
    run: str
    live: str
    over: str
    collector: MetricsCollector


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory, viewer: Viewer, clip: Callable[[Source], Path]) -> Iterator[Seen]:
    with (
        metrics_collector() as collector,
        Stack(tmp_path_factory.mktemp("data"), otlp_endpoint=collector.endpoint, otlp_period_s=1) as stack,
    ):
        stream = stack.create(NAME)
        with publish(Publisher.PYAV, Pace.REALTIME, clip(MONO), stream.publish_url) as publisher:
            eventually("a run", lambda: stream.run, 10)
            run = str(stream.run)
            # Asked for before there is anything to see, as players do.
            media = eventually("a playlist", lambda: viewer.exists(stream.hls_url), 20) and watched(viewer, stream)
            assert media
            live = stack.http.get("/metrics").text
            assert publisher.wait(60) == 0, publisher.output
        eventually("all of it in the log", lambda: stack.metric("headrace_edge_publishers") == 0, 20)
        eventually("the worker's end", lambda: stack.metric("headrace_transcoder_runs") == 0, 20)
        eventually("the run's end", lambda: stack.metric("headrace_control_live_runs") == 0, 20)
        over = stack.http.get("/metrics").text
        before = len(collector.requests)
        eventually("two more sendings", lambda: len(collector.requests) > before + 1, 20)
        yield Seen(stream, run, live, over, collector)


def watched(viewer: Viewer, stream: Stream) -> bool:
    """Fetch a playlist and a segment."""
    playlist = viewer.playlist(viewer.multivariant(stream.hls_url).variants[0].url)
    viewer.get(playlist.segments[-1].url)
    return True


def samples(exposition: str) -> dict[Series, float]:
    return {
        series(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
        if sample.name.startswith("headrace_")
    }


def total(exposition: str, name: str) -> float:
    """A metric's value, all of its series together; how many, of a histogram."""
    found = [value for (each, _), value in samples(exposition).items() if each in (name, f"{name}_count")]
    assert found, f"{name} is not there"
    return sum(found)


def promised() -> dict[str, Metric]:
    return {each.name: each for each in catalogue()}


def test_what_a_watched_stream_brings_about_is_counted(seen: Seen) -> None:
    assert [name for name in HAPPENED if not total(seen.over, f"headrace_{name}") > 0] == []


def test_what_is_so_while_a_stream_is_live_is_told(seen: Seen) -> None:
    assert [name for name in WHILE_LIVE if not total(seen.live, f"headrace_{name}") > 0] == []


def test_what_goes_through_is_counted_alike_wherever_it_passes(seen: Seen) -> None:
    frames = total(seen.over, "headrace_edge_received_frames_total")
    assert frames == total(seen.over, "headrace_edge_sent_frames_total")
    assert frames == total(seen.over, "headrace_transcoder_received_frames_total")
    media_bytes = total(seen.over, "headrace_edge_sent_bytes_total")
    assert media_bytes == total(seen.over, "headrace_transcoder_received_bytes_total")
    assert 0.9 * media_bytes < total(seen.over, "headrace_edge_received_bytes_total") < 1.2 * media_bytes + 20_000
    assert total(seen.over, "headrace_edge_first_part_seconds") == 1
    for behind in ("edge_held_bytes", "edge_unpublished_seconds", "edge_undurable_seconds", "transcoder_held_bytes"):
        assert total(seen.over, f"headrace_{behind}") == 0


def test_no_metric_names_a_stream_a_run_or_a_key(seen: Seen) -> None:
    told = [seen.live, seen.over, *(str(request) for request in seen.collector.requests)]
    secret = seen.stream.key.removeprefix("sk_")
    for what in (seen.stream.id, seen.run, seen.stream.key, secret, NAME, urlsplit(seen.stream.hls_url).path):
        assert not [text for text in told if what in text], what


def test_every_label_has_a_value_of_the_catalogue(seen: Seen) -> None:
    known = promised()
    for name, labels in samples(seen.over):
        metric = known.get(name) or known[re.sub("_(bucket|count|sum)$", "", name)]
        given = {label: value for label, value in labels if label != "le"}
        assert given.keys() == metric.labels.keys(), name
        assert all(value in metric.labels[label] for label, value in given.items()), (name, given)


def test_nothing_that_a_common_stream_does_is_other(seen: Seen) -> None:
    others = [key for key, value in samples(seen.over).items() if value and "other" in dict(key[1]).values()]
    assert [key for key in others if key[0].startswith("headrace_") and "closed_connections" not in key[0]] == []


def test_the_collector_has_what_the_exposition_says(seen: Seen) -> None:
    shown = {key: value for key, value in samples(seen.over).items() if at_rest(key[0])}
    assert len(shown) > 200
    assert {key: seen.collector.series.get(key) for key in shown} == shown
    assert promised().keys() - {name.removesuffix("_bucket") for name, _ in seen.collector.series} == set()


def at_rest(name: str) -> bool:
    """Whether it stands still while nobody publishes or watches."""
    return not name.startswith(tuple(f"headrace_{each}" for each in RESTLESS))
