"""A process as `runtime.process` runs it, with services that are awkward in one way each."""

import signal
import sys
import time

import httpx

from tests.support.otlp import metrics_collector, series
from tests.support.stack import Process, Stack, eventually

START_S = 20.0

SERVICE = """
import asyncio
from headrace.core.errors import HeadraceError
from headrace.runtime import process
from headrace.runtime.probes import Probes

class Service:
    def __init__(self):
        self.stopping = asyncio.Event()
        self.http_app = Probes(lambda: "stopping" if self.stopping.is_set() else "")
    def stop(self):
        self.stopping.set()
    async def run(self):
        {run}

process.STOP_S = {stop_s}
process.run_process("awkward", lambda: Service)
"""


def start(run: str, stop_s: float = 60, **variables: str) -> Process:
    """A process whose service does as it is told."""
    command = [sys.executable, "-c", SERVICE.format(run=run, stop_s=stop_s)]
    return Process(command, **{"HEADRACE_HTTP_HOST": "127.0.0.1", "HEADRACE_HTTP_PORT": "0", **variables})


def wait_serving(process: Process) -> str:
    """Its HTTP port's address, once it serves."""
    eventually("it serves", lambda: "http_port=" in process.output, START_S)
    return f"http://127.0.0.1:{process.output.partition('http_port=')[2].split()[0]}"


def test_while_it_stops_its_port_says_so_and_then_it_exits_with_0() -> None:
    with start("await self.stopping.wait(); await asyncio.sleep(1)") as process:
        url = wait_serving(process)
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 200
        process.signal(signal.SIGTERM)
        eventually("it says so", lambda: httpx.get(f"{url}/readyz", trust_env=False).text == "stopping\n", 1)
        assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200
        assert process.wait(5) == 0, process.output


def test_a_second_signal_ends_it_at_once() -> None:
    with start("await asyncio.sleep(60)") as process:
        wait_serving(process)
        process.signal(signal.SIGTERM)
        eventually("it stops", lambda: "stopping service=awkward" in process.output, 5)
        assert process.running
        process.signal(signal.SIGTERM)
        asked_s = time.monotonic()
        assert process.wait(5) == 130
        assert time.monotonic() - asked_s < 1


def test_one_that_does_not_end_is_ended_when_its_time_is_over() -> None:
    with start("await asyncio.sleep(60)", stop_s=0.5) as process:
        wait_serving(process)
        process.signal(signal.SIGINT)
        assert process.wait(5) == 1
    assert "it took too long" in process.lines[-1]


def test_what_a_service_finds_out_while_it_runs_is_one_sentence() -> None:
    with start("raise HeadraceError('the mill has stopped')") as process:
        assert process.wait(START_S) == 1
    assert process.lines[-1] == "headrace awkward: the mill has stopped"
    assert "Traceback" not in process.output


def test_what_nobody_thought_of_is_a_traceback_and_no_clean_exit() -> None:
    with start("raise ZeroDivisionError") as process:
        assert process.wait(START_S) == 1
    assert "ZeroDivisionError" in process.output


def test_its_metrics_go_to_a_collector_and_its_last_ones_at_its_end() -> None:
    with (
        metrics_collector() as collector,
        start(
            "await self.stopping.wait()",
            HEADRACE_OTLP_ENDPOINT=collector.endpoint,
            HEADRACE_OTLP_PERIOD_S="3600",
            HEADRACE_POD="mill-0",
        ) as process,
    ):
        url = wait_serving(process)

        def said() -> float | None:
            text = httpx.get(f"{url}/metrics", trust_env=False).text
            return Stack.metric_in(text, "headrace_process_start_seconds") or None

        start_s = eventually("it was ready", said, START_S)
        assert 0 < start_s < START_S
        process.signal(signal.SIGTERM)
        assert process.wait(5) == 0, process.output
    assert collector.senders == ["awkward"]
    assert collector.series[series("headrace_process_start_seconds", {})] == start_s
    [resource] = [each.resource for each in collector.requests[-1].resource_metrics]
    assert {each.key: each.value.string_value for each in resource.attributes}["service.instance.id"] == "mill-0"


def test_a_collector_that_is_away_delays_neither_its_start_nor_its_end() -> None:
    with start("await self.stopping.wait()", HEADRACE_OTLP_ENDPOINT="http://127.0.0.1:1") as process:
        wait_serving(process)
        process.signal(signal.SIGTERM)
        assert process.wait(5) == 0, process.output
    assert "Traceback" not in process.output
