"""What a followed run shows now: its playlists, and which init sections, segments and parts there are.

Law: nothing here waits. None means that it may be here later, a `Failure` that it will not.
Neighbours: `http` waits for what is not here yet, `answers` says what is.
"""

from headrace.core.broadcast import Plan
from headrace.core.hls.listing import Piece, Place, Segment, part_name
from headrace.core.media import TICKS_PER_MS
from headrace.origin import answers
from headrace.origin.answers import Headers
from headrace.origin.blocking import BadDirective, Directives, directives
from headrace.origin.followed import FollowedRun
from headrace.origin.metrics import STALE_ANSWERS
from headrace.origin.paths import InitPath, PartPath, PlaylistPath, SegmentPath, echoed
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.direct import Answer

LONG_TARGET_DURATIONS = 6  # lifetime of what never changes again, though one day it goes


class Failure(Exception):
    """An answer that is not the one asked for. `news`: it might be, if the log holds more than was read of it."""

    def __init__(self, status: int, why: str, retry_after_s: int | None = None, *, news: bool = False) -> None:
        fields = {} if retry_after_s is None else {"retry-after": str(retry_after_s)}
        self.answer = answers.error(status, why, fields)
        self.news = news


def playlist(followed: FollowedRun, path: PlaylistPath, request: Headers, query: bytes) -> Answer | None:
    """The media playlist, if it holds what the query wants it to hold. Raises Failure."""
    directive = wanted(followed, query)
    if not lists(followed, path.rung):
        return None
    if directive and not directive.shown(followed.model, path.rung):
        if directive.too_far(followed.model, path.rung, plan(followed).part_target_ms):
            raise Failure(400, "that is too far ahead of the playlist", news=True)
        return None
    if followed.stale:
        STALE_ANSWERS.labels(path.kind).inc()
    page = followed.pages.media(path.rung, echoed(query))
    assert page is not None  # it is listed
    return answers.playlist(request, page, _long_s(followed) if directive else lifetime_s(followed), unix_ms())


def lists(followed: FollowedRun, rung: str) -> bool:
    """Whether the rendition has a playlist yet. Raises Failure."""
    model = followed.model
    if rung in model.rungs:
        return model.lists(rung)
    if model.plan is not None:
        raise Failure(404, "the run has no such rendition")
    return False


def wanted(followed: FollowedRun, query: bytes) -> Directives | None:
    """What the query wants the playlist to hold; nothing, once the run is over. Raises Failure."""
    try:
        return None if followed.model.ended else directives(query)
    except BadDirective as bad:
        raise Failure(400, str(bad)) from None


def init(followed: FollowedRun, path: InitPath, request: Headers) -> Answer:
    """An init section. Raises Failure."""
    section = followed.model.init(path.rung, path.name)
    if section is None:
        raise Failure(404, "there is no such init section", news=not followed.model.ended)
    media_type, modified_ms = _media_type(followed, path.rung), followed.model.anchor_ms
    return answers.media(request, section.data, media_type, f'"{path.name}"', modified_ms, unix_ms())


def segment(followed: FollowedRun, path: SegmentPath) -> Segment:
    """The segment. Raises Failure."""
    found = followed.model.segment(path.rung, path.msn)
    if found is None or found.name != path.name:
        raise Failure(
            404, "there is no such segment", news=found is None and _ahead(followed, path.rung, Place(path.msn + 1, 0))
        )
    if found.gap:
        raise Failure(404, "this segment is a gap")
    return found


def is_hinted(followed: FollowedRun, path: PartPath) -> bool:
    """Whether the part is the one that comes next."""
    return followed.model.hint(path.rung) == path.name


def part(followed: FollowedRun, path: PartPath) -> Piece:
    """The part. Raises Failure."""
    found = followed.model.part(path.rung, path.msn, path.part)
    if found is None or part_name(path.msn, path.part, found.encoder) != path.name:
        raise Failure(404, "there is no such part", news=_ahead(followed, path.rung, Place(path.msn, path.part)))
    if found.gap:
        raise Failure(404, "this part is a gap")
    return found


def medium(followed: FollowedRun, path: SegmentPath | PartPath, request: Headers, body: bytes, end: int) -> Answer:
    """A segment or a part that ends at tick `end`."""
    modified_ms = followed.model.anchor_ms + end // TICKS_PER_MS
    return answers.media(request, body, _media_type(followed, path.rung), f'"{path.name}"', modified_ms, unix_ms())


def plan(followed: FollowedRun) -> Plan:
    """The plan of a run that lists something."""
    assert followed.model.plan is not None  # nothing is listed without
    return followed.model.plan


def refresh_s(followed: FollowedRun) -> int:
    """Half a target duration, the lifetime of what may change with the next segment."""
    plan = followed.model.plan
    return max(1, plan.target_duration_s // 2) if plan else 1


def lifetime_s(followed: FollowedRun) -> int:
    """How long a playlist may be kept that says how things are now."""
    return _long_s(followed) if followed.model.ended else refresh_s(followed)


def _long_s(followed: FollowedRun) -> int:
    return LONG_TARGET_DURATIONS * plan(followed).target_duration_s


def _ahead(followed: FollowedRun, rung: str, place: Place) -> bool:
    """Whether what comes before `place` was not all read yet."""
    model = followed.model
    return not model.ended and (model.plan is None or (rung in model.rungs and place > model.newest(rung)))


def _media_type(followed: FollowedRun, rung: str) -> str:
    plan = followed.model.plan
    return "audio/mp4" if plan and plan.audio and plan.audio.name == rung else "video/mp4"
