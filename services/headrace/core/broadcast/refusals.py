"""Why a publish is refused, in one list that every border translates.

Law: one code has one meaning; RTMP status, gRPC status and metric label are made from the code, never from the text.
Neighbours: `core.error_table` has a row for each, which says what it is at every border.
"""

from enum import StrEnum

from headrace.core.errors import HeadraceError


class Reason(StrEnum):
    """The refusals an encoder can meet."""

    BAD_KEY = "bad_key"
    UNKNOWN_APP = "unknown_app"
    BUSY = "busy"
    NO_CAPACITY = "no_capacity"
    UNSUPPORTED_CODEC = "unsupported_codec"
    NO_VIDEO = "no_video"
    BAD_SOURCE = "bad_source"
    UNAVAILABLE = "unavailable"
    WORKER_LOST = "worker_lost"


class Refused(HeadraceError):
    """A publish that cannot go on. `reason` classifies, `description` is shown to the encoder's user."""

    def __init__(self, reason: Reason, description: str) -> None:
        super().__init__(description, code=reason.value)
        self.reason = reason
        self.description = description
