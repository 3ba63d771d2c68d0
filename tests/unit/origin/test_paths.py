"""URLs of the origin."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.core.broadcast import RunId, StreamId
from headrace.origin.paths import InitPath, MultivariantPath, PartPath, Path, PlaylistPath, SegmentPath, echoed, parse


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/live/s1/index.m3u8", MultivariantPath(StreamId("s1"), None)),
        ("/live/s1/r_1/index.m3u8", MultivariantPath(StreamId("s1"), RunId("r_1"))),
        ("/live/s1/r_1/720p/index.m3u8", PlaylistPath(RunId("r_1"), "720p")),
        ("/live/s1/r_1/720p/init-0123abcd.mp4", InitPath(RunId("r_1"), "720p", "init-0123abcd.mp4")),
        (
            "/live/s1/r_1/audio/12-0123456789ab.m4s",
            SegmentPath(RunId("r_1"), "audio", "12-0123456789ab.m4s", 12),
        ),
        ("/live/s1/r_1/audio/12.0-e_1.m4s", PartPath(RunId("r_1"), "audio", "12.0-e_1.m4s", 12, 0)),
        ("/live/s1/r_1/audio/0.17-Zz-9.m4s", PartPath(RunId("r_1"), "audio", "0.17-Zz-9.m4s", 0, 17)),
    ],
)
def test_each_kind_of_url_is_read(path: str, expected: Path) -> None:
    assert parse(path) == expected


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "//",
        "/live",
        "/live/",
        "/live/index.m3u8",
        "/live//index.m3u8",
        "/live/s/",
        "/live/s/index.m3u8/",
        "/live/s/index.m3u8\n",
        "/live/s/r/v/w/index.m3u8",
        "/other/s/index.m3u8",
        "x/live/s/index.m3u8",
        "live/s/r/index.m3u8",
        "/live/s/master.m3u8",
        "/live/../index.m3u8",
        "/live/s/../r/index.m3u8",
        "/live/s/r/../../../etc/passwd",
        "/live/s/..%2f/index.m3u8",
        "/live/s\\..\\r/index.m3u8",
        "/live/s/r\x00/index.m3u8",
        "/live/s/r/v/init-0123ABCD.mp4",
        "/live/s/r/v/init-0123abcd.mp4\n",
        "/live/s/r/v/init-0123abcde.mp4",
        "/live/s/r/v/012-0123456789ab.m4s",
        "/live/s/r/v/-1-0123456789ab.m4s",
        "/live/s/r/v/1-0123456789a.m4s",
        "/live/s/r/v/\u0661-0123456789ab.m4s",
        "/live/s/r/1-0123456789ab.m4s",
        "/live/s/r/1.0-e1.m4s",
        "/live/s/r/v/01.0-e1.m4s",
        "/live/s/r/v/1.00-e1.m4s",
        "/live/s/r/v/1.0-.m4s",
        "/live/s/r/v/1.0.m4s",
        "/live/s/r/v/1.0-e1.m4s\n",
        "/live/s/r/v/1.-e1.m4s",
        "/live/s/r/v/1.0-e.1.m4s",
        "/live/s/r/v/1.1234567-e1.m4s",
        "/live/s/init-0123abcd.mp4",
        f"/live/{'s' * 65}/index.m3u8",
        f"/live/s/r/v/{'9' * 13}-0123456789ab.m4s",
    ],
)
def test_nothing_else_is_a_url(path: str) -> None:
    assert parse(path) is None


@given(st.text(alphabet="/live.m3u8s-\\%0\n", max_size=40))
def test_any_text_is_read_or_refused(path: str) -> None:
    named = parse(path)
    assert named is None or ".." not in path


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (b"", ""),
        (b"token=abc", "?token=abc"),
        (b"token=a%20b&x=1", "?token=a%20b&x=1"),
        (b"_HLS_msn=3&_HLS_part=1&token=abc", "?token=abc"),
        (b"_HLS_msn=3", ""),
        (b"&&a=1&", "?a=1"),
        (b'a="\r\n#EXT-X-ENDLIST', "?a=%22%0D%0A%23EXT-X-ENDLIST"),
        (b"a=\xff{$x}<>", "?a=%FF%7B$x%7D%3C%3E"),
    ],
)
def test_a_query_is_echoed_without_the_protocols_own_and_without_harm(query: bytes, expected: str) -> None:
    assert echoed(query) == expected


@given(st.binary(max_size=60))
def test_an_echoed_query_never_ends_a_quoted_string_or_a_line(query: bytes) -> None:
    assert not set(echoed(query)) & set('"\r\n #<>{}\\')
    assert echoed(query).isascii()
