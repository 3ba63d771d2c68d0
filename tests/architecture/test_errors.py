"""The table of errors is the only one: every code is in it, every row is used, and every border reads it."""

import ast
import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest

import headrace
from headrace.control.http.errors_page import errors_page
from headrace.control.http.problems import BY_STATUS, FIELD, PAGE, respond
from headrace.core.broadcast.lease import LeaseFault
from headrace.core.broadcast.refusals import Reason
from headrace.core.error_table import ROWS, SECTIONS
from headrace.core.errors import HeadraceError
from headrace.edge.statuses import STATUS
from headrace.wire.calls import status_of
from tests.support.errors_reference import FILE, LABELS, reference, sentences
from tests.support.house import SERVICES, plant, sources
from tests.support.metrics_reference import declared

TABLE = Path("headrace/core/error_table")
RTMP_STATUS = re.compile(r"Net(Stream|Connection)(\.\w+)+")
SUCCESSES = {
    "NetConnection.Connect.Success",
    "NetStream.Publish.Start",
    "NetStream.Unpublish.Success",
}
# What OBS ends a publish for, and not only logs.
KNOWN_TO_OBS = {
    "NetStream.Failed",
    "NetStream.Play.Failed",
    "NetStream.Play.StreamNotFound",
    "NetStream.Publish.Rejected",
    "NetStream.Publish.Denied",
    "NetStream.Publish.BadName",
    "NetConnection.Connect.InvalidApp",
}
FFMPEG_SHOWS_BYTES = 255
ABORTERS = {"headrace/wire/calls.py", "headrace/wire/gate.py"}
# These metrics count errors, and a few ends that are none.
COUNTING = {
    "headrace_edge_refused_publishes_total": set(),
    "headrace_edge_closed_connections_total": {"closed", "reset", "silent_probe", "other"},
    "headrace_control_refused_sessions_total": set(),
    "headrace_transcoder_calls_total": {"done", "lost", "other"},
    "headrace_origin_log_errors_total": {"other"},
}
# Their modules run something when they are imported.
NOT_IMPORTED = ("__main__", "migrations.env", ".versions.", "wire.v1")


def errors() -> Iterator[type[HeadraceError]]:
    """All of them, those of every module."""
    for module in pkgutil.walk_packages(headrace.__path__, "headrace."):
        if not any(word in module.name for word in NOT_IMPORTED):
            importlib.import_module(module.name)
    found = [HeadraceError]
    for kind in found:
        found += kind.__subclasses__()
    return (kind for kind in found if kind.__module__.startswith("headrace."))


def literals(services: Path, *, table: bool = False) -> Iterator[tuple[str, str]]:
    """Every text in the source, with its file; docstrings are texts as well, and no codes."""
    for file in sources(services):
        path = file.relative_to(services)
        if path.is_relative_to(TABLE) is table:
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield str(path), node.value


def narrowed(services: Path) -> Iterator[str]:
    """The codes that are given to an error as it is raised."""
    for file in sources(services):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.keyword) and node.arg == "code" and isinstance(node.value, ast.Constant):
                yield str(node.value.value)


def rtmp_statuses(services: Path) -> set[str]:
    """All that the source says in RTMP's words."""
    texts = [*literals(services), *literals(services, table=True)]
    return {text for _, text in texts if RTMP_STATUS.fullmatch(text)}


def aborts(services: Path) -> set[str]:
    """Files that end gRPC calls with a status."""
    return {path for path, text in _calls(services) if text == "context.abort"}


def _calls(services: Path) -> Iterator[tuple[str, str]]:
    for file in sources(services):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                yield str(file.relative_to(services)), ast.unparse(node.func)


def test_the_page_of_errors_is_what_the_table_says() -> None:
    assert FILE.read_text() == reference(), "run `make errors-reference` and commit it"


def test_a_code_has_one_row() -> None:
    assert len(ROWS) == sum(len(rows) for rows in SECTIONS.values())


def test_every_error_that_is_raised_has_a_row() -> None:
    missing = {f"{kind.__module__}.{kind.__name__}: {kind.code}" for kind in errors() if kind.code not in ROWS}
    assert missing == set()
    assert {code for code in narrowed(SERVICES) if code not in ROWS} == set()
    assert {one.value for one in (*Reason, *LeaseFault)} - ROWS.keys() == set()


def test_an_error_without_a_row_is_found(tmp_path: Path) -> None:
    class Planted(HeadraceError):
        code = "planted"

    Planted.__module__ = "headrace.planted"
    assert Planted in errors()
    plant(tmp_path, "headrace/edge/planted.py", 'raise RtmpError("no", code="planted")')
    assert list(narrowed(tmp_path)) == ["planted"]


def test_no_row_is_used_by_nobody() -> None:
    said = {text for _, text in literals(SERVICES)}
    assert {code for code, one in ROWS.items() if code not in said and one.rtmp not in said} == set()


def test_every_rtmp_status_is_a_success_or_a_rows() -> None:
    assert rtmp_statuses(SERVICES) == SUCCESSES | {one.rtmp for one in ROWS.values() if one.rtmp}


def test_a_status_of_its_own_is_found(tmp_path: Path) -> None:
    plant(tmp_path, "headrace/edge/planted.py", 'STATUS = "NetStream.Publish.Unauthorized"')
    assert rtmp_statuses(tmp_path) == {"NetStream.Publish.Unauthorized"}


def test_every_refusal_is_told_in_a_word_that_ends_a_publish_in_obs() -> None:
    assert set(STATUS) == set(Reason)
    assert set(STATUS.values()) <= KNOWN_TO_OBS


def test_every_sentence_of_a_refusal_fits_into_what_ffmpeg_shows() -> None:
    said = sentences(SERVICES)
    assert said.keys() == {reason.value for reason in Reason}
    long = [text for texts in said.values() for text in texts if len(text.encode()) + 40 > FFMPEG_SHOWS_BYTES]
    assert long == []


def test_every_grpc_status_is_one_and_is_read_from_the_table() -> None:
    for code, one in ROWS.items():
        if one.grpc:
            assert status_of(code) is grpc.StatusCode[one.grpc]
    assert status_of("nobody_knows_this") is grpc.StatusCode.INTERNAL
    assert {reason for reason in (*Reason, *LeaseFault) if not ROWS[reason.value].grpc} == set()


def test_calls_are_ended_with_a_status_at_the_border_alone(tmp_path: Path) -> None:
    assert aborts(SERVICES) <= ABORTERS
    plant(tmp_path, "headrace/control/planted.py", "async def f(context): await context.abort(1, 'no')")
    assert aborts(tmp_path) == {"headrace/control/planted.py"}


def test_every_problem_is_a_row_with_a_status_and_leads_to_its_place_on_the_page() -> None:
    page, document = errors_page(), FILE.read_text()
    for code in (*BY_STATUS.values(), *FIELD, *(code for code, one in ROWS.items() if one.http)):
        answer = respond(code, "why")
        assert answer.status_code == ROWS[code].http
        assert f'"type":"{PAGE}#{code}"' in bytes(answer.body).decode()
        assert f'id="{code}"' in page
        assert f"\n### {code}\n" in document


def test_every_label_of_a_metric_that_counts_errors_is_a_row() -> None:
    found = {metric.name: metric for metric in declared() if metric.name in COUNTING}
    assert found.keys() == COUNTING.keys()
    for name, metric in found.items():
        values = {value for label in LABELS for value in metric.labels.get(label, ())}
        assert values - COUNTING[name] - ROWS.keys() == set(), name


@pytest.mark.parametrize("code", ROWS)
def test_a_row_says_in_sentences_what_happened_and_what_to_do(code: str) -> None:
    row = ROWS[code]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", code)
    for_users = bool(row.user or row.rtmp or row.http)
    assert [text for text in (row.meaning, row.do, *([row.user] * for_users)) if not text.endswith(".")] == []
