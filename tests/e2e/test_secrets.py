"""Keys stay where they belong, whatever encoders, clients and we ourselves do with them.

Each test ends with a search in all that was said (`conftest`); these put keys where they could be said.
"""

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from headrace.core import rtmp
from tests.e2e.sources import MONO, Source
from tests.support import kept
from tests.support.publishers import Pace, Publisher, publish
from tests.support.publishers_raw import Closed, RawPublisher
from tests.support.stack import HEADRACE, Process, Stack, eventually

pytestmark = pytest.mark.timeout(60)

LEAKY = """
import headrace.edge.lent as m
honest = m.Lent.open
async def leaky(self, app, key):
    {}
    return await honest(self, app, key)
m.Lent.open = leaky"""


@pytest.mark.parametrize(
    ("app", "tc_url", "name"),
    [
        ("live/{key}", "rtmp://127.0.0.1/live/{key}", "x"),
        ("{key}", "rtmp://127.0.0.1/{key}", "live"),
        ("{key}/{key}", "rtmp://127.0.0.1/{key}/{key}", "{key}"),
        ("live?key={key}", "rtmp://127.0.0.1/live?key={key}", "no-key"),
        ("live", "'rtmp://user:{key}@127.0.0.1/live?token={key}'", "no-key?auth={key}"),
        ("backstage", 'rtmp://127.0.0.1/backstage"', "{key}?key={key}"),
        ("live\r\nINFO forged {key}", "rtmp://127.0.0.1/live", "\x1b[31m{key}\n"),
        ("live", "rtmp://127.0.0.1/live", "{key}x"),
        ("live", "rtmp://127.0.0.1/live", "%73k_{tail}"),
    ],
)
def test_a_key_in_the_wrong_place_is_shown_to_nobody(stack: Stack, app: str, tc_url: str, name: str) -> None:
    key = stack.create("misplaced", "passthrough").key

    def filled(text: str) -> str:
        return text.format(key=key, tail=key.removeprefix("sk_"))

    with RawPublisher(stack.rtmp_url) as publisher:
        publisher.client.connect(filled(app), filled(tc_url))
        publisher.client.publish(filled(name))
        publisher.flush()
        try:
            while not isinstance(answer := publisher.answer(), rtmp.PublishRefused | rtmp.PublishStarted):
                pass
            if isinstance(answer, rtmp.PublishRefused):
                kept.search("a refusal's sentence", answer.description)
        except Closed:
            pass
    lines = [line for line in stack.lines if "forged" in line]
    assert lines == []


def test_a_key_in_an_api_request_is_not_shown_in_its_problem(stack: Stack) -> None:
    key = stack.create("asked for", "passthrough").key
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("GET", f"/v1/streams/{key}", {}),
        ("DELETE", f"/v1/streams/{key}", {}),
        ("GET", f"/{key}", {}),
        ("GET", f"/live/{key}/index.m3u8", {}),
        ("GET", f"/live/x/{key}/index.m3u8", {}),
        ("GET", f"/v1/streams?cursor={key}", {}),
        ("GET", f"/v1/streams?limit={key}", {}),
        ("GET", "/v1/streams", {"headers": {"authorization": f"Bearer {key}"}}),
        ("POST", "/v1/streams", {"content": f'{{"name": {key}'.encode()}),
        ("POST", "/v1/streams", {"json": {"name": "x", "profile": key}}),
        ("POST", "/v1/streams", {"json": {"name": "x", "profile": {"rungs": key}}}),
        ("POST", "/console/login", {"json": {"api_key": key}}),
        ("GET", "/?login=" + key, {}),
    ]
    for method, path, request in requests:
        assert stack.http.request(method, path, **request).status_code < 500


def test_a_refused_or_lost_publish_of_the_command_line_does_not_repeat_its_key(
    stack: Stack, clip: Callable[[Source], Path]
) -> None:
    key = stack.create("elsewhere", "passthrough").key
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        closed = f"rtmp://127.0.0.1:{nobody.getsockname()[1]}/live/{key}"
        for url in (closed, f"{stack.rtmp_url}/backstage/{key}", f"http://127.0.0.1/{key}"):
            with Process([str(HEADRACE), "publish", str(clip(MONO)), "--to", url]) as process:
                assert process.wait(30) != 0
                assert "\nheadrace: " in f"\n{process.output}"


def test_what_a_live_stream_shows_of_itself_holds_no_key(stack: Stack, clip: Callable[[Source], Path]) -> None:
    stream = stack.create("on the air", "passthrough")
    with publish(Publisher.FFMPEG, Pace.FAST, clip(MONO), stream.publish_url) as publisher:
        assert publisher.wait(30) == 0
    eventually("playlist", lambda: httpx.get(stream.hls_url, trust_env=False).status_code == 200, 10)
    for url in (stream.hls_url, f"{stack.http_url}/openapi.json", f"{stack.http_url}/errors", f"{stack.http_url}/"):
        kept.search_answer(httpx.get(url, trust_env=False))
    kept.search_answer(stack.http.post(f"/v1/streams/{stream.id}/key"))
    assert stack.http.get(f"/v1/streams/{stream.id}").status_code == 200


@pytest.mark.parametrize(
    "leak",
    [
        "print(key.reveal(), flush=True)",
        "import sys; sys.stderr.write(f'x {key.reveal()} y')",
        "from headrace.edge.metrics import NOISE; NOISE.lists = {'kind': [key.reveal()]}; NOISE.labels(key.reveal())",
    ],
    ids=["stdout", "stderr", "metrics"],
)
def test_a_leak_that_is_planted_is_found(tmp_path: Path, leak: str) -> None:
    with Stack(tmp_path / "data", first=LEAKY.format(leak)) as stack:
        key = stack.create("leaky", "passthrough").key
        with RawPublisher(stack.rtmp_url, "live", key) as publisher:
            while not isinstance(publisher.answer(), rtmp.PublishStarted):
                pass
    with pytest.raises(kept.Leak, match=key):
        kept.told()


def test_a_key_that_comes_to_the_log_is_struck_out_by_the_last_fence(tmp_path: Path) -> None:
    leak = "import logging; logging.getLogger('x').error('opened %s', key.reveal(), extra={'key': key.reveal()})"
    with Stack(tmp_path / "data", first=LEAKY.format(leak)) as stack:
        key = stack.create("careless", "passthrough").key
        with RawPublisher(stack.rtmp_url, "live", key) as publisher:
            while not isinstance(publisher.answer(), rtmp.PublishStarted):
                pass
        assert "opened [redacted] peer=" in stack.output
        assert " key=[redacted]" in stack.output
