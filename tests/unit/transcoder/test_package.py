"""Parts of coded samples: whole, clean, and with times from the pictures alone."""

from fractions import Fraction

import pytest

from headrace.core.broadcast import Encoding, VideoRung
from headrace.core.hls.segmenter import PartClosed
from headrace.transcoder.worker.encode import Coded
from headrace.transcoder.worker.package import UncleanPart, VideoPackager, sequence
from tests.support.boxes import read_boxes, read_run

FULL = VideoRung("720p", 1280, 720, Fraction(25), 1, 30_000, Encoding(23, 4000, 4000))
HALF = VideoRung("360p", 640, 360, Fraction(25, 2), 2, 60_000, Encoding(23, 800, 800))


def closed(part: int, *pictures: int, end: int) -> PartClosed:
    return PartClosed(0, part, pictures[0], end, 0, True, False, pictures)


def coded(*pts: int) -> list[Coded]:
    return [Coded(one, b"x", one == 0) for one in pts]


def test_a_part_goes_out_when_its_last_sample_has_come_in_whatever_order_it_was_closed() -> None:
    early, late = VideoPackager(FULL, "e"), VideoPackager(FULL, "e")
    first = closed(0, 0, 3600, 7200, end=10_800)
    assert early.close(first) == []
    assert early.add(coded(0, 7200)) == []
    (one,) = early.add(coded(3600))
    assert late.add(coded(0, 7200, 3600)) == []
    assert late.close(first) == [one]
    assert (one.part.start, one.part.end, one.part.independent, one.part.size) == (0, 10_800, True, len(one.data))


def test_decode_times_are_the_sorted_presentation_times_less_the_rungs_delta() -> None:
    packager = VideoPackager(FULL, "e")
    packager.close(closed(1, 3600, 7200, 10_800, end=14_400))
    (one,) = packager.add(coded(3600, 10_800, 7200))
    run = read_run(read_boxes(one.data)[0])
    assert run.base_decode_time == 3600 - 30_000 + 900_000
    # In decode order 3600, 10,800 and 7200 are decoded at 3600, 7200 and 10,800, all less 30,000.
    assert [(duration, offset) for duration, _, _, offset in run.samples] == [
        (3600, o) for o in (30_000, 33_600, 26_400)
    ]
    assert not one.part.independent


def test_a_half_rate_rung_has_every_second_picture_of_a_part() -> None:
    packager = VideoPackager(HALF, "e")
    packager.close(closed(0, 0, 3600, 7200, 10_800, 14_400, end=18_000))
    assert packager.add(coded(0, 14_400)) == []
    assert len(packager.add(coded(7200))) == 1


def test_a_picture_of_another_part_is_an_error_and_never_a_silent_splice() -> None:
    packager = VideoPackager(FULL, "e")
    packager.close(closed(0, 0, 3600, end=7200))
    with pytest.raises(UncleanPart):
        packager.add(coded(0, 7200))


def test_fragment_numbers_grow_along_a_rendition_and_fit_their_field() -> None:
    places = [(msn, part) for msn in range(4) for part in range(30)]
    numbers = [sequence(*place) for place in places]
    assert numbers == sorted(set(numbers))
    assert all(0 < sequence(msn, 0) < 1 << 32 for msn in (0, 1 << 24, 1 << 40))
