"""What is said on standard error: whose it is, about which run, in one line, and without a secret."""

import asyncio
import json
import logging
import re
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from headrace.control.settings import ControlSettings
from headrace.runtime.aio.tasks import spawn_isolated
from headrace.runtime.config import BadSetting
from headrace.runtime.telemetry.logs import STRANGERS, RateLimited, about, configure, learn
from headrace.runtime.telemetry.redaction import STRUCK, redact
from headrace.runtime.telemetry.settings import LogFormatSettings

Said = Callable[[], str]

log = logging.getLogger("headrace.test")


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    """What a process sets for good is set back."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, sys.excepthook, threading.excepthook
    yield
    root.handlers[:], root.level, sys.excepthook, threading.excepthook = before
    logging.captureWarnings(False)


@pytest.fixture
def text(capsys: pytest.CaptureFixture[str]) -> Said:
    configure("edge", "edge-0", LogFormatSettings(log_format="text"))
    return lambda: capsys.readouterr().err


@pytest.fixture
def objects(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    configure("edge", "edge-0", LogFormatSettings(log_format="json"))
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def broken(message: str) -> Exception:
    try:
        raise ValueError(message)
    except ValueError as error:
        return error


def test_a_line_says_when_how_bad_who_what_and_what_is_known(text: Said) -> None:
    log.info("publish", extra={"run": "r1", "bytes": 3})
    line = text()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info headrace\.test publish run=r1 bytes=3\n", line)


def test_an_object_says_the_same_and_whose_it_is(objects: Callable[[], list[dict[str, Any]]]) -> None:
    log.warning("publish refused", extra={"reason": "busy", "times": 3, "ratio": 0.5, "epoch": (1, 2), "pod": "x"})
    (said,) = objects()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", said.pop("time"))
    assert said == {
        "level": "warning",
        "logger": "headrace.test",
        "message": "publish refused",
        "service": "edge",
        "pod": "edge-0",
        "reason": "busy",
        "times": 3,
        "ratio": 0.5,
        "epoch": [1, 2],
        "pod_": "x",
    }


def test_an_exception_is_one_field_of_the_object(objects: Callable[[], list[dict[str, Any]]]) -> None:
    log.error("failed", exc_info=broken("no"))
    log.exception("failed outside of any handler")
    first, second = objects()
    assert first["exception"].startswith("Traceback")
    assert first["exception"].endswith("ValueError: no")
    assert "exception" not in second


async def test_every_line_below_says_what_the_work_is_about(text: Said) -> None:
    async def below() -> None:
        log.info("deep")

    with about(stream="s1", run="r1"):
        async with asyncio.TaskGroup() as group:
            with about(session=7, attempt=2):
                group.create_task(below())
                spawn_isolated(group, below(), "apart")
            log.info("beside")
        await asyncio.to_thread(log.info, "in a thread")
    log.info("after")
    lines = text().splitlines()
    rests = sorted(line.partition(" headrace.test ")[2] for line in lines)
    assert rests == [
        "after",
        "beside stream=s1 run=r1",
        "deep stream=s1 run=r1 session=7 attempt=2",
        "deep stream=s1 run=r1 session=7 attempt=2",
        "in a thread stream=s1 run=r1",
    ]


async def test_what_a_task_learns_stays_with_it(text: Said) -> None:
    async def work(run: str) -> None:
        learn(run=run)
        await asyncio.sleep(0)
        learn(session=1)
        log.info("worked")

    async with asyncio.TaskGroup() as group:
        for run in ("r1", "r2"):
            group.create_task(work(run))
    log.info("after")
    lines = [line.partition(" headrace.test ")[2] for line in text().splitlines()]
    assert lines == ["worked run=r1 session=1", "worked run=r2 session=1", "after"]


def test_what_a_line_says_itself_goes_before_what_the_work_is_about(text: Said) -> None:
    with about(run="r1"):
        log.info("other", extra={"run": "r2"})
    assert text().endswith(" other run=r2\n")


@given(peer=st.text(), why=st.text(), words=st.text())
def test_no_value_message_or_exception_makes_a_line_or_a_field_of_its_own(peer: str, why: str, words: str) -> None:
    formatter = _formatter()
    record = logging.makeLogRecord({"name": "n", "levelname": "INFO", "msg": "said %s", "args": (words,)})
    record.peer, record.why, record.exc_info = peer, why, (ValueError, broken(words), None)
    head, *rest = formatter.format(record).split("\n")
    assert all(line.startswith("  | ") for line in rest)
    assert all(line.isprintable() for line in (head, *rest))
    fields = head[head.rindex(" peer=") :] if " peer=" not in redact(why) else ""
    if fields:
        assert re.fullmatch(r' peer=("(?:[^"\\]|\\.)*"|[^\s"=\\]+) why=("(?:[^"\\]|\\.)*"|[^\s"=\\]+)', fields), fields


def _formatter() -> logging.Formatter:
    configure("edge", "edge-0", LogFormatSettings(log_format="text"))
    formatter = logging.getLogger().handlers[0].formatter
    assert formatter is not None
    return formatter


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("plain", "plain"),
        ("127.0.0.1:1935", "127.0.0.1:1935"),
        ("", '""'),
        ("two words", '"two words"'),
        ("a=b", '"a=b"'),
        ('say "no"', r'"say \"no\""'),
        ("line\nINFO forged", r'"line\nINFO forged"'),
        ("\x1b[31mred", r'"\x1b[31mred"'),
        ("next\u2028line\u0085", r'"next\u2028line\x85"'),
        ("right\u202eleft", r'"right\u202eleft"'),
        ("half \udc80", r'"half \udc80"'),
        ("back\\slash", r'"back\\slash"'),
        ("grün", "grün"),
    ],
)
def test_a_value_with_blanks_or_control_characters_is_quoted(text: Said, value: str, written: str) -> None:
    log.info("said", extra={"value": value})
    assert text().endswith(f" said value={written}\n")


KEY = "sk_" + "mfzwizltoqqge3dvon2ge3dbon2ge3db"
JWT = "eyJhbGciOiJFZERTQSJ9.eyJydW4iOiJyMSJ9.c2lnbmF0dXJl-_x"


@pytest.mark.parametrize(
    ("text", "struck"),
    [
        (f"rtmp://host/live/{KEY}", KEY),
        (f"rtmp://host/live?key={KEY.upper()}&a=b", KEY.upper()),
        (f"path%2F{KEY}", KEY),
        (f"half of it: {KEY[:20]}", KEY[:20]),
        ("key hr_3u4Ck-x_9Zq1bVtY7mN0aWdLpKsRfEoi.", "hr_3u4Ck-x_9Zq1bVtY7mN0aWdLpKsRfEoi"),
        (f"token {JWT} is stale", JWT),
        ("cannot reach postgresql+psycopg://headrace:s3cr:t/@db:5432/x", "headrace:s3cr:t/"),
        ("redis://:hunter22@log-0:6379,rediss://ops:hunter23@log-1", "hunter23"),
        ("redis://:hunter22@log-0:6379,rediss://ops:hunter23@log-1", "hunter22"),
        ("{'authorization': 'Bearer abc.def'}", "abc.def"),
        ("host=db user=x password='my \\' secret' dbname=y", "secret"),
        ("postgresql://db/x?user=u&password=hunter22&sslmode=require", "hunter22"),
        ("GET /?login=Zk3_JkY2mVb-8sQw9aPl HTTP/1.1", "Zk3_JkY2mVb-8sQw9aPl"),
    ],
)
def test_what_looks_like_a_secret_is_struck_out(text: str, struck: str) -> None:
    assert struck in text
    assert struck not in redact(text)
    assert STRUCK in redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "http://127.0.0.1:8080/live/s1/index.m3u8",
        "rtmp://[::1]:1935/live",
        "unix:/tmp/x/control",
        "run 3f2k9a task_group sk_ab hr_ab",
        "someone@example.org: hello",
        "http://a.example:80 or mail me@b.example",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_no_text_takes_long_to_look_through() -> None:
    began_s = time.process_time()
    redact(("://" + 257 * ":") * 256)  # once 1.4 s, for each colon might have ended a user's name
    assert time.process_time() - began_s < 0.3


def test_a_secret_setting_is_struck_out_whatever_it_looks_like(text: Said) -> None:
    ControlSettings(api_key=SecretStr("correct horse battery"))
    log.info("called with %s", "correct horse battery", extra={"header": "x correct horse battery"})
    log.error("failed", exc_info=broken("correct horse battery is not valid"))
    said = text()
    assert said.count(STRUCK) == 3
    assert "battery" not in said


@pytest.mark.parametrize("format", ["text", "json"])
def test_the_fence_stands_before_messages_values_and_exceptions(
    capsys: pytest.CaptureFixture[str], format: str
) -> None:
    configure("edge", "edge-0", LogFormatSettings(log_format=format))  # type: ignore[arg-type]
    log.info(f"message {KEY}", extra={"value": KEY, "values": [KEY, {KEY: KEY}]}, exc_info=broken(KEY))
    said = capsys.readouterr().err
    assert KEY not in said
    assert said.count(STRUCK) == 6  # the traceback shows its message once


def test_an_exception_that_nobody_caught_passes_the_fence_too(text: Said) -> None:
    error = broken(f"cannot publish to rtmp://host/live/{KEY}")
    sys.excepthook(type(error), error, error.__traceback__)
    thread = threading.Thread(target=fail)
    thread.start()
    thread.join()
    said = text()
    assert said.count("an error that nobody caught") == 2
    assert KEY not in said


def fail() -> None:
    raise broken(KEY)


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("no")


def test_a_record_that_cannot_be_written_is_still_a_line(text: Said) -> None:
    (handler,) = (one for one in logging.getLogger().handlers if type(one).__module__.startswith("headrace"))
    handler.handle(logging.makeLogRecord({"name": "headrace", "msg": "%d", "args": ("no number",)}))
    handler.handle(logging.makeLogRecord({"name": "headrace", "msg": "value", "value": Unprintable()}))
    first, second = text().splitlines()
    assert first.endswith("a line that cannot be written (TypeError): %d")
    assert second.endswith('value="a value that cannot be written (RuntimeError)"')


def test_a_level_or_format_that_is_none_is_a_bad_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_LOG_LEVEL", "loud")
    with pytest.raises(BadSetting, match="HEADRACE_LOG_LEVEL"):
        configure()


def test_only_what_is_as_bad_as_the_level_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    configure(settings=LogFormatSettings(log_level="warning"))
    log.info("quiet")
    log.warning("loud")
    said = capsys.readouterr().err
    assert "loud" in said
    assert "quiet" not in said


def test_a_peer_cannot_fill_the_log_with_exceptions_either(text: Said) -> None:
    failed = RateLimited(log, "a connection failed", period_s=3600)
    for _ in range(100):
        failed({"peer": "x"}, error=broken("no"))
    said = text()
    assert said.count("a connection failed") == said.count("ValueError: no") == 1


def test_up_to_a_bound_each_of_many_is_said(text: Said) -> None:
    opened = RateLimited(log, "session opened", period_s=3600, at_most=3)
    for run in range(10):
        opened({"run": run}, level=logging.INFO)
    assert [line.partition(" headrace.test ")[2] for line in text().splitlines()] == [
        "session opened run=0",
        "session opened run=1",
        "session opened run=2",
    ]


def test_what_was_not_said_is_counted_in_the_next_line(text: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 0.0
    monkeypatch.setattr("headrace.runtime.telemetry.logs.monotonic_s", lambda: now_s)
    garbage = RateLimited(log, "garbage")
    for at_s in (0.0, 0.1, 0.9, 1.0, 2.5):
        now_s = at_s
        garbage()
    assert [line.partition(" headrace.test ")[2] for line in text().splitlines()] == [
        "garbage",
        "garbage times=3",
        "garbage",
    ]


def test_what_peers_make_other_packages_say_is_bounded(text: Said) -> None:
    for _ in range(1000):
        logging.getLogger("asyncio").warning("socket.send() raised exception.")
        logging.getLogger("somebody.else").error("what a peer did")
    assert 0 < len(text().splitlines()) <= 2 * STRANGERS


def test_what_is_not_shown_takes_no_room_from_what_is(text: Said) -> None:
    closed = RateLimited(log, "connection closed", period_s=3600)
    closed({"reason": "probe"}, level=logging.DEBUG)
    closed({"reason": "media_idle"}, level=logging.INFO)
    assert text().endswith(" connection closed reason=media_idle\n")
