"""What a publish meets: the answer follows from the newest session of the stream's live run.

Law: one publisher at a time; a publisher that is gone never keeps the next one out for longer than a flush takes.
"""

from enum import Enum, auto


class Before(Enum):
    """The newest session of the stream's live run, as far as a new publish cares."""

    NOBODY = auto()  # no live run
    PUBLISHING = auto()
    FLUSHING = auto()  # the publisher is gone, its media is on the way into the log
    GONE = auto()  # all that it sent is in the log


class Answer(Enum):
    """What happens to the new publish."""

    START = auto()  # a new run
    REFUSE = auto()  # somebody publishes
    WAIT = auto()  # ask again in a moment
    REPLACE = auto()  # end the old run, then start a new one


def answer_publish(before: Before, *, waited_enough: bool) -> Answer:
    """`waited_enough`: this publish has waited for a flush for as long as it may."""
    if before is Before.FLUSHING:
        return Answer.REPLACE if waited_enough else Answer.WAIT
    return {Before.NOBODY: Answer.START, Before.PUBLISHING: Answer.REFUSE, Before.GONE: Answer.REPLACE}[before]
