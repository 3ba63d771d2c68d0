"""The clip that publishers send in `bench-edge`, ready to be written to a socket.

The 1080p60 film at 2.7 Mbit/s: the package's file has 3.8, so it is encoded once more (2.5 of video as encoders do it,
0.2 of sound as it was) and kept beside the films. Its messages become chunks of 4096 bytes on one chunk stream, as OBS
writes them.
"""

import subprocess
from typing import NamedTuple

from headrace.core.rtmp._messages import VIDEO, Message
from headrace.core.rtmp._writer import ChunkWriter
from tests.bench.film import KEPT, film

CLIP = KEPT / "1080p60-2700k.flv"
ENCODING = "-c:v libx264 -preset veryfast -b:v 2500k -maxrate 3000k -bufsize 6000k -g 120 -bf 2 -c:a copy"
FLV_HEADER_BYTES, TAG_HEADER_BYTES, BACK_POINTER_BYTES = 9, 11, 4
MEDIA = (8, 9)
CSID = 4
CHUNK_BYTES = 4096


class Sent(NamedTuple):
    """One message, `at_ms` after the publish began; `frame` where it holds an access unit of the run's timeline."""

    at_ms: int
    video: bool
    frame: bool
    payload_bytes: int
    wire: bytes


def clip() -> list[Sent]:
    """The messages of the clip, each as it goes over the wire."""
    if not CLIP.exists():
        partial = CLIP.with_suffix(".partial")
        command = ["ffmpeg", "-v", "error", "-y", "-i", str(film("1080p60")), *ENCODING.split(), "-f", "flv"]
        subprocess.run([*command, str(partial)], check=True, timeout=300)
        partial.rename(CLIP)
    writer, sent, zero_ms = ChunkWriter(), [], None
    writer.chunk_size = CHUNK_BYTES
    for message in _tags(CLIP.read_bytes()):
        kind, _, at_ms, body = message
        wire = bytearray()
        writer.write(wire, CSID, message)
        coded = body[1] == 1  # not a configuration
        if kind == VIDEO and coded and zero_ms is None:
            zero_ms = at_ms + int.from_bytes(body[2:5], "big")  # where the edge's timeline begins: sound before is cut
        frame = coded and zero_ms is not None and (kind == VIDEO or at_ms >= zero_ms)
        sent.append(Sent(at_ms, kind == VIDEO, frame, len(body), bytes(wire)))
    return sent


def _tags(flv: bytes) -> list[Message]:
    found, position = [], FLV_HEADER_BYTES + BACK_POINTER_BYTES
    while position < len(flv):
        kind, size = flv[position], int.from_bytes(flv[position + 1 : position + 4], "big")
        at_ms = int.from_bytes(flv[position + 4 : position + 7], "big")
        position += TAG_HEADER_BYTES
        if kind in MEDIA:
            found.append(Message(kind, 1, at_ms, flv[position : position + size]))
        position += size + BACK_POINTER_BYTES
    return found
