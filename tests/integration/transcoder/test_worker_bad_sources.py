"""A worker process with sources that are not as they should be: uneven, damaged, or wrongly described."""

from itertools import pairwise

import pytest

from headrace.core.media import Frame, Kind
from tests.integration.transcoder.harness import Clip, Recipe, begin_of, made, work

LAG = 20_000  # decode times before presentation times, above any reordering


def retimed(clip: Clip, times: list[int]) -> list[Frame]:
    """The clip's first pictures shown at `times`, sound as it is; in the order of decode times."""
    pictures = [frame for frame in clip.frames if frame.kind is Kind.VIDEO]
    shown = sorted(frame.pts for frame in pictures)[: len(times)]
    place = dict(zip(shown, times, strict=True))
    kept = [frame for frame in pictures if frame.pts in place]
    video = [frame._replace(dts=at - LAG, pts=place[frame.pts]) for frame, at in zip(kept, times, strict=True)]
    sound = [frame for frame in clip.frames if frame.kind is Kind.AUDIO]
    return sorted([*video, *sound], key=lambda frame: frame.dts + LAG * (frame.kind is Kind.VIDEO))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """5 s at 25 fps, a keyframe every 25 pictures, and sound."""
    return made(Recipe(gop=25), tmp_path_factory.mktemp("bad") / "clip.mp4")


def test_pictures_seconds_apart_leave_no_hole_in_the_sound(clip: Clip) -> None:
    # One of these pictures closes several parts, the last of them too short for an access unit.
    times = [0, 36_000, 126_000, 216_000, 234_000, 237_600, 246_600, 336_600, 426_600, 430_200, 433_800]
    output = work(begin_of(clip.plan("auto"), clip.source), retimed(clip, times))
    assert output.done, output.failed
    assert output.gaps == {}
    assert all(a.part.end == b.part.start for a, b in pairwise(output.parts["audio"]))


def test_a_keyframe_that_cannot_be_decoded_leaves_all_rungs_in_step(clip: Clip) -> None:
    frames = list(clip.frames)
    keyframes = [i for i, frame in enumerate(frames) if frame.kind is Kind.VIDEO and frame.keyframe]
    lost = frames[keyframes[2]]
    frames[keyframes[2]] = lost._replace(data=b"\xff\xff\xff\xff" + lost.data[4:])
    plan = clip.plan("source+auto")
    output = work(begin_of(plan, clip.source), frames)
    assert output.done, output.failed
    starts = [
        [(part.part.msn, part.part.start) for part in output.parts[rung.name] if not part.part.part]
        for rung in plan.video
    ]
    assert len(starts) > 1
    assert starts == [[(0, 0), (1, 180_000), (2, 360_000)]] * len(starts)


def test_a_damaged_picture_of_a_long_gop_costs_one_picture(clip: Clip) -> None:
    frames = [frame for frame in clip.frames if frame.kind is Kind.VIDEO]
    hit = frames[40]
    assert not hit.keyframe
    frames[40] = hit._replace(data=hit.data[: len(hit.data) // 2])
    output = work(begin_of(clip.plan("auto"), clip.source), frames)
    assert output.done, output.failed
    assert output.counted == {"video_undecodable": 1}
