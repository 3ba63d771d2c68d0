"""Where a publisher wants to go: one normaliser for every way in which encoders spell it.

Law: pure and total; FFmpeg's `rtmp://host/live/KEY` and OBS's server `rtmp://host/live` with key `KEY` are the same
target. Neighbours: `server` calls it for each publish; `edge` asks control about the result.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from headrace.core.broadcast.ids import StreamKey


@dataclass(frozen=True, slots=True)
class Target:
    """A publish target, decoded. The query may hold tokens, so it stays out of the repr as the key does."""

    app: str
    """Everything between the host and the key, without slashes at the ends; "" if the encoder sent none."""
    key: StreamKey
    """The last path segment; empty if there is none."""
    query: dict[str, str] = field(repr=False)
    """All query parameters; those after the key win over those after the app, and these over the URL's."""


def parse_publish_target(tc_url: str, app: str, stream_name: str) -> Target:
    """Join what `connect` and `publish` said into one target. Never raises.

    Quotes and blanks around each piece are dropped, each piece is split at its own first "?", everything is
    percent-decoded once, and Wowza's default instance `_definst_` disappears.
    """
    url_path, url_query = _split(_path_of(tc_url))
    app_path, app_query = _split(app)
    name_path, name_query = _split(stream_name)
    base = app_path
    # Without an app (OBS with a bare host), or without a name (the whole address in the URL), the URL has to tell.
    if not app_path or (not name_path and len(url_path) > len(app_path)):
        base = url_path
    segments = [segment for segment in base + name_path if segment != "_definst_"]
    # One segment and no name is an application without a key, never a key without an application.
    key = unquote(segments.pop()) if name_path or len(segments) > 1 else ""
    return Target(unquote("/".join(segments)), StreamKey(key), url_query | app_query | name_query)


def _path_of(url: str) -> str:
    """What follows the authority; ports, user names and IPv6 brackets all lie before the first slash."""
    authority = re.match(r"\w+://[^/?]*", _strip(url))
    return _strip(url)[authority.end() :] if authority else ""


def _split(text: str) -> tuple[list[str], dict[str, str]]:
    """Path segments as sent, and the query decoded."""
    path, _, query = _strip(text).partition("?")
    parameters: dict[str, str] = {}
    # OBS's multitrack configuration appends a second query with its own "?"; the first of a name is the user's.
    for pair in re.split("[&?]", query):
        name, _, value = pair.partition("=")
        if name:
            parameters.setdefault(unquote(name), unquote(value))
    return [segment for segment in path.split("/") if segment], parameters


def _strip(text: str) -> str:
    return text.strip(" \t\r\n\"'")
