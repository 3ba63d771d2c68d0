"""Sound hears of the cuts after every picture: at high frame rates a part of it would come a part late otherwise."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise

from av import VideoFrame

from headrace.core.broadcast import AudioSource, VideoSource
from headrace.core.codec.aac import AudioSpecificConfig
from headrace.core.codec.h264 import AvcConfig
from headrace.core.hls.segmenter import Position, Span
from headrace.core.media import Frame, Kind
from headrace.transcoder.pipe import Made, Message
from headrace.transcoder.worker.audio import AacFrame
from headrace.transcoder.worker.decode import Picture
from headrace.transcoder.worker.passthrough import PassthroughVideo
from headrace.transcoder.worker.soundtrack import SoundPackager
from headrace.transcoder.worker.video import EncodedVideo
from tests.support.encode import encode_video
from tests.support.media_patterns import TICKS, steady

START = Position.initial()
RATE = Fraction(60)
FILM = steady(RATE, 10, [2], ms=True, reorder=0)
UNIT = 1920  # ticks
ASC = AudioSpecificConfig(48_000, 2).build()
PLAN = FILM.plan("passthrough", AudioSource("mp4a", ASC, 48_000, 2, 1024))
SOURCE = VideoSource("avc1", AvcConfig.from_annexb(encode_video()[0]).build(), 96, 64, Fraction(1), RATE)


class Listener:
    """Follows cuts, and keeps what it heard."""

    def __init__(self) -> None:
        self.heard: list[tuple[list[Span], int]] = []

    def follow(self, spans: Sequence[Span], reached: int) -> None:
        self.heard.append((list(spans), reached))


def test_passed_through_sound_of_a_source_of_60_fps_comes_as_steadily_as_its_pictures() -> None:
    assert PLAN.passthrough is not None
    assert PLAN.audio is not None
    now = 0
    came: list[int] = []

    def send(message: Message) -> None:
        if isinstance(message, Made) and message.part.rung == "audio":
            came.append(now)

    sound = SoundPackager(PLAN.audio, START, "source", ASC, send)
    pictures = PassthroughVideo(PLAN, PLAN.passthrough, SOURCE, START, START, sound, send)
    units = 0
    for shot in FILM.shots:
        now = shot.dts
        while (units + 1) * UNIT <= now:
            sound.push(AacFrame(units * 1024, b"unit"), 1024)
            units += 1
        pictures.push(Frame(Kind.VIDEO, shot.keyframe, shot.dts, shot.pts, b"picture"))
    assert len(came) > 25
    assert max(b - a for a, b in pairwise(came)) <= 90 * PLAN.part_target_ms


def test_the_follower_of_encoded_pictures_hears_after_each_how_far_the_open_part_is_known_to_go() -> None:
    plan = FILM.plan("auto")
    listener = Listener()
    video = EncodedVideo(plan, SOURCE, START, [], listener, lambda _: None)
    image = VideoFrame(16, 16, "yuv420p")
    for number, shot in enumerate(FILM.shots, 1):
        video._show([Picture(image, shot.pts, shot.keyframe)])
        assert len(listener.heard) == number
    reached = [tick for _, tick in listener.heard]
    assert all(0 <= b - a <= TICKS // 50 for a, b in pairwise(reached[2:]))
    assert sum(len(spans) for spans, _ in listener.heard) > 25
