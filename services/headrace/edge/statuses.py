"""What an encoder is told: refusal reasons in RTMP's words.

Law: only the codes that OBS shows to its user, so that a wrong key looks like a wrong key.
"""

from headrace.core.broadcast import Refused
from headrace.core.broadcast.refusals import Reason
from headrace.wire.control import Verdict

DENIED = "NetStream.Publish.Denied"
BAD_NAME = "NetStream.Publish.BadName"
REJECTED = "NetStream.Publish.Rejected"
FAILED = "NetStream.Failed"
INVALID_APP = "NetConnection.Connect.InvalidApp"

STATUS = {
    Reason.BAD_KEY: DENIED,
    Reason.UNKNOWN_APP: INVALID_APP,
    Reason.BUSY: BAD_NAME,
    Reason.NO_CAPACITY: REJECTED,
    Reason.UNSUPPORTED_CODEC: REJECTED,
    Reason.NO_VIDEO: REJECTED,
    Reason.BAD_SOURCE: REJECTED,
    Reason.UNAVAILABLE: FAILED,
    Reason.WORKER_LOST: FAILED,
}


def refusal_of(verdict: Verdict) -> Refused:
    """What an encoder is told whose session control gives to it no more."""
    try:
        reason = Reason(verdict.reason)
    except ValueError:  # a later version's
        reason = Reason.UNAVAILABLE
    return Refused(reason, verdict.description or "this publish is over, please publish again")
