"""What may stand in URLs and playlists: names of rungs and encoders, and codec strings.

Law: what came from another process is looked at here once, where it comes in, so that whoever prints it need not.
Neighbours: `wire` and the transcoder's `pipe` ask; the origin's paths match the same names.
"""

import re

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_CODECS = re.compile(r"[A-Za-z0-9._-]{1,64}")


def is_name(text: str) -> bool:
    """Letters, digits, `_` and `-`, 64 at the most: nothing that a path or a quoted string could end at."""
    return _NAME.fullmatch(text) is not None


def is_codec_string(text: str) -> bool:
    """The shape of one codec's RFC 6381 string, such as `avc1.64001F`."""
    return _CODECS.fullmatch(text) is not None
