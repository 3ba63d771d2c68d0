"""What can go wrong on an RTMP connection, by code.

Law: `receive_data`, `next_event` and `handle_timer` raise `RtmpError` or `RtmpLimitExceeded`; the methods that we call
to send or to answer raise `RtmpUsageError`. Any other exception is a bug. Neighbours: every module of this package
raises these; the shell closes the socket and counts the code.
"""

from headrace.core.errors import LimitExceeded, LocalProtocolError, RemoteProtocolError


class RtmpError(RemoteProtocolError):
    """The peer does not speak RTMP as we can follow it.

    Codes: `http_on_rtmp_port`, `tls_on_rtmp_port`, `bad_version` (no RTMP at all; close quietly),
    `chunk_without_header` (a chunk continues what never began), `handshake_timeout`, `publish_timeout` (deadlines).
    """

    code = "bad_rtmp"


class RtmpLimitExceeded(LimitExceeded):
    """The peer wants us to hold more than a limit of `limits` allows.

    Codes: `message_too_large`, `too_many_chunk_streams`, `too_much_in_progress` (half messages on many chunk streams),
    `too_much_before_accept` (media or commands piled up behind an open question), `too_many_messages` (a flood of them
    without media).
    """

    code = "rtmp_limit"


class RtmpUsageError(LocalProtocolError):
    """We called a method in a state in which the protocol has no place for it."""

    code = "rtmp_usage"
