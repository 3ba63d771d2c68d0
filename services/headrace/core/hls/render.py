"""The text of a media playlist.

Law: a pure function of the model; UTF-8 without control characters; every URI is relative. Tags of a segment come in
one order: DISCONTINUITY, MAP, PROGRAM-DATE-TIME, PART, GAP, EXTINF; what is yet to come, and how far the other
renditions are, stands at the end. Source: RFC 8216bis §4.4. Neighbours: `playlist` decides
what is listed, `durations` prints EXTINF.
"""

from collections.abc import Iterator
from functools import lru_cache

from headrace.core.hls.dates import iso_8601
from headrace.core.hls.durations import extinf
from headrace.core.hls.listing import MediaPlaylist, Piece, Segment, part_name
from headrace.core.media import TICKS_PER_MS

VERSION = 6  # EXT-X-MAP outside of I-frame playlists; the tags of low latency ask for none (RFC 8216bis §8)


# What a window holds is printed again with every part, in every rendition: dates and durations only once.
_date = lru_cache(8192)(iso_8601)
_duration = lru_cache(8192)(extinf)


def media_playlist(playlist: MediaPlaylist, query: str = "") -> str:
    """The playlist's text. `query` ("" or "?name=value…", safe in a URI) is added to the URI of every resource."""
    return "\n".join(_lines(playlist, query)) + "\n"


def date_ms(anchor_ms: int, tick: int) -> int:
    """Unix time in milliseconds at `tick` of a timeline whose 0 is at `anchor_ms`, half up."""
    return anchor_ms + (tick + TICKS_PER_MS // 2) // TICKS_PER_MS


def _lines(playlist: MediaPlaylist, query: str) -> Iterator[str]:
    yield "#EXTM3U"
    yield f"#EXT-X-VERSION:{VERSION}"
    yield f"#EXT-X-TARGETDURATION:{playlist.target_duration_s}"
    yield f"#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK={_seconds(playlist.part_hold_back_ms)}"
    yield f"#EXT-X-PART-INF:PART-TARGET={_seconds(playlist.part_target_ms)}"
    yield f"#EXT-X-MEDIA-SEQUENCE:{playlist.media_sequence}"
    yield f"#EXT-X-DISCONTINUITY-SEQUENCE:{playlist.discontinuity_sequence}"
    if playlist.independent:
        yield "#EXT-X-INDEPENDENT-SEGMENTS"
    parts_from = playlist.parts_from
    for segment, broken, new_map in playlist.lines():
        if broken:
            yield "#EXT-X-DISCONTINUITY"
        if new_map:
            yield f'#EXT-X-MAP:URI="{segment.init.name}{query}"'
        yield f"#EXT-X-PROGRAM-DATE-TIME:{_date(date_ms(playlist.anchor_ms, segment.start))}"
        if segment.start >= parts_from:
            for number, piece in enumerate(segment.pieces):
                yield _part(segment, number, piece, query)
        if segment is playlist.open:
            break
        if segment.gap:
            yield "#EXT-X-GAP"
        yield f"#EXTINF:{_duration(segment.start, segment.end)},"
        yield segment.name + query
    if playlist.hint:
        yield f'#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{playlist.hint}{query}"'
    if playlist.init_hint:
        yield f'#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="{playlist.init_hint}{query}"'
    for rung, newest in playlist.others:
        uri = f"../{rung}/index.m3u8{query}"
        yield f'#EXT-X-RENDITION-REPORT:URI="{uri}",LAST-MSN={newest.msn},LAST-PART={newest.part}'
    if playlist.ended:
        yield "#EXT-X-ENDLIST"


def _part(segment: Segment, number: int, piece: Piece, query: str) -> str:
    kind = ",GAP=YES" if piece.gap else ",INDEPENDENT=YES" if piece.independent else ""
    name = part_name(segment.msn, number, piece.encoder)
    return f'#EXT-X-PART:DURATION={_duration(piece.start, piece.end)},URI="{name}{query}"{kind}'


def _seconds(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03}"
