"""What an encoder is told: refusal reasons in RTMP's words.

Law: the words are those of `core.error_table`, and only such as OBS knows for the end of a publish.
"""

from headrace.core.broadcast import Refused
from headrace.core.broadcast.refusals import Reason
from headrace.core.error_table import row
from headrace.wire.control import Verdict

STATUS = {reason: row(reason.value).rtmp for reason in Reason}


def refusal_of(verdict: Verdict) -> Refused:
    """What an encoder is told whose session control gives to it no more."""
    try:
        reason = Reason(verdict.reason)
    except ValueError:  # a later version's
        reason = Reason.UNAVAILABLE
    return Refused(reason, verdict.description or "this publish is over, please publish again")
