"""The lease token: control's signed word that a session is an edge's, which the edge shows to each transcoder it dials.

Law: whoever has a token speaks for its session, so it never shows itself in a log, a traceback or a repr. Neighbours:
`wire.lease` signs and checks it.
"""

from dataclasses import dataclass
from enum import StrEnum


class LeaseToken:
    """A secret. `reveal()` gives its text: for the wire, and for nothing else."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The token itself."""
        return self._text

    def __repr__(self) -> str:
        return "LeaseToken(…)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LeaseToken) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class SignedLease:
    """A token, and the Unix time in milliseconds at which it is too old for its session's first dial."""

    token: LeaseToken
    expires_ms: int


class LeaseFault(StrEnum):
    """Why a transcoder takes a caller for a foreign edge."""

    MISSING = "lease_missing"
    INVALID = "lease_invalid"  # no token, or not signed by the key that it names
    UNKNOWN_KEY = "lease_unknown_key"
    FOREIGN = "lease_foreign"  # another run, session or session_id
    EXPIRED = "lease_expired"
