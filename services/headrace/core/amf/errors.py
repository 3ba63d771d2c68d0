"""What can go wrong with AMF.

Law: decoding reports a `AmfError` and keeps what it read; encoding raises `AmfEncodeError`. Neighbours: `amf0`, `amf3`.
"""

from headrace.core.errors import LocalProtocolError, RemoteProtocolError


class AmfError(RemoteProtocolError):
    """A peer's AMF ends early, nests too deep, holds too many values, or uses an unknown marker."""

    code = "bad_amf"


class AmfEncodeError(LocalProtocolError):
    """We tried to write a value that AMF0 cannot carry."""

    code = "amf_encode"
