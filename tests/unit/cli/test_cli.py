"""The command line, without a server."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from headrace.cli import api
from headrace.cli.main import app
from headrace.cli.main import main as console_script

STREAM = {
    "id": "s1",
    "name": "mine",
    "state": "idle",
    "stream_key": "secret",
    "ingest": {"rtmp_url": "rtmp://h/live", "rtmps_url": None},
    "playback": {"hls_url": "http://h/live/s1/index.m3u8"},
}


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What the API answers, call by call; the requests are kept behind."""
    queue: list[Any] = []

    def request(method: str, url: str, **given: Any) -> httpx.Response:
        queue.append((method, url, given))
        status, body = queue.pop(0)
        return httpx.Response(status, json=body)

    monkeypatch.setattr(httpx, "request", request)
    return queue


def run(*words: str) -> str:
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_creating_a_stream_shows_what_an_encoder_needs(answers: list[Any]) -> None:
    answers.append((201, STREAM))
    output = run("streams", "create", "mine", "--api-key", "k", "--profile", '{"rungs": [{"height": 360}]}')
    assert "rtmp://h/live" in output
    assert "secret" in output
    method, url, given = answers[0]
    assert (method, url) == ("POST", "http://127.0.0.1:8080/v1/streams")
    assert given["json"]["profile"] == {"rungs": [{"height": 360}]}
    assert given["headers"] == {"authorization": "Bearer k"}


def test_listing_follows_the_cursor_to_the_end(answers: list[Any]) -> None:
    answers.append((200, {"streams": [STREAM], "next_cursor": "a b"}))
    answers.append((200, {"streams": [STREAM | {"id": "s2"}], "next_cursor": None}))
    listed = json.loads(run("streams", "list", "--api-key", "k", "--json"))
    assert [s["id"] for s in listed] == ["s1", "s2"]
    assert answers[1][1].endswith("cursor=a%20b")


def test_deleting_says_so(answers: list[Any]) -> None:
    answers.append((204, {}))
    assert "Deleted s1" in run("streams", "delete", "s1", "--api-key", "k")


def test_the_key_comes_from_the_option_then_the_environment_then_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "api-key").write_text("from-file\n")
    monkeypatch.delenv("HEADRACE_API_KEY", raising=False)
    assert api.find_key(None, tmp_path) == "from-file"
    monkeypatch.setenv("HEADRACE_API_KEY", "from-env")
    assert api.find_key(None, tmp_path) == "from-env"
    assert api.find_key("given", tmp_path) == "given"
    monkeypatch.delenv("HEADRACE_API_KEY")
    with pytest.raises(api.ApiError, match="no API key"):
        api.find_key(None, tmp_path / "none")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["streams", "create", "x", "--api-key", "k"], "headrace: the profile is wrong"),
        (["up", "--rtmp", "nonsense"], "headrace: --rtmp nonsense: HOST:PORT is needed"),
        (["up", "--http", "h:²"], "headrace: --http h:²: HOST:PORT is needed"),
        (["publish", "/none.mp4", "--to", "rtmp://h/live/k"], "headrace: /none.mp4: No such file or directory"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    words: list[str], says: str, answers: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers.append((422, {"title": "Unprocessable", "detail": "the profile is wrong"}))
    monkeypatch.setattr("sys.argv", ["headrace", *words])
    with pytest.raises(SystemExit) as stopped:
        console_script()
    assert stopped.value.code == says


def test_a_line_end_that_came_along_is_no_part_of_the_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADRACE_API_KEY", "from-env\n")
    assert api.find_key(None, tmp_path) == "from-env"
    assert api.find_key(" given\r\n", tmp_path) == "given"


@pytest.mark.parametrize("key", ["hidden\nhidden", "hiddén", "hidden\0"])
def test_a_key_that_no_request_can_carry_is_said_to_be_one_and_not_shown(tmp_path: Path, key: str) -> None:
    with pytest.raises(api.ApiError, match="no request can carry") as raised:
        api.find_key(key, tmp_path)
    (tmp_path / "api-key").write_text(key)
    with pytest.raises(api.ApiError, match="no request can carry"):
        api.find_key("", tmp_path)
    assert "hidd" not in str(raised.value)
