"""What may change in a media playlist between two fetches of it.

Law: RFC 8216bis §6.2.1 and §6.2.2, for what a client sees; nothing about how playlists are made.
"""

from fractions import Fraction

from tests.support.playlists import ReadPlaylist

_COUNTERS = ("#EXT-X-MEDIA-SEQUENCE", "#EXT-X-DISCONTINUITY-SEQUENCE")
PARTS_TARGET_DURATIONS = 3
LEAST_TARGET_DURATIONS = 3


def assert_permitted(before: ReadPlaylist, after: ReadPlaylist) -> None:
    """All rules between one playlist and a later one, whatever lies between."""
    if before.ended:
        assert after == before
        return
    _header_and_counters(before, after)
    _segments(before, after)
    _parts(before, after)
    _hint(before, after)
    _reports(before, after)


def duration(playlist: ReadPlaylist) -> Fraction:
    """From the start of the first segment to the end of the last part, seconds."""
    segments = sum((Fraction(segment.extinf) for segment in playlist.segments), Fraction(0))
    if playlist.open is None:
        return segments
    return segments + sum(Fraction(part.duration) for part in playlist.parts_of(playlist.open.msn))


def _counter(playlist: ReadPlaylist, name: str) -> int:
    return int(playlist.tags[name])


def _header_and_counters(before: ReadPlaylist, after: ReadPlaylist) -> None:
    fixed = [{name: each.tags[name] for name in each.tags if name not in _COUNTERS} for each in (before, after)]
    assert fixed[0] == fixed[1]
    for name in _COUNTERS:
        assert _counter(after, name) >= _counter(before, name)


def _segments(before: ReadPlaylist, after: ReadPlaylist) -> None:
    gone = _counter(after, _COUNTERS[0]) - _counter(before, _COUNTERS[0])
    assert gone <= len(before.segments)
    kept = before.segments[gone:]
    assert after.segments[: len(kept)] == kept
    tags_gone = _counter(after, _COUNTERS[1]) - _counter(before, _COUNTERS[1])
    newest = [each.open or each.segments[-1] for each in (before, after)]
    new_tags = newest[1].discontinuity - newest[0].discontinuity
    assert after.discontinuity_tags == before.discontinuity_tags - tags_gone + new_tags
    if before.open:
        (opened,) = [s for s in (*after.segments, *([after.open] if after.open else [])) if s.msn == before.open.msn]
        for what in ("date", "map", "discontinuity"):
            assert getattr(opened, what) == getattr(before.open, what)
    if gone:
        length = sum((Fraction(segment.extinf) for segment in after.segments), Fraction(0))
        assert length >= LEAST_TARGET_DURATIONS * int(after.tags["#EXT-X-TARGETDURATION"])


def _parts(before: ReadPlaylist, after: ReadPlaylist) -> None:
    old, new = list(before.parts), list(after.parts)
    while old and (not new or old[0] != new[0]):
        old.pop(0)
    assert new[: len(old)] == old, "a part changed, or left before an older one"
    left = before.parts[: len(before.parts) - len(old)]
    target = int(after.tags["#EXT-X-TARGETDURATION"])
    limit = duration(after) - PARTS_TARGET_DURATIONS * target
    starts = _segment_starts(after)
    for part in left:
        assert starts.get(part.msn, limit - 1) < limit, f"{part} left too early"
    for part in after.parts:
        assert starts[part.msn] >= limit, f"{part} stays too long"
    for msn, whole in _whole_segments(after).items():
        listed = sum(Fraction(part.duration) for part in after.parts_of(msn))
        assert listed in (0, whole), "a segment lists some of its parts"


def _segment_starts(playlist: ReadPlaylist) -> dict[int, Fraction]:
    """Seconds since the first segment's start."""
    starts, at = {}, Fraction(0)
    for segment in playlist.segments:
        starts[segment.msn] = at
        at += Fraction(segment.extinf)
    if playlist.open:
        starts[playlist.open.msn] = at
    return starts


def _whole_segments(playlist: ReadPlaylist) -> dict[int, Fraction]:
    return {segment.msn: Fraction(segment.extinf) for segment in playlist.segments}


def _hint(before: ReadPlaylist, after: ReadPlaylist) -> None:
    place = before.hint.split("-")[0]
    hinted = tuple(int(number) for number in place.split("."))
    newest = after.parts[-1]
    if (newest.msn, newest.part) < hinted:
        assert newest == before.parts[-1]
        assert after.hint == before.hint or after.ended, "the hint changed, and nothing came"
        return
    if (after.parts[0].msn, after.parts[0].part) > hinted:
        return  # it came, and its tag has left already
    (part,) = [part for part in after.parts if (part.msn, part.part) == hinted]
    assert part.uri.startswith(f"{place}-")
    assert part.uri == before.hint or part.independent, "a hint was broken, and not by another encoder"


def _reports(before: ReadPlaylist, after: ReadPlaylist) -> None:
    assert [report.uri for report in before.reports] == [report.uri for report in after.reports]
    for old, new in zip(before.reports, after.reports, strict=True):
        assert (new.last_msn, new.last_part) >= (old.last_msn, old.last_part)
