"""The error of `core.flv`: a tag body that ends before its own header does."""

from headrace.core.errors import ProtocolError


class FlvError(ProtocolError):
    """A tag body that cannot be read, or media that no tag body can carry."""

    code = "bad_media_message"
