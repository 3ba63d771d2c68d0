"""Codecs: configuration records, what they say of the media, and RFC 6381 strings.

Law: bits are read, never decoded into pictures or sound; whatever is wrong with them is a CodecError.
Neighbours: `flv` carries the records, `cmaf` writes them into init sections.
"""

from headrace.core.codec.errors import CodecError

__all__ = ["CodecError"]
