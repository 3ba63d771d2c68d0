"""The one normaliser of publish targets, against how encoders spell them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.core.rtmp import Target, parse_publish_target

CASES = [
    ("OBS", "rtmp://host/live", "live", "KEY", "live", "KEY", {}),
    ("FFmpeg", "rtmp://host:1935/live", "live", "KEY", "live", "KEY", {}),
    ("FFmpeg with a query", "rtmp://host:1935/live", "live", "KEY?token=a", "live", "KEY", {"token": "a"}),
    ("the whole address in the URL", "rtmp://host/live/KEY", "live/KEY", "", "live", "KEY", {}),
    ("the whole address in the URL, app cut short", "rtmp://host/live/KEY", "live", "", "live", "KEY", {}),
    ("an app with slashes", "rtmp://host/a/b", "a/b", "KEY", "a/b", "KEY", {}),
    ("a name with slashes", "rtmp://host/a", "a", "b/KEY", "a/b", "KEY", {}),
    ("slashes at the ends", "rtmp://host/live/", "live/", "/KEY", "live", "KEY", {}),
    ("an empty app", "rtmp://host", "", "live/KEY", "live", "KEY", {}),
    ("an empty app and a bare key", "rtmp://host:1935/", "", "KEY", "", "KEY", {}),
    ("no URL", "", "live", "KEY", "live", "KEY", {}),
    ("no app but a URL", "rtmp://host/live", "", "KEY", "live", "KEY", {}),
    ("Wowza's default instance", "rtmp://host/live/_definst_", "live/_definst_", "KEY", "live", "KEY", {}),
    ("a query in the app", "rtmp://h/app?vhost=v&token=t", "app?vhost=v&token=t", "KEY", "app", "KEY",
     {"vhost": "v", "token": "t"}),
    ("the key's query wins over the app's", "rtmp://h/a?x=1&y=1", "a?x=2", "KEY?x=3", "a", "KEY", {"x": "3", "y": "1"}),
    ("a key that is only a query", "rtmp://host/live", "live", "?key=K", "live", "", {"key": "K"}),
    ("a query appended twice, as by OBS's multitrack", "rtmp://h/live", "live", "KEY?u=a&p=b?u=a&p=b&clientConfigId=7",
     "live", "KEY", {"u": "a", "p": "b", "clientConfigId": "7"}),
    ("quotes round the URL, as by Neko", "'rtmp://host/live'", "live", '"KEY"', "live", "KEY", {}),
    ("blanks pasted with the key", "rtmp://host/live", "live", " KEY\r\n", "live", "KEY", {}),
    ("IPv6", "rtmp://[2001:db8::1]:1935/live", "", "KEY", "live", "KEY", {}),
    ("a user name", "rtmp://user:pa%2Fss@host/live", "", "KEY", "live", "KEY", {}),
    ("percent-encoding, undone once", "rtmp://host/live", "li%76e", "K%2525?t=%26%3D", "live", "K%25", {"t": "&="}),
    ("a slash inside the key", "rtmp://host/live", "live", "K%2FEY", "live", "K/EY", {}),
    ("a parameter without a value", "rtmp://host/live", "live", "KEY?debug&=x&", "live", "KEY", {"debug": ""}),
    ("a slash in a query", "rtmp://host/live?a=b/c", "", "KEY?d=e/f", "live", "KEY", {"a": "b/c", "d": "e/f"}),
    ("a URL with a query and no path", "rtmp://host?a=b", "", "live/KEY", "live", "KEY", {"a": "b"}),
    ("nothing but an app", "rtmp://host/live", "live", "", "live", "", {}),
    ("nothing", "", "", "", "", "", {}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("tc_url", "app", "name", "to_app", "to_key", "to_query"), [pytest.param(*case[1:], id=case[0]) for case in CASES]
)
def test_every_spelling_reaches_its_target(
    tc_url: str, app: str, name: str, to_app: str, to_key: str, to_query: dict[str, str]
) -> None:
    target = parse_publish_target(tc_url, app, name)
    assert (target.app, target.key.reveal(), target.query) == (to_app, to_key, to_query)


def test_a_target_shows_neither_key_nor_query() -> None:
    shown = repr(parse_publish_target("rtmp://host/live", "live", "SECRET?token=HIDDEN"))
    assert "live" in shown
    assert "SECRET" not in shown
    assert "HIDDEN" not in shown


@settings(max_examples=80)
@given(st.text(max_size=40), st.text(max_size=40), st.text("/?&=%'\" kK", max_size=40))
def test_any_text_gives_a_target(tc_url: str, app: str, name: str) -> None:
    assert isinstance(parse_publish_target("rtmp://" + tc_url, app, name), Target)
    assert isinstance(parse_publish_target(tc_url, app, name), Target)
