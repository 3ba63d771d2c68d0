"""The packet types that Enhanced RTMP's audio and video headers share.

Law: only what H.264 and AAC need is understood; the rest is named, so that its sender can be told.
Source: Enhanced RTMP v2, *Enhanced Audio*, *Enhanced Video*. Neighbours: `video`, `audio`.
"""

from headrace.core import fourcc
from headrace.core.flv.errors import FlvError
from headrace.core.flv.events import Unsupported

SEQUENCE_START = 0
CODED_FRAMES = 1
SEQUENCE_END = 2

_MOD_EX = 7


def read_codec(body: bytes, packet_type: int, multitrack: int, codec: str) -> Unsupported | None:
    """None when the FourCC behind the header's first byte is `codec`, else what it is instead.

    `multitrack` is the medium's packet type of that name. Raises FlvError when the code is cut short.
    """
    if packet_type == multitrack:
        return Unsupported("Enhanced RTMP multitrack")
    if packet_type == _MOD_EX:
        return Unsupported("Enhanced RTMP ModEx")
    if len(body) < 5:
        raise FlvError(f"extended header of {len(body)} bytes")
    found = fourcc.from_bytes(body[1:5])
    return None if found == codec else Unsupported(fourcc.name(found))
