"""The error of `core.codec`: a configuration record or a sample that does not hold together."""

from headrace.core.errors import ProtocolError


class CodecError(ProtocolError):
    """Codec data that cannot be read, or that no record can express."""

    code = "bad_codec_data"
