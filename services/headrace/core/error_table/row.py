"""What a row of the table says of an error.

Law: words and numbers only; gRPC's and HTTP's statuses by their names and numbers, since core knows neither.
"""

from dataclasses import dataclass
from enum import StrEnum


class Cause(StrEnum):
    """Who has to do something about it."""

    ENCODER = "the encoder, or who set it up"
    CLIENT = "the API's client"
    OPERATOR = "the installation"
    PEER = "another pod"
    US = "Headrace: a bug"


@dataclass(frozen=True, slots=True)
class Row:
    """One code. Where a border is not crossed with it, that border's column is empty."""

    code: str
    """Stable, snake_case; the metrics' label, too."""
    meaning: str
    """What happened, in a sentence."""
    cause: Cause
    do: str
    """What the operator does about it."""
    user: str = ""
    """What the encoder's user or the API's client does about it."""
    rtmp: str = ""
    """The status code of the `onStatus` (or `_error`) that the encoder gets, whose level is always `error`."""
    grpc: str = ""
    """gRPC's name of the status that ends a call; the code itself is in the trailing metadata."""
    http: int = 0
    """The status of the API's problem+json."""
