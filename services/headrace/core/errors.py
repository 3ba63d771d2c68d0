"""The bases of every exception that Headrace raises on purpose.

Law: an error carries its classification in `code`, a stable snake_case word that is written in the documentation
and used as a metric label. One border translates it once (RTMP status, gRPC status, HTTP problem); nothing parses
its message. Anything else that escapes from `core` is a bug.
Neighbours: each package of `core` derives its own errors from these; this module imports nothing.
"""


class HeadraceError(Exception):
    """Base of all deliberate errors. `code` classifies; `str(error)` explains to a human, without secrets."""

    code: str = "internal"

    def __init__(self, message: str = "", *, code: str | None = None) -> None:
        """`code` narrows the class's own code for this one error; `message` defaults to the code."""
        if code is not None:
            self.code = code
        super().__init__(message or self.code)


class ProtocolError(HeadraceError):
    """A protocol's rules were broken, by us or by the peer."""

    code = "protocol_error"


class LocalProtocolError(ProtocolError):
    """Our own code asked for something the protocol does not allow now (a bug or a misuse on this side)."""

    code = "local_protocol_error"


class RemoteProtocolError(ProtocolError):
    """The peer sent what the protocol does not allow; the connection is over."""

    code = "remote_protocol_error"


class LimitExceeded(RemoteProtocolError):
    """The peer sent more than we are willing to hold or to parse."""

    code = "limit_exceeded"
