"""Real worker processes on real media: what comes out holds exactly what went in."""

import io
import socket
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest

from headrace.core.media import TICKS_PER_S, Frame, Kind
from headrace.livelog.base import RungPosition
from headrace.transcoder.pipe import Message, encode
from tests.integration.transcoder.harness import (
    CLIP,
    Clip,
    Output,
    Recipe,
    begin_of,
    clip_of,
    decoded_audio,
    decoded_video,
    made,
    numbered,
    numbers,
    packets,
    psnr,
    work,
)

SMALL = {"rungs": [{"height": 180}, {"height": 90, "fps": 30}]}
RECIPES = {
    "25 fps of odd shape, 44.1 kHz mono": Recipe(Fraction(25), 640, 272, audio_rate=44_100, channels=1),
    "59.94 fps": Recipe(Fraction(60000, 1001), 320, 180, seconds=4.5),
    "23.976 fps, 5.1 sound": Recipe(Fraction(24000, 1001), 320, 180, channels=6),
    "30 fps without sound": Recipe(Fraction(30), 320, 180, channels=0),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    return made(Recipe(), tmp_path_factory.mktemp("media") / "plain.mp4")


def check_times(output: Output, rung: str, clip: Clip) -> None:
    """Parts follow one another, decode times add up, and everything ends where the source does."""
    parts = [one.part for one in output.parts[rung]]
    assert parts[0].start == 0
    assert all(a.end == b.start for a, b in pairwise(parts))
    assert all(
        (b.msn, b.part) == ((a.msn + 1, 0) if a.segment_end else (a.msn, a.part + 1)) for a, b in pairwise(parts)
    )
    assert (parts[-1].end, parts[-1].segment_end) == (clip.end, True)
    times = packets(output.stream(rung))
    assert all(a[0] + a[2] == b[0] for a, b in pairwise(times))
    assert all(pts >= dts for dts, pts, _ in times)


@pytest.mark.parametrize("name", RECIPES)
def test_every_rung_shows_the_sources_pictures_each_once_and_in_time(name: str, tmp_path: Path) -> None:
    clip = made(RECIPES[name], tmp_path / "source.mp4")
    plan = clip.plan(SMALL)
    output = work(begin_of(plan, clip.source), clip.frames)
    assert (output.failed, output.done, dict(output.counted)) == ("", True, {})
    for rung in plan.video:
        check_times(output, rung.name, clip)
        pictures = decoded_video(output.stream(rung.name))
        shown = [clip.shown.index(pts) for pts, _ in pictures]
        if rung.stride == 1:
            assert shown == list(range(len(clip.shown)))
        assert numbers(pictures) == shown
        for one in output.parts[rung.name]:
            assert one.part.independent == (one.part.part == 0)
    if plan.audio is not None:
        check_times(output, "audio", clip)
        start, sound = decoded_audio(output.stream("audio"))
        assert start == plan.audio.grid
        assert abs(sound.shape[1] / 48_000 - clip.end / TICKS_PER_S) < 0.05


def test_a_half_rate_rung_shows_each_parts_first_picture_and_then_every_second(tmp_path: Path) -> None:
    clip = made(Recipe(Fraction(60), seconds=4, channels=0), tmp_path / "source.mp4")
    plan = clip.plan(SMALL)
    output = work(begin_of(plan, clip.source), clip.frames)
    half = {pts for pts, _ in decoded_video(output.stream("90p"))}
    for one in output.parts["180p"]:
        shown = [pts for pts in clip.shown if one.part.start <= pts < one.part.end]
        assert {pts for pts in half if one.part.start <= pts < one.part.end} == set(shown[::2])


def test_rungs_look_like_their_source(plain: Clip) -> None:
    output = work(begin_of(plain.plan(SMALL), plain.source), plain.frames)
    for rung in ("180p", "90p"):
        for pts, picture in decoded_video(output.stream(rung))[::25]:
            assert psnr(picture, numbered(320, 180, plain.shown.index(pts))) > 30


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 2), (44_100, 2), (44_100, 1), (22_050, 1)])
def test_sound_keeps_its_place_to_the_sample(rate: int, channels: int, tmp_path: Path) -> None:
    clip = made(Recipe(seconds=3, audio_rate=rate, channels=channels), tmp_path / "source.mp4")
    first = next(frame for frame in clip.frames if frame.kind is Kind.AUDIO)
    source = decoded_units(clip)
    start, sound = decoded_audio(work(begin_of(clip.plan(SMALL), clip.source), clip.frames).stream("audio"))
    assert sound.shape[0] == channels
    # The phase of a 440 Hz tone, measured in a second of sound in the middle, in samples of 48 kHz.
    theirs = phase(source[rate : 2 * rate], rate, first.sample + rate)
    ours = phase(sound[0, 48_000:96_000], 48_000, start + 48_000)
    assert abs(theirs - ours) * 48_000 / 440 < 0.05


def test_sound_that_stops_is_silence_and_never_a_shorter_track(tmp_path: Path) -> None:
    clip = made(Recipe(seconds=6, audio_seconds=2), tmp_path / "source.mp4")
    output = work(begin_of(clip.plan(SMALL), clip.source), clip.frames)
    check_times(output, "audio", clip)
    _, sound = decoded_audio(output.stream("audio"))
    assert float(np.abs(sound[:, 48_000 : 2 * 48_000]).max()) > 0.3
    assert float(np.abs(sound[:, 3 * 48_000 :]).max()) < 0.001


def test_sound_that_jumps_ahead_leaves_silence_in_between(plain: Clip) -> None:
    def moved(frame: Frame) -> Frame:
        if frame.kind is Kind.VIDEO or frame.sample < 96_000:
            return frame
        return frame._replace(sample=frame.sample + 24_000, pts=frame.pts + 45_000, dts=frame.dts + 45_000)

    output = work(begin_of(plain.plan(SMALL), plain.source), [moved(frame) for frame in plain.frames])
    _, sound = decoded_audio(output.stream("audio"))
    hole = -(-96_000 // 1024) * 1024
    assert float(np.abs(sound[:, hole + 2048 : hole + 22_000]).max()) < 0.001
    assert float(np.abs(sound[:, hole + 30_000 : hole + 60_000]).max()) > 0.3


def test_passthrough_decodes_nothing_and_changes_nothing(plain: Clip) -> None:
    plan = plain.plan("passthrough")
    output = work(begin_of(plan, plain.source), plain.frames)
    assert (output.failed, output.done) == ("", True)
    check_times(output, "source", plain)
    video = [frame for frame in plain.frames if frame.kind is Kind.VIDEO]
    assert samples(output.stream("source")) == [frame.data for frame in video]
    assert [(dts, pts) for dts, pts, _ in packets(output.stream("source"))] == [(f.dts, f.pts) for f in video]
    ours, theirs = samples(output.stream("audio")), [f.data for f in plain.frames if f.kind is Kind.AUDIO]
    assert ours == theirs[: len(ours)]
    assert len(ours) >= len(theirs) - 1


def test_a_source_rung_and_encoded_rungs_are_cut_at_the_same_times(tmp_path: Path) -> None:
    clip = made(Recipe(seconds=7, gop=50), tmp_path / "source.mp4")
    plan = clip.plan({"source": True, **SMALL})
    assert plan.passthrough is not None
    output = work(begin_of(plan, clip.source), clip.frames)
    assert (output.failed, output.done) == ("", True)
    segments = {
        rung: [one.part.start for one in output.parts[rung] if one.part.part == 0]
        for rung in ("source", "180p", "audio")
    }
    assert segments["source"] == segments["180p"] == segments["audio"]
    assert len(segments["source"]) == 4
    assert numbers(decoded_video(output.stream("source"))) == numbers(decoded_video(output.stream("180p")))


def test_a_hole_in_the_source_is_filled_with_its_last_picture(plain: Clip) -> None:
    plan = plain.plan(SMALL)
    first, last = plain.shown[60], plain.shown[90]  # a keyframe
    frames = [f for f in plain.frames if f.kind is Kind.AUDIO or not first <= f.pts < last]
    output = work(begin_of(plan, plain.source), frames)
    check_times(output, "180p", plain)
    pictures = decoded_video(output.stream("180p"))
    times = [pts for pts, _ in pictures]
    assert max(b - a for a, b in pairwise(times)) <= plan.gap
    assert [number for number in numbers(pictures) if number != 59] == [*range(59), *range(90, 125)]


def test_damaged_pictures_cost_no_more_than_the_rest_of_their_gop(plain: Clip) -> None:
    hurt = [f for f in plain.frames if f.kind is Kind.VIDEO][40]
    frames = [f._replace(data=b"\x00\x00\xff\xff" + f.data[4:]) if f is hurt else f for f in plain.frames]
    output = work(begin_of(plain.plan(SMALL), plain.source), frames)
    assert (output.failed, output.done) == ("", True)
    assert output.counted["video_undecodable"] == 1
    check_times(output, "180p", plain)
    # Until the next keyframe pictures are made from what is left of those before them: they may say anything.
    sound = [one for one in decoded_video(output.stream("180p")) if not 38 <= one[0] // 3600 < 60]
    assert numbers(sound) == [*range(38), *range(60, 125)]


def test_garbage_for_sound_is_counted_and_becomes_silence(plain: Clip) -> None:
    hurt = [f for f in plain.frames if f.kind is Kind.AUDIO][100:140]
    frames = [f._replace(data=b"\xff" * 40) if f in hurt else f for f in plain.frames]
    output = work(begin_of(plain.plan(SMALL), plain.source), frames)
    assert (output.failed, output.done) == ("", True)
    assert output.counted["audio_undecodable"] == 40
    check_times(output, "audio", plain)


def test_another_worker_goes_on_where_the_first_one_stopped(plain: Clip) -> None:
    plan = plain.plan(SMALL)
    whole = work(begin_of(plan, plain.source), plain.frames)
    positions = {}
    for rung, published in (("180p", 8), ("90p", 7), ("audio", 6)):
        last = whole.parts[rung][published - 1].part
        segment = last.end if last.segment_end else last.segment_start
        msn, part = (last.msn + 1, 0) if last.segment_end else (last.msn, last.part + 1)
        positions[rung] = RungPosition(msn, part, last.end, segment, last.opened, last.encoder)
        del whole.parts[rung][published:]
    oldest = min(position.start for position in positions.values())
    key = max(f.pts for f in plain.frames if f.kind is Kind.VIDEO and f.keyframe and f.pts <= oldest)
    since = [f for f in plain.frames if f.pts >= key - (135_000 if f.kind is Kind.AUDIO else 0)]
    rest = work(begin_of(plan, plain.source, positions, "e2"), since)
    assert (rest.failed, rest.done, rest.inits) == ("", True, whole.inits)
    for rung in positions:
        assert rest.parts[rung][0].part.independent
        whole.parts[rung] += rest.parts[rung]
        check_times(whole, rung, plain)
    assert numbers(decoded_video(whole.stream("180p"))) == list(range(125))
    assert numbers(decoded_video(whole.stream("90p"))) == list(range(125))
    _, sound = decoded_audio(whole.stream("audio"))
    assert splice_error_db(sound) < -30


def test_the_film_clip_in_the_automatic_ladder(tmp_path: Path) -> None:
    clip = clip_of(CLIP, 3)
    plan = clip.plan("auto")
    output = work(begin_of(plan, clip.source), clip.frames)
    assert (output.failed, output.done) == ("", True)
    for rung in plan.video:
        check_times(output, rung.name, clip)
        assert [pts for pts, _ in decoded_video(output.stream(rung.name))] == clip.shown
        assert output.inits[rung.name].codecs.startswith("avc1.64")


def decoded_units(clip: Clip) -> npt.NDArray[np.float32]:
    """The source's own sound, first channel, from its first unit on."""
    assert clip.source.audio is not None
    decoder = av.CodecContext.create("aac", "r")
    assert isinstance(decoder, av.AudioCodecContext)
    decoder.extradata = clip.source.audio.config
    units = [f.data for f in clip.frames if f.kind is Kind.AUDIO]
    return np.concatenate([frame.to_ndarray()[0] for data in units for frame in decoder.decode(av.Packet(data))])


def phase(sound: npt.NDArray[np.float32], rate: int, start: int) -> float:
    """Of the 440 Hz tone at timeline 0, in turns."""
    at = (np.arange(len(sound)) + start) / rate
    return float(np.angle(np.sum(sound * np.exp(-2j * np.pi * 440 * at)))) / (2 * np.pi)


def splice_error_db(sound: npt.NDArray[np.float32]) -> float:
    """How far the worst 20 ms are from a steady 440 Hz tone, dB below it; the ends are left out."""
    body = sound[0, 4800:-9600]
    at = np.arange(len(body)) / 48_000
    basis = np.stack([np.sin(2 * np.pi * 440 * at), np.cos(2 * np.pi * 440 * at)], axis=1)
    fit = basis @ np.linalg.lstsq(basis, body, rcond=None)[0]
    power = float(np.mean(fit**2))
    errors = [float(np.mean((body[i : i + 960] - fit[i : i + 960]) ** 2)) for i in range(0, len(body) - 960, 960)]
    return 10 * float(np.log10(max(errors) / power))


def samples(data: bytes) -> list[bytes]:
    """The bytes of each sample."""
    with av.open(io.BytesIO(data), "r") as container:
        return [bytes(packet) for packet in container.demux(container.streams[0]) if packet.size]


@pytest.mark.parametrize("profile", [SMALL, "passthrough"])
def test_a_worker_whose_supervisor_is_gone_goes_too(plain: Clip, profile: object) -> None:
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", "headrace.transcoder.worker", str(theirs.fileno())]
    with subprocess.Popen(command, pass_fds=[theirs.fileno()]) as process:
        theirs.close()
        messages: list[Message] = [begin_of(plain.plan(profile), plain.source), *plain.frames[:50]]
        for message in messages:
            ours.sendall(b"".join(encode(message)))
        ours.close()
        assert process.wait(20) in (0, 1)
