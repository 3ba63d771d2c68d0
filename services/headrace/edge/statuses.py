"""What an encoder is told: refusal reasons in RTMP's words.

Law: only the codes that OBS shows to its user, so that a wrong key looks like a wrong key.
"""

from headrace.core.broadcast.refusals import Reason

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
