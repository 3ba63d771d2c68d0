"""Conditions, ranges, encodings."""

import gzip

import pytest

from headrace.origin import answers
from headrace.origin.pages import Page
from headrace.runtime.direct import Answer

BODY = bytes(range(100))
PAGE = Page(b"#EXTM3U\n", gzip.compress(b"#EXTM3U\n", mtime=0), "d1", 1_772_366_400_123)
NOW_MS = 1_772_366_460_000


def media(**request: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in request.items()}
    return answers.media(named, BODY, "video/mp4", '"e1"', 1_772_366_400_123, NOW_MS)


def fields(answer: Answer) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in answer.headers}


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=90-", 90, 100),
        ("bytes=-5", 95, 100),
        ("bytes=-500", 0, 100),
        ("bytes=50-9007199254740991", 50, 100),
        ("bytes=0-99", 0, 100),
    ],
)
def test_one_range_is_answered_with_its_bytes(asked: str, start: int, end: int) -> None:
    answer = media(range=asked)
    assert (answer.status, answer.body) == (206, BODY[start:end])
    assert fields(answer)["content-range"] == f"bytes {start}-{end - 1}/100"
    assert fields(answer)["content-length"] == str(end - start)
    assert fields(answer)["etag"] == '"e1"'


@pytest.mark.parametrize("asked", ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=999999999999999999-"])
def test_a_range_outside_is_416_with_the_length(asked: str) -> None:
    answer = media(range=asked)
    assert answer.status == 416
    assert fields(answer)["content-range"] == "bytes */100"
    assert "immutable" not in fields(answer)["cache-control"]


@pytest.mark.parametrize(
    "asked", ["bytes=0-1,5-6", "bytes=5-4", "bytes=-", "bytes=a-b", "items=0-1", "bytes=", "", "bytes=1-2-3"]
)
def test_what_is_no_single_range_is_answered_whole(asked: str) -> None:
    answer = media(range=asked)
    assert (answer.status, answer.body) == (200, BODY)
    assert "content-range" not in fields(answer)


def test_a_range_of_another_body_is_answered_whole() -> None:
    assert media(range="bytes=0-1", if_range='"e1"').status == 206
    assert media(range="bytes=0-1", if_range='"other"').status == 200


@pytest.mark.parametrize("given", ['"e1"', 'W/"e1"', '"x", "e1"', "*", ' W/"x" ,W/"e1"'])
def test_a_client_with_the_same_body_gets_304_without_one(given: str) -> None:
    answer = media(if_none_match=given)
    assert (answer.status, answer.body) == (304, b"")
    assert fields(answer)["etag"] == '"e1"'
    assert fields(answer)["cache-control"] == answers.IMMUTABLE
    assert "content-length" not in fields(answer)


@pytest.mark.parametrize("given", ['"e2"', "e1", "", '"e1-gz"'])
def test_a_client_with_another_body_gets_this_one(given: str) -> None:
    assert media(if_none_match=given).status == 200


@pytest.mark.parametrize(
    ("accepted", "compressed"),
    [
        ("gzip", True),
        ("gzip, deflate, br", True),
        ("GZIP;q=0.5", True),
        ("*", True),
        ("br, *;q=0.1", True),
        ("", False),
        ("br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip; q=0.000, *", False),
        ("*;q=0", False),
        ("x-gzip-not", False),
    ],
)
def test_playlists_are_compressed_where_the_client_takes_it(accepted: str, compressed: bool) -> None:
    answer = answers.playlist({"accept-encoding": accepted}, PAGE, 1, NOW_MS)
    found = fields(answer)
    assert found["vary"] == "Accept-Encoding"
    assert ("content-encoding" in found) == compressed
    assert (gzip.decompress(answer.body) if compressed else answer.body) == PAGE.plain
    assert found["content-length"] == str(len(answer.body))
    assert found["etag"] == ('"d1-gz"' if compressed else '"d1"')


def test_a_playlists_tag_matches_only_in_the_same_encoding() -> None:
    zipped = {"accept-encoding": "gzip"}
    assert answers.playlist({"if-none-match": '"d1"'}, PAGE, 1, NOW_MS).status == 304
    assert answers.playlist({"if-none-match": '"d1"'} | zipped, PAGE, 1, NOW_MS).status == 200
    answer = answers.playlist({"if-none-match": '"d1-gz"'} | zipped, PAGE, 1, NOW_MS)
    assert answer.status == 304
    assert fields(answer)["vary"] == "Accept-Encoding"


def test_playlists_have_no_ranges() -> None:
    answer = answers.playlist({"range": "bytes=0-1"}, PAGE, 1, NOW_MS)
    assert answer.status == 200
    assert fields(answer)["accept-ranges"] == "none"


def test_last_modified_is_the_media_times_end_but_never_in_the_future() -> None:
    assert fields(answers.playlist({}, PAGE, 1, NOW_MS))["last-modified"] == "Sun, 01 Mar 2026 12:00:00 GMT"
    early = answers.playlist({}, PAGE, 1, 1_772_366_399_000)
    assert fields(early)["last-modified"] == "Sun, 01 Mar 2026 11:59:59 GMT"
    assert fields(media())["last-modified"] == "Sun, 01 Mar 2026 12:00:00 GMT"
    early = answers.media({}, BODY, "video/mp4", '"e1"', 1_772_366_400_123, 1_772_366_399_000)
    assert fields(early)["last-modified"] == "Sun, 01 Mar 2026 11:59:59 GMT"


def test_browsers_may_read_every_answer_and_the_headers_that_players_need() -> None:
    for answer in (media(), media(if_none_match="*"), answers.error(404, "no"), answers.preflight()):
        assert fields(answer)["access-control-allow-origin"] == "*"
        exposed = {name.strip() for name in fields(answer)["access-control-expose-headers"].split(",")}
        assert exposed >= {"Age", "Date", "Content-Length", "Content-Range"}


def test_errors_live_shortly_in_caches_and_say_why() -> None:
    answer = answers.error(404, "there is no such run")
    assert answer.body == b"there is no such run\n"
    assert fields(answer)["cache-control"] == "public, max-age=1"
    assert fields(answer)["content-type"] == "text/plain; charset=utf-8"
