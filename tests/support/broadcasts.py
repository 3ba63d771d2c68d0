"""Values of `core.broadcast` for tests of whoever carries or keeps them: one example of each, and strategies."""

from fractions import Fraction

from hypothesis import strategies as st

from headrace.core.broadcast import (
    AudioRung,
    AudioSource,
    Cut,
    Encoding,
    End,
    Entry,
    Gap,
    Hold,
    Init,
    Part,
    Plan,
    Profile,
    RungSpec,
    RunStart,
    Source,
    VideoRung,
    VideoSource,
)
from headrace.core.media import Frame, Kind

SOURCE = Source(
    VideoSource("avc1", b"\x01\x64\x00\x28", 1920, 1080, Fraction(1), Fraction(24), 6000, 3750, 937_500, True, (3750,)),
    AudioSource("mp4a", b"\x12\x10", 44_100, 2, 1024, 128, 37),
)
PLAN = Plan(
    cut=Cut.GRID,
    video=(
        VideoRung("720p", 1280, 720, Fraction(24), 1, 30_000, Encoding(23, 4000, 4000)),
        VideoRung("360p", 640, 360, Fraction(24), 1, 30_000, Encoding(23, 1000, 1000)),
    ),
    audio=AudioRung("audio", 48_000, 2, 1024, 0, 128),
    segment=180_000,
    part=30_000,
    gap=15_000,
    target_duration_s=2,
    part_target_ms=357,
    source_rate=Fraction(24),
    window_s=60,
)

_names = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
_codecs = st.from_regex(r"[A-Za-z0-9._-]{1,20}", fullmatch=True)
_text = st.text(max_size=20)
_bytes = st.binary(max_size=64)
_u32 = st.integers(0, 2**32 - 1)
_u64 = st.integers(0, 2**64 - 1)
_ticks = st.integers(-(2**63), 2**63 - 1)
_lengths = st.integers(1, 2**63 - 1)
_targets = st.integers(1, 2**32 - 1)
_rates = st.fractions(0, 1000, max_denominator=100_000)

video_sources = st.builds(
    VideoSource,
    codec=_text,
    config=_bytes,
    width=_u32,
    height=_u32,
    sar=_rates,
    frame_rate=_rates,
    kbps=_u32,
    delta=_ticks,
    first_segment=_ticks,
    closed=st.booleans(),
    intervals=st.lists(_ticks, max_size=30).map(tuple),
)
audio_sources = st.builds(
    AudioSource,
    codec=_text,
    config=_bytes,
    sample_rate=_u32,
    channels=_u32,
    frame_samples=_u32,
    kbps=_u32,
    grid=_ticks,
)
sources = st.builds(Source, video=video_sources, audio=st.none() | audio_sources)

rung_specs = st.builds(
    RungSpec,
    height=st.integers(90, 4320),
    fps=st.integers(1, 120),
    crf=st.integers(10, 51),
    maxrate_kbps=st.integers(0, 100_000),
)
_ladders = st.lists(rung_specs, min_size=1, max_size=8, unique_by=lambda rung: rung.height).map(tuple)
_asked = st.sampled_from([(False, True, ()), (True, False, ()), (True, True, ())]) | st.tuples(
    st.booleans(), st.just(False), _ladders
)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    """Any profile that can exist."""
    source, auto, rungs = draw(_asked)
    return Profile(
        source,
        auto,
        rungs,
        audio_kbps=draw(st.integers(32, 320)),
        part_ms=draw(st.integers(200, 999)),
        segment_s=draw(st.integers(1, 10)),
        max_gop_s=draw(st.integers(2, 30)),
        window_s=draw(st.integers(20, 600)),
    )


encodings = st.builds(Encoding, crf=_u32, maxrate_kbps=_u32, bufsize_kbps=_u32, preset=_text)
video_rungs = st.builds(
    VideoRung,
    name=_names,
    width=_u32,
    height=_u32,
    frame_rate=_rates,
    stride=_u32,
    delta=_ticks,
    encoding=st.none() | encodings,
)
audio_rungs = st.builds(
    AudioRung, name=st.just("sound"), sample_rate=_u32, channels=_u32, frame_samples=_u32, grid=_ticks, kbps=_u32
)
plans = st.builds(
    Plan,
    cut=st.sampled_from(Cut),
    video=st.lists(video_rungs.filter(lambda r: r.name != "sound"), max_size=4, unique_by=lambda r: r.name).map(tuple),
    audio=st.none() | audio_rungs,
    segment=_lengths,
    part=_lengths,
    gap=_lengths,
    target_duration_s=_targets,
    part_target_ms=_targets,
    source_rate=_rates.filter(bool),
    window_s=_u32,
    fold_version=_u32,
)

_place = {
    "rung": _names,
    "msn": _u64,
    "part": _u32,
    "start": _ticks,
    "end": _ticks,
    "segment_start": _ticks,
    "opened": st.booleans(),
    "segment_end": st.booleans(),
    "discontinuity": _u32,
}
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"  # W3C's own example
entries: st.SearchStrategy[Entry] = st.one_of(
    st.builds(RunStart, plan=plans, anchor_ms=_ticks, traceparent=st.sampled_from(("", TRACEPARENT))),
    st.builds(
        Init, rung=_names, codecs=_codecs, data=_bytes, width=_u32, height=_u32, frame_rate=_rates, channels=_u32
    ),
    st.builds(Part, independent=st.booleans(), size=_u32, digest=_text, encoder=_names, **_place),
    st.builds(Gap, encoder=st.just("") | _names, **_place),
    st.builds(Hold, at=_ticks),
    st.builds(End, at=_ticks),
)

frames = st.builds(
    Frame,
    kind=st.sampled_from(Kind),
    keyframe=st.booleans(),
    dts=_ticks,
    pts=_ticks,
    data=_bytes,
    sample=_ticks,
    samples=_u32,
    jump=st.booleans(),
)
