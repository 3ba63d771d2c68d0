"""The conformance rules find what is wrong: a faultless recording, doctored in one way at a time."""

from dataclasses import replace

import pytest

from tests.support.conformance.findings import RULES
from tests.support.conformance.judge import findings
from tests.support.recorder import Recording
from tests.unit.support.doctors import (
    END,
    MIDDLE,
    TAIL,
    Doctor,
    abandoned,
    answered,
    body,
    bursts,
    delayed,
    dribbled,
    dropped_report,
    everywhere,
    gone,
    hint_refused,
    late,
    lines,
    master,
    never_ended,
    not_reloaded,
    once,
    other_media,
    part_of_13,
    probed,
    refused,
    resource,
    short_part,
    slower,
    stale_report,
    status,
    text,
    two_bodies,
    variant,
    without,
)
from tests.unit.support.recorded import AUDIO, VIDEO, failure, faultless, part_bytes


@pytest.fixture(scope="module")
def pristine() -> Recording:
    return faultless()


@pytest.fixture
def recording(pristine: Recording) -> Recording:
    """A copy of what doctors change."""
    renditions = {
        url: replace(
            each,
            refreshes=[replace(refresh) for refresh in each.refreshes],
            hinted=dict(each.hinted),
            resources=dict(each.resources),
            probes={what: replace(probe) for what, probe in each.probes.items()},
            kept=list(each.kept),
        )
        for url, each in pristine.renditions.items()
    }
    variants = {url: dict(attributes) for url, attributes in pristine.variants.items()}
    return Recording(pristine.multivariant, variants, renditions)


FAULTS: dict[str, tuple[int, Doctor]] = {
    "TARGETDURATION changes": (1, text("DURATION:2", "DURATION:3", at=TAIL)),
    "a segment is too long": (2, text("#EXTINF:2.00000", "#EXTINF:2.50000")),
    "durations drift": (3, text("#EXTINF:2.00000", "#EXTINF:1.97000")),
    "a part is too long": (4, text('0.33334,URI="12.1-', '0.35000,URI="12.1-')),
    "a part is too short": (5, short_part),
    "PART-TARGET changes": (6, text("PART-TARGET=0.344", "PART-TARGET=0.340", at=TAIL)),
    "PART-HOLD-BACK changes": (6, text("PART-HOLD-BACK=1.032", "PART-HOLD-BACK=1.100", at=TAIL)),
    "PART-HOLD-BACK is too small": (7, everywhere("PART-HOLD-BACK=1.032", "PART-HOLD-BACK=0.860")),
    "PART-HOLD-BACK is missing": (7, everywhere(",PART-HOLD-BACK=1.032", "")),
    "HOLD-BACK is too small": (8, everywhere("PART-HOLD-BACK=1.032", "HOLD-BACK=5.0,PART-HOLD-BACK=1.032")),
    "CAN-SKIP-UNTIL is too small": (9, everywhere("CAN-BLOCK", "CAN-SKIP-UNTIL=11.9,CAN-BLOCK")),
    "CAN-SKIP-DATERANGES is alone": (9, everywhere("CAN-BLOCK", "CAN-SKIP-DATERANGES=YES,CAN-BLOCK")),
    "segments come late": (10, slower(1.5, every=6)),
    "parts come late": (11, slower(0.05, every=1)),
    "parts come in bursts": (11, bursts),
    "a segment in the middle vanishes": (14, without("13-", END, first=True)),
    "the last segment vanishes": (14, once(MIDDLE + 4, "#EXT-X-PART", "#EXT-X-OTHER")),
    "a listed duration changes": (14, text("#EXTINF:2.00000,\n11-", "#EXTINF:2.00100,\n11-", at=TAIL)),
    "a listed segment becomes a gap": (14, text("#EXTINF:2.00000,\n11-", "#EXT-X-GAP\n#EXTINF:2.00000,\n11-", at=TAIL)),
    "a listed part is renamed": (14, text("12.1-e1", "12.1-e9", at=TAIL)),
    "a date changes": (14, text("12:00:22.123", "12:00:22.124", at=TAIL)),
    "ENDLIST goes": (14, once(MIDDLE, "#EXT-X-PRELOAD", "#EXT-X-ENDLIST\n#EXT-X-PRELOAD")),
    "the version changes": (14, once(MIDDLE, "VERSION:6", "VERSION:7")),
    "two readers see two lists": (15, once(8, "0.33334", "0.33335")),
    "one ETag has two bodies": (15, two_bodies),
    "MEDIA-SEQUENCE falls": (16, once(MIDDLE, "MEDIA-SEQUENCE:3", "MEDIA-SEQUENCE:1")),
    "MEDIA-SEQUENCE grows by too much": (16, once(MIDDLE, "MEDIA-SEQUENCE:3", "MEDIA-SEQUENCE:5")),
    "an MSN is renamed": (17, once(MIDDLE, "\n11-", "\n11-x")),
    "DISCONTINUITY-SEQUENCE grows alone": (17, once(MIDDLE, "DISCONTINUITY-SEQUENCE:0", "DISCONTINUITY-SEQUENCE:1")),
    "two MSNs share a URI": (17, once(MIDDLE, "\n10-", "\n11-")),
    "a PLAYLIST-TYPE": (20, everywhere("#EXT-X-PART-INF", "#EXT-X-PLAYLIST-TYPE:EVENT\n#EXT-X-PART-INF")),
    "a date after a part": (
        21,
        once(
            MIDDLE,
            '#EXT-X-PART:DURATION=0.33333,URI="12.2',
            '#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:24.123Z\n#EXT-X-PART:DURATION=0.33333,URI="12.2',
        ),
    ),
    "parts are listed for too short": (22, without("#EXT-X-PART:")),
    "parts are listed for too long": (
        22,
        once(MIDDLE, "#EXTINF:2.00000,\n5-", '#EXT-X-PART:DURATION=0.33333,URI="5.0"\n#EXTINF:2.00000,\n5-'),
    ),
    "a part was gone too early": (22, gone(1)),
    "a segment was gone too early": (23, gone(0)),
    "a date is missing": (24, without("#EXT-X-PROGRAM-DATE-TIME", first=True)),
    "a date has no zone": (24, text(".123Z", ".123")),
    "a date has no milliseconds": (24, text(".123Z", "Z")),
    "dates do not follow durations": (24, everywhere("12:00:24.123", "12:00:24.140")),
    "the version is too high": (27, everywhere("VERSION:6", "VERSION:9")),
    "the version is too low": (27, everywhere("VERSION:6", "VERSION:5")),
    "a byte order mark": (29, once(MIDDLE, "#EXTM3U", "\ufeff#EXTM3U")),
    "a control character": (29, once(MIDDLE, "#EXTM3U", "#EXTM3U\x07")),
    "no #EXTM3U": (29, once(MIDDLE, "#EXTM3U\n", "")),
    "the last line is cut": (29, lines(lambda t: t[:-1], at=slice(MIDDLE, MIDDLE + 1))),
    "a tag twice": (29, once(MIDDLE, "#EXT-X-VERSION:6", "#EXT-X-VERSION:6\n#EXT-X-VERSION:6")),
    "TARGETDURATION is missing": (29, without("#EXT-X-TARGETDURATION")),
    "MEDIA-SEQUENCE after a segment": (29, once(MIDDLE, "\n12-", "\n#EXT-X-MEDIA-SEQUENCE:2\n12-")),
    "a URI without EXTINF": (29, without("#EXTINF", first=True)),
    "a part without DURATION": (29, once(MIDDLE, "PART:DURATION=0.33333,", "PART:")),
    "a duration that is none": (29, once(MIDDLE, "EXTINF:2.00000", "EXTINF:two")),
    "an attribute twice": (29, once(MIDDLE, "TYPE=PART,", "TYPE=PART,TYPE=PART,")),
    "another type": (29, answered(MIDDLE, content_type="text/plain")),
    "a reload comes before its part": (30, not_reloaded),
    "a reload is refused": (30, refused),
    "CAN-BLOCK-RELOAD is not offered": (30, everywhere("CAN-BLOCK-RELOAD=YES,", "")),
    "a part beyond the last is refused": (31, probed("beyond the last part", status(400))),
    "the past is refused": (32, probed("past", status(400))),
    "the past is waited for": (32, probed("out of the window", late(3))),
    "a part without its segment is taken": (33, probed("a part without its segment", status(200))),
    "no number is taken": (33, probed("no number", status(200))),
    "the far future is waited for": (34, probed("too far", late(5))),
    "the far future is late": (34, probed("too far", status(503))),
    "a reload takes too long": (35, delayed(8.5, slice(MIDDLE, MIDDLE + 1))),
    "no end": (35, never_ended),
    "a directive after the end is refused": (35, probed("after the end", status(400))),
    "no hint": (43, without("#EXT-X-PRELOAD-HINT")),
    "two hints": (43, once(MIDDLE, "#EXT-X-PRELOAD", '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x"\n#EXT-X-PRELOAD')),
    "a hint at the end": (43, once(END, "#EXT-X-END", '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="x"\n#EXT-X-END')),
    "another part than hinted, which is there": (43, abandoned(200)),
    "a hinted part is refused": (44, hint_refused(503)),
    "hinted parts dribble": (44, dribbled),
    "a hinted part is begun before its length is known": (
        44,
        resource("13.2-", lambda a: replace(a, headers=a.headers | {"content-length": "0"})),
    ),
    "an abandoned hint is late": (45, abandoned(503)),
    "a listed part is missing": (45, resource("13.0-", lambda a: failure(a.url, a.done_s, 404))),
    "an un-hinted part is waited for": (45, probed("un-hinted", late(5))),
    "a segment is not its parts": (46, resource("13-", body(lambda b: b + part_bytes(VIDEO, 14, 0)))),
    "a segment's parts are too short for it": (46, text('0.33333,URI="12.2-', '0.33000,URI="12.2-')),
    "an independent part does not say so": (47, text('"12.0-e1.m4s",INDEPENDENT=YES', '"12.0-e1.m4s"')),
    "a dependent part says it is not": (47, text('"12.1-e1.m4s"', '"12.1-e1.m4s",INDEPENDENT=YES')),
    "a segment that is promised to be independent is not": (47, other_media(lambda n: part_of_13(n, never=1))),
    "no report": (49, dropped_report),
    "a stale report": (49, stale_report),
    "a report of the future": (49, once(MIDDLE, "LAST-MSN=12", "LAST-MSN=99")),
    "a report with a host": (49, once(MIDDLE, "../audio/", "http://origin/live/s1/r1/audio/")),
    "renditions drift apart": (50, delayed(0.7, slice(None))),
    "another TARGETDURATION": (51, text("DURATION:2", "DURATION:3", name=AUDIO)),
    "another PART-TARGET": (51, text("PART-TARGET=0.344", "PART-TARGET=0.343", name=AUDIO)),
    "other boundaries": (51, text("#EXTINF:2.00000,\n12-", "#EXTINF:2.00010,\n12-", name=AUDIO)),
    "a rendition without parts": (52, text("#EXT-X-PART:", "#EXT-X-OTHER:", name=AUDIO)),
    "no PART-INF": (52, text("#EXT-X-PART-INF:PART-TARGET=0.344\n", "", name=AUDIO)),
    "other numbers": (53, text("MEDIA-SEQUENCE:", "MEDIA-SEQUENCE:1", name=AUDIO)),
    "no CODECS": (54, variant(CODECS=None)),
    "no RESOLUTION": (54, variant(RESOLUTION=None)),
    "no FRAME-RATE": (54, variant(FRAME_RATE=None)),
    "no AVERAGE-BANDWIDTH": (54, variant(AVERAGE_BANDWIDTH=None)),
    "a peak below the average": (54, variant(BANDWIDTH="1000")),
    "CODECS without the sound": (54, variant(CODECS="avc1.42c01e")),
    "CODECS of other media": (54, variant(CODECS="avc1.64001f,mp4a.40.2")),
    "no INDEPENDENT-SEGMENTS": (54, master("#EXT-X-INDEPENDENT-SEGMENTS\n", "")),
    "plain text": (57, answered(MIDDLE, content_encoding="identity")),
    "no Vary": (57, answered(MIDDLE, vary="Origin")),
    "scripts may not read": (58, answered(MIDDLE, access_control_allow_origin="null")),
    "scripts may not see Age": (
        58,
        answered(MIDDLE, access_control_expose_headers="Date, Content-Length, Content-Range"),
    ),
    "a blocked reload is cached too shortly": (59, answered(MIDDLE, cache_control="public, max-age=1")),
    "a plain one is cached too long": (59, answered(0, cache_control="public, max-age=12")),
    "a playlist may not be cached": (59, answered(MIDDLE, cache_control="no-cache")),
    "media is cached too shortly": (
        59,
        resource("13-", lambda a: replace(a, headers=a.headers | {"cache-control": "public, max-age=5"})),
    ),
    "an error is cached too long": (
        59,
        probed("un-hinted", lambda a: replace(a, headers=a.headers | {"cache-control": "public, max-age=60"})),
    ),
    "no MAP": (63, everywhere("#EXT-X-MAP", "#EXT-X-OTHER")),
    "an old brand": (63, resource("init-", body(lambda b: b.replace(b"iso6", b"isom").replace(b"cmfc", b"mp41")))),
    "no mvex": (63, resource("init-", body(lambda b: b.replace(b"mvex", b"free")))),
    "no tfdt": (63, other_media(lambda n: part_of_13(n).replace(b"tfdt", b"free"))),
    "a duration in the movie header": (
        63,
        resource("init-", body(lambda b: b[: b.index(b"mvhd") + 20] + b"\0\0\0\1" + b[b.index(b"mvhd") + 24 :])),
    ),
    "a fragment that is cut": (63, other_media(lambda n: part_of_13(n)[: 100 if n == 2 else None])),
    "a jump in decode time": (64, other_media(lambda n: part_of_13(n, shift=1))),
    "parameter sets in the stream": (65, resource("init-", body(lambda b: b.replace(b"avc1", b"avc3")))),
}


def test_a_faultless_stream_has_no_findings(recording: Recording) -> None:
    assert [str(finding) for finding in findings(recording, encoded=True)] == []


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_is_found_by_its_rule(recording: Recording, fault: str) -> None:
    rule, doctor = FAULTS[fault]
    doctor(recording)
    found = findings(recording, encoded=True)
    assert rule in {finding.rule for finding in found}, [str(finding) for finding in found]


def test_every_rule_has_a_fault_that_it_finds() -> None:
    assert {rule for rule, _ in FAULTS.values()} == set(RULES)


def test_a_hint_that_was_rightly_abandoned_is_no_finding(recording: Recording) -> None:
    abandoned(404)(recording)
    assert not [str(f) for f in findings(recording, encoded=True) if f.rule in (43, 44, 45)]


def test_a_finding_says_where_what_and_which_rule(recording: Recording) -> None:
    text("DURATION:2", "DURATION:3", at=TAIL)(recording)
    words = {str(finding) for finding in findings(recording, encoded=True)}
    assert "360p: TARGETDURATION went from 2 to 3 [rule 1, RFC 8216bis §6.2.1: TARGETDURATION never changes]" in words


def test_what_is_not_encoded_promises_nothing(recording: Recording) -> None:
    master("#EXT-X-INDEPENDENT-SEGMENTS\n", "")(recording)
    assert not findings(recording, encoded=False)
