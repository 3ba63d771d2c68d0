"""Four-character codes: how Enhanced RTMP and ISO BMFF name codecs.

Law: a codec is named by its code as text ("avc1") everywhere in the house; bytes and numbers exist only on the wire.
Neighbours: `flv` reads codes from tag bodies, `amf` metadata carries them as numbers.
"""

AVC = "avc1"
AAC = "mp4a"

NAMES = {
    "avc1": "H.264",
    "hvc1": "HEVC",
    "vvc1": "VVC",
    "av01": "AV1",
    "vp09": "VP9",
    "vp08": "VP8",
    "mp4a": "AAC",
    "Opus": "Opus",
    "fLaC": "FLAC",
    "ac-3": "AC-3",
    "ec-3": "E-AC-3",
    ".mp3": "MP3",
}
"""What people call the codecs that Enhanced RTMP (v2, *Enhanced Audio* and *Enhanced Video*) can carry."""


def from_bytes(code: bytes) -> str:
    """Four wire bytes as text; bytes outside printable ASCII show as `?`, so that any input is safe to log."""
    return "".join(chr(byte) if 0x20 <= byte < 0x7F else "?" for byte in code)


def from_number(number: int) -> str:
    """A code in its big-endian number form (metadata's `videocodecid`). Meaningless numbers give `?` characters."""
    return from_bytes((number & 0xFFFFFFFF).to_bytes(4, "big"))


def name(code: str) -> str:
    """What people call the codec: `name("hvc1") == "HEVC"`. An unknown code is its own name."""
    return NAMES.get(code, code)
