"""What a publish meets: the answer follows from the newest session of the stream's live run.

Law: one publisher at a time; a publisher that is gone never keeps the next one out for longer than a flush takes. Who
was lost may come back to his run; who ended it begins a new one.
"""

from enum import Enum, auto


class Before(Enum):
    """The newest session of the stream's live run, as far as a new publish cares."""

    NOBODY = auto()  # no live run
    PUBLISHING = auto()
    FLUSHING = auto()  # the publisher is gone, its media is on the way into the log
    LOST = auto()  # gone, perhaps to come back; all that it sent is in the log
    GONE = auto()  # gone for good


class Answer(Enum):
    """What happens to the new publish."""

    START = auto()  # a new run
    LOOK = auto()  # somebody publishes: see whether he still sends
    WAIT = auto()  # ask again in a moment
    JOIN = auto()  # go on with the run
    REPLACE = auto()  # end the old run, then start a new one


def answer_publish(before: Before, *, waited_enough: bool, lost: bool, planned: bool) -> Answer:
    """`waited_enough`: this publish has waited for a flush for as long as it may. `lost`: the one before it did not
    mean to leave. `planned`: there is a run to go on with.
    """
    if before is Before.FLUSHING:
        if not waited_enough:
            return Answer.WAIT
        before = Before.LOST if lost else Before.GONE
    if before is Before.LOST:
        return Answer.JOIN if planned else Answer.REPLACE
    return {Before.NOBODY: Answer.START, Before.PUBLISHING: Answer.LOOK, Before.GONE: Answer.REPLACE}[before]
