"""fMP4 as HLS wants it: one rule of RFC 8216bis or of Apple's authoring specification each."""

from itertools import pairwise

import pytest
from hypothesis import given, settings

from headrace.core.broadcast import AudioSource, Plan
from headrace.core.cmaf import AudioTrack, Sample, VideoTrack, audio_init, fragment, video_init
from headrace.core.hls.segmenter import AudioPart, PartClosed, PassthroughPart, decode_times
from tests.support.boxes import Box, read_boxes, read_run
from tests.support.cuts import encoded, heard, passed, spans
from tests.support.media_patterns import Pattern, patterns

AVCC = bytes.fromhex("0142c01effe100096742c01eda02802dc801000468ce3c80")
SOUND = AudioSource("mp4a", b"", 48_000, 2, 1024)
ORIGIN_S = 10
Fragments = list[tuple[int, bytes]]  # each part's MSN and bytes

inits = pytest.mark.parametrize(
    "init",
    [video_init(VideoTrack(AVCC, 640, 360)), audio_init(AudioTrack(bytes.fromhex("1190"), 48_000, 2, 128_000))],
    ids=["video", "audio"],
)


def source_fragments(plan: Plan, pattern: Pattern) -> Fragments:
    """What passes through; a sample's bytes are its number."""
    return [
        (
            part.msn,
            fragment(
                1,
                part.samples[0].dts + 90_000 * ORIGIN_S,
                [Sample(b"%d" % s.source, s.duration, s.cts, s.keyframe) for s in part.samples],
            ),
        )
        for part in passed(plan, pattern)
        if isinstance(part, PassthroughPart)
    ]


def encoded_fragments(plan: Plan, pattern: Pattern, stride: int, delta: int) -> Fragments:
    """One encoded rung; a sample's bytes are its pts."""
    made = []
    for part in spans(encoded(plan, pattern)):
        assert isinstance(part, PartClosed)
        pictures = part.pictures[::stride]
        times = decode_times(pictures, part.end, delta)
        samples = [Sample(b"%d" % pts, length, pts - dts) for pts, (dts, length) in zip(pictures, times, strict=True)]
        made.append((part.msn, fragment(1, times[0][0] + 90_000 * ORIGIN_S, samples)))
    return made


def sound_fragments(plan: Plan, pattern: Pattern) -> Fragments:
    """The audio rung; a unit's bytes are its first sample's number."""
    assert plan.audio is not None
    leading = spans(encoded(plan, pattern)) if plan.encoded else passed(plan, pattern)
    return [
        (
            part.msn,
            fragment(
                1,
                part.units[0].sample + plan.audio.sample_rate * ORIGIN_S,
                [Sample(b"%d" % unit.sample, unit.samples) for unit in part.units],
            ),
        )
        for part in heard(plan, leading)
        if isinstance(part, AudioPart)
    ]


def all_fragments(pattern: Pattern) -> list[Fragments]:
    """Every rung of a plan that encodes, and of one that passes through."""
    ladder, passing = pattern.plan("auto", SOUND, height=1080), pattern.plan("passthrough", SOUND)
    rungs = [encoded_fragments(ladder, pattern, rung.stride, rung.delta) for rung in ladder.encoded]
    rungs += [sound_fragments(ladder, pattern)]
    return [*rungs, source_fragments(passing, pattern), sound_fragments(passing, pattern)]


def timed(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """(decode time, duration, composition offset, bytes) of every sample, in order."""
    found = []
    boxes = read_boxes(data)
    for moof, mdat in zip(boxes[::2], boxes[1::2], strict=True):
        run = read_run(moof)
        at, position = run.base_decode_time, 0
        for duration, size, _, offset in run.samples:
            found.append((at, duration, offset, mdat.content[position : position + size]))
            at, position = at + duration, position + size
    return found


@given(patterns(max_seconds=12))
@settings(max_examples=12, deadline=None)
def test_a_segment_s_bytes_are_its_parts_and_hold_their_samples_at_their_times(pattern: Pattern) -> None:
    """RFC 8216bis §3.2."""
    for fragments in all_fragments(pattern):
        for msn in {number for number, _ in fragments}:
            parts = [data for number, data in fragments if number == msn]
            assert timed(b"".join(parts)) == [sample for data in parts for sample in timed(data)]


@given(patterns(max_seconds=12))
@settings(max_examples=12, deadline=None)
def test_parts_together_hold_every_sample_of_the_source_once_at_its_own_time(pattern: Pattern) -> None:
    """RFC 8216bis §3.2: the same samples, and the same timing."""
    fragments = source_fragments(pattern.plan("passthrough", SOUND), pattern)
    found = [(at + offset - 90_000 * ORIGIN_S, data) for _, part in fragments for at, _, offset, data in timed(part)]
    assert found == [(shot.pts, b"%d" % number) for number, shot in enumerate(pattern.shots)]


@given(patterns(max_seconds=12))
@settings(max_examples=12, deadline=None)
def test_decode_time_goes_on_from_part_to_part_and_from_segment_to_segment(pattern: Pattern) -> None:
    """RFC 8216bis §3; Apple's authoring specification, 7.3: the next tfdt is this one and all durations since."""
    for fragments in all_fragments(pattern):
        samples = [sample for _, part in fragments for sample in timed(part)]
        assert all(at + duration == then for (at, duration, *_), (then, *_) in pairwise(samples))


@given(patterns(max_seconds=6))
@settings(max_examples=6, deadline=None)
def test_every_track_fragment_has_its_decode_time_and_addresses_from_its_moof(pattern: Pattern) -> None:
    """RFC 8216bis §3.1.2: tfdt in every traf; default-base-is-moof and no base-data-offset."""
    for fragments in all_fragments(pattern):
        for _, data in fragments:
            moof, mdat = read_boxes(data)
            header = moof.find(b"traf", b"tfhd").content
            assert int.from_bytes(header[1:4], "big") & 0x020001 == 0x020000
            run = read_run(moof)  # which has a tfdt of 64 bits
            assert data[run.data_offset :] == mdat.content


@inits
def test_an_init_section_has_no_samples_no_durations_and_says_that_fragments_follow(init: bytes) -> None:
    """RFC 8216bis §3.1.2: ftyp of iso6 or later, moov with mvex, and nothing in the sample tables."""
    ftyp, movie = read_boxes(init)
    assert (ftyp.kind, movie.kind) == (b"ftyp", b"moov")
    assert b"iso6" in {ftyp.content[:4], *_fours(ftyp.content[8:])}
    assert movie.find(b"mvex", b"trex").content
    assert movie.find(b"mvhd").content[16:20] == movie.find(b"trak", b"tkhd").content[20:24] == bytes(4)
    table = movie.find(b"trak", b"mdia", b"minf", b"stbl")
    for kind in (b"stts", b"stsc", b"stco"):
        assert table.find(kind).content[4:8] == bytes(4)
    assert table.find(b"stsz").content[8:12] == bytes(4)
    assert b"edts" not in {child.kind for child in movie.find(b"trak").children}


def test_video_is_avc1_whose_parameter_sets_stand_in_the_sample_entry() -> None:
    """Apple's authoring specification, 1.10: not avc3, where they stand in the samples."""
    entries = _sample_entries(video_init(VideoTrack(AVCC, 640, 360)))
    assert [entry.kind for entry in entries] == [b"avc1"]
    assert entries[0].find(b"avcC").content == AVCC
    assert AVCC[5] & 0x1F == 1  # one sequence parameter set


def _sample_entries(init: bytes) -> tuple[Box, ...]:
    return read_boxes(init)[1].find(b"trak", b"mdia", b"minf", b"stbl", b"stsd").children


def _fours(data: bytes) -> set[bytes]:
    return {data[at : at + 4] for at in range(0, len(data), 4)}
