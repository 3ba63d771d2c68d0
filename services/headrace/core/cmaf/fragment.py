"""Fragments: one `moof` and `mdat` for each part.

Law: a part's bytes are one fragment, and a segment's are its parts' bytes; so there is no `styp` and nothing in a
fragment knows its segment. Decode times are 64-bit and absolute; composition offsets are never negative, since readers
differ over negative ones; the next fragment's decode time is this one's plus its durations.
Source: ISO/IEC 14496-12 §8.8, 23000-19 §7.3.2 (CMAF chunks), RFC 8216bis §3.1.2. Neighbours: `init` names the track.
"""

import struct
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

from headrace.core.cmaf.boxes import box, full_box
from headrace.core.cmaf.errors import CmafError
from headrace.core.cmaf.init import TRACK_ID

_DEFAULT_BASE_IS_MOOF = 0x020000
_RUN_FIELDS = 0x000F01  # data offset; duration, size, flags and composition offset of each sample
_SYNC = 0x02000000  # sample_depends_on = 2: on none
_NON_SYNC = 0x01010000  # sample_depends_on = 1: on others; sample_is_non_sync_sample
_MAX_U32 = 0xFFFFFFFF
_MAX_OFFSET = 0x7FFFFFFF  # readers that take any offset for signed still read it right


class Sample(NamedTuple):
    """One access unit. Times in the track's timescale; `sync` says that decoding can begin here (all audio)."""

    data: bytes
    duration: int
    composition_offset: int = 0
    sync: bool = True


def fragment(sequence: int, base_decode_time: int, samples: Sequence[Sample]) -> bytes:
    """The bytes of one part: `samples` in decode order, the first at `base_decode_time`.

    `sequence` (1 or more, below 2^32) should grow along the rendition. Raises CmafError for no samples, a duration of
    0 or less, a negative time, or a number that its field cannot hold.
    """
    if not samples:
        raise CmafError("a fragment without samples")
    if not 0 < sequence <= _MAX_U32:
        raise CmafError(f"fragment sequence number {sequence}")
    if not 0 <= base_decode_time < 1 << 64:
        raise CmafError(f"decode time {base_decode_time}")
    for sample in samples:
        if not 0 < sample.duration <= _MAX_U32 or not 0 <= sample.composition_offset <= _MAX_OFFSET:
            raise CmafError(f"sample of duration {sample.duration}, composition offset {sample.composition_offset}")
    fields = chain.from_iterable(
        (sample.duration, len(sample.data), _SYNC if sample.sync else _NON_SYNC, sample.composition_offset)
        for sample in samples
    )
    run_fields = struct.pack(f">{4 * len(samples)}I", *fields)
    data_offset = len(_movie_fragment(sequence, base_decode_time, len(samples), 0, run_fields)) + 8
    head = _movie_fragment(sequence, base_decode_time, len(samples), data_offset, run_fields)
    return head + box(b"mdat", *(sample.data for sample in samples))


def _movie_fragment(sequence: int, base_decode_time: int, count: int, data_offset: int, run_fields: bytes) -> bytes:
    return box(
        b"moof",
        full_box(b"mfhd", 0, 0, struct.pack(">I", sequence)),
        box(
            b"traf",
            full_box(b"tfhd", 0, _DEFAULT_BASE_IS_MOOF, struct.pack(">I", TRACK_ID)),
            full_box(b"tfdt", 1, 0, struct.pack(">Q", base_decode_time)),
            full_box(b"trun", 0, _RUN_FIELDS, struct.pack(">Ii", count, data_offset), run_fields),
        ),
    )
