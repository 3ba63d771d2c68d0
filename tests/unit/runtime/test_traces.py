import asyncio
import threading
import timeit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.trace import StatusCode

from headrace.core.broadcast import Refused, RunId
from headrace.core.broadcast.refusals import Reason
from headrace.runtime.telemetry import recording, trace_export, traces
from headrace.runtime.telemetry.recording import MAX_KEPT, MAX_TEXT, REFUSALS_S
from headrace.runtime.telemetry.settings import TelemetrySettings
from headrace.runtime.telemetry.trace_ids import chosen, parsed, trace_id_of
from headrace.runtime.telemetry.traces import Attribute, Span, Tracer
from tests.support.spans import Memory, ids, recorded

RUN = RunId("run-1")
EDGE, CONTROL, TRANSCODER = Tracer("edge"), Tracer("control"), Tracer("transcoder")


def dropped(reason: str) -> float:
    return float(recording.DROPPED.labels(reason)._value.get())


def ended_start(run: RunId = RUN) -> None:
    """A publish that goes on the air, as an edge tells of it."""
    root = EDGE.arrival(Span.PUBLISH)
    root.child(Span.CONNECT).end()
    with root.child(Span.OPEN_SESSION):
        pass
    root.join(run, stream="stream-1", session=1)
    with root.child(Span.ALLOCATE):
        pass
    root.end()


def refused_start(run: RunId | None = None) -> None:
    """One that is refused, before or after its run is known."""
    root = EDGE.arrival(Span.PUBLISH)
    root.child(Span.CONNECT).end()
    if run is not None:
        root.join(run, stream="stream-1", session=1)
    root.fail("no_capacity")


# ---- a run is one trace ----


def test_what_happened_before_the_run_was_known_is_in_its_trace() -> None:
    with recorded() as memory:
        ended_start()
    assert {ids(span)[0] for span in memory.spans} == {trace_id_of(RUN)}
    root = memory.one(Span.PUBLISH)
    assert root.parent is None
    for step in (Span.CONNECT, Span.OPEN_SESSION, Span.ALLOCATE):
        parent = memory.one(step).parent
        assert parent is not None
        assert (parent.trace_id, parent.span_id) == ids(root)


def test_every_span_says_what_it_is_about() -> None:
    with recorded() as memory:
        ended_start()
    about = {"headrace.stream": "stream-1", "headrace.run": "run-1", "headrace.session": 1}
    for span in memory.spans:
        assert span.attributes == about
        assert span.resource.attributes["service.name"] == "headrace-edge"
        assert span.resource.attributes["service.instance.id"] == "test"


def test_a_step_begins_before_it_ends_and_may_have_begun_before_it_was_told_of() -> None:
    with recorded() as memory:
        root = EDGE.arrival(Span.PUBLISH, start_ns=1000)
        root.child(Span.CONNECT, start_ns=1000).end()
        root.join(RUN)
        root.end()
    for span in memory.spans:
        assert span.start_time == 1000
        assert span.end_time is not None
        assert span.end_time > 1000


def test_a_clock_that_was_set_back_makes_no_span_end_before_it_began() -> None:
    ahead_ns = 1 << 62
    with recorded() as memory:
        EDGE.of_run(RUN, Span.PUBLISH, start_ns=ahead_ns).end()
    assert memory.spans[0].end_time == ahead_ns


def test_a_span_ends_once() -> None:
    with recorded() as memory:
        span = EDGE.of_run(RUN, Span.INGEST)
        span.end()
        span.end()
        span.fail("worker_lost")
    assert memory.one(Span.INGEST).status.status_code is StatusCode.UNSET


# ---- from process to process ----


def test_a_caller_and_its_answer_are_parent_and_child_although_nobody_knew_the_run() -> None:
    with recorded() as memory:
        root = EDGE.arrival(Span.PUBLISH)
        with root.child(Span.OPEN_SESSION):
            carried = traces.here()

        async def answer() -> None:
            traces.heard(carried)
            with CONTROL.arrival(Span.CONTROL_OPEN) as answering:
                answering.join(RUN, stream="stream-1", session=1)

        asyncio.run(answer())
        root.join(RUN, stream="stream-1", session=1)
        root.end()
    asked, answered = memory.one(Span.OPEN_SESSION), memory.one(Span.CONTROL_OPEN)
    assert ids(asked)[0] == ids(answered)[0] == trace_id_of(RUN)
    assert answered.parent is not None
    assert answered.parent.span_id == ids(asked)[1]
    assert answered.parent.is_remote


def test_an_answer_is_recorded_where_the_question_is() -> None:
    with recorded() as memory:
        with EDGE.of_run(RUN, Span.ALLOCATE) as asking:
            carried = traces.here()
        assert carried == asking.traceparent != ""

        async def answer() -> None:
            traces.heard(carried)
            with CONTROL.answer(Span.CONTROL_ALLOCATE):
                assert traces.step(Span.TAKEOVER) is not traces.OFF
            traces.heard("")
            with CONTROL.answer(Span.CONTROL_ALLOCATE):
                pass

        asyncio.run(answer())
    answered = memory.one(Span.CONTROL_ALLOCATE)
    assert answered.parent is not None
    assert answered.parent.span_id == ids(memory.one(Span.ALLOCATE))[1]


def test_what_names_another_trace_is_no_parent() -> None:
    with recorded() as memory:
        with EDGE.of_run(RunId("another"), Span.INGEST):
            carried = traces.here()
        TRANSCODER.of_run(RUN, Span.TAKE_RUN, parent=carried).end()
    assert memory.one(Span.TAKE_RUN).parent is None


def test_steps_belong_to_what_is_under_way() -> None:
    with recorded() as memory:
        with TRANSCODER.of_run(RUN, Span.TAKE_RUN, session=1, attempt=2), traces.step(Span.TAKEOVER):
            pass
        assert traces.step(Span.TAKEOVER) is traces.OFF
        assert traces.here() == ""
    outer, inner = memory.one(Span.TAKE_RUN), memory.one(Span.TAKEOVER)
    assert inner.parent is not None
    assert inner.parent.span_id == ids(outer)[1]
    assert inner.attributes == {"headrace.run": "run-1", "headrace.session": 1, "headrace.attempt": 2}


@given(st.text())
def test_what_cannot_be_read_names_nothing(text: str) -> None:
    assert parsed(text) is None


@pytest.mark.parametrize("zero", ["00-" + 32 * "0" + "-00f067aa0ba902b7-01", "00-" + 32 * "a" + "-" + 16 * "0" + "-01"])
def test_ids_of_nothing_but_zeroes_name_nothing(zero: str) -> None:
    assert parsed(zero) is None


def test_the_specification_s_own_example_is_read() -> None:
    remote = parsed("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert remote == (0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)


# ---- which runs are recorded ----


@given(st.text(min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_who_records_more_records_all_that_others_do(run: str, one: float, other: float) -> None:
    trace_id, (less, more) = trace_id_of(RunId(run)), sorted((one, other))
    assert chosen(trace_id, more) or not chosen(trace_id, less)
    assert chosen(trace_id, 1.0)
    assert not chosen(trace_id, 0.0)


def test_as_many_runs_are_recorded_as_the_ratio_says() -> None:
    recorded_ones = sum(chosen(trace_id_of(RunId(f"run-{n}")), 0.1) for n in range(10_000))
    assert 900 < recorded_ones < 1100


def not_chosen(ratio: float) -> RunId:
    return next(run for n in range(1000) if not chosen(trace_id_of(run := RunId(f"run-{n}")), ratio))


def test_of_a_run_that_is_not_chosen_nothing_is_sent_and_nobody_is_told() -> None:
    run = not_chosen(0.5)
    with recorded(0.5) as memory:
        ended_start(run)
        root = EDGE.arrival(Span.PUBLISH)
        root.join(run)
        with root.child(Span.INGEST):
            assert traces.here() == ""
        root.end()
        assert root.child(Span.INGEST) is traces.OFF
        assert TRANSCODER.of_run(run, Span.TAKE_RUN) is traces.OFF
    assert memory.spans == []


def test_a_publish_that_was_withdrawn_leaves_nothing() -> None:
    with recorded() as memory:
        root = EDGE.arrival(Span.PUBLISH)
        root.child(Span.CONNECT).end()
        root.end()
    assert memory.spans == []


# ---- refusals ----


@pytest.fixture
def second(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which stands still."""
    now = [5e6]
    monkeypatch.setattr(recording, "monotonic_s", lambda: now[0])
    return now


@pytest.mark.parametrize("known", [True, False], ids=["of a known run", "of no run"])
def test_a_refused_publish_is_found_though_its_run_is_not_chosen(known: bool, second: list[float]) -> None:
    with recorded(0.5) as memory:
        refused_start(not_chosen(0.5) if known else None)
    root = memory.one(Span.PUBLISH)
    assert root.status.status_code is StatusCode.ERROR
    assert root.attributes is not None
    assert root.attributes["error.type"] == root.status.description == "no_capacity"
    assert ids(memory.one(Span.CONNECT))[0] == ids(root)[0]


def test_so_many_refusals_are_told_of_in_a_second_and_the_others_are_counted(second: list[float]) -> None:
    second[0] += 100
    before = dropped("refusals")
    with recorded(1e-9) as memory:
        for _ in range(REFUSALS_S + 5):
            refused_start()
        second[0] += 1
        refused_start()
    assert len(memory.named(Span.PUBLISH)) == REFUSALS_S + 1
    assert dropped("refusals") == before + 2 * 5


def test_an_error_shows_its_code_and_never_its_words() -> None:
    with recorded() as memory:
        with pytest.raises(Refused), EDGE.of_run(RUN, Span.ALLOCATE):
            raise Refused(Reason.BAD_SOURCE, "words that a peer chose")
        with pytest.raises(KeyError), EDGE.of_run(RUN, Span.INGEST):
            raise KeyError("words")
    assert [span.status.description for span in memory.spans] == ["bad_source", "KeyError"]
    assert "words" not in "".join(span.to_json() for span in memory.spans)


# ---- bounds ----


def test_a_publish_keeps_so_many_spans_and_counts_what_is_above() -> None:
    before = dropped("too_many")
    with recorded() as memory:
        root = EDGE.arrival(Span.PUBLISH)
        for _ in range(MAX_KEPT + 3):
            root.child(Span.DESCRIBE).end()
        root.join(RUN)
        root.end()
    assert len(memory.named(Span.DESCRIBE)) == MAX_KEPT
    assert dropped("too_many") == before + 3


def test_an_attribute_has_so_many_characters() -> None:
    with recorded() as memory:
        span = EDGE.of_run(RUN, Span.TAKE_WORKER)
        span.set(Attribute.WORKER, "x" * 10_000)
        span.end()
    assert memory.spans[0].attributes is not None
    assert memory.spans[0].attributes["headrace.worker"] == "x" * MAX_TEXT


def test_a_collector_that_stands_still_costs_spans_and_no_time(monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = threading.Event()

    class Still(Memory):
        def export(self, spans: object) -> SpanExportResult:
            waiting.wait(10)
            return SpanExportResult.FAILURE

        def shutdown(self) -> None:
            waiting.set()

    monkeypatch.setattr(trace_export, "MAX_WAITING", 512)
    monkeypatch.setattr(trace_export, "FLUSH_S", 0.2)
    full, lost = dropped("queue_full"), dropped("not_taken")
    with trace_export.exporting(Still(), 1.0, "test") as export, traces.recorded_by(export):
        for _ in range(2000):
            EDGE.of_run(RUN, Span.INGEST).end()
    assert dropped("queue_full") - full >= 2000 - 512 - trace_export.BATCH
    for thread in threading.enumerate():
        if thread.name.startswith("OtelBatch"):
            thread.join(5)
    assert dropped("queue_full") - full + dropped("not_taken") - lost == 2000


# ---- off ----


def test_nothing_is_loaded_and_nothing_recorded_without_an_endpoint() -> None:
    with traces.sent(TelemetrySettings(), "edge", "edge-0"):
        assert not traces.on()
        assert EDGE.arrival(Span.PUBLISH) is EDGE.of_run(RUN, Span.INGEST) is traces.OFF
    with traces.sent(TelemetrySettings(otlp_endpoint="http://127.0.0.1:1", trace_ratio=0), "edge", "edge-0"):
        assert not traces.on()


def test_what_is_off_costs_less_than_a_microsecond() -> None:
    def work() -> None:
        with EDGE.arrival(Span.PUBLISH).child(Span.INGEST) as span:
            span.set(Attribute.WORKER, "ready")

    best_s = min(timeit.repeat(work, number=1000, repeat=20)) / 1000
    steps = {
        "begin": lambda: EDGE.of_run(RUN, Span.INGEST),
        "step": lambda: traces.step(Span.TAKEOVER),
        "end": traces.OFF.end,
        "carry": traces.here,
    }
    for name, each in steps.items():
        assert min(timeit.repeat(each, number=1000, repeat=20)) / 1000 < 1e-6, name
    assert best_s < 4e-6
