"""What the searches are run with: the design as it is, or with one fault in it; and how far they look.

Law: no field set is the design (cluster.md, with ADR 0014). Each field is a mistake that a test sees found.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Variant:
    """The mistakes that can be made."""

    # The first draft's
    takeover_publishes: bool = False
    silent_reconnect: bool = False  # the client reconnects and sends the command again, without a takeover
    no_encoder_check: bool = False  # a position is all that is looked at, by the log and by who keeps its encoders
    url_by_epoch: bool = False
    floor_from_return: bool = False  # T₁ instead of durable_through
    # Others
    publishes_before_wait: bool = False
    edge_raises_attempt: bool = False  # on a refusal by another session, instead of asking control
    trims_by_published: bool = False
    retakes_with_first_floor: bool = False
    keeps_encoders_blindly: bool = False  # though something is missing that they have made and no longer hold
    retries_refusals: bool = False  # a takeover that is refused by a lower epoch, as after a rollback
    rungs_begin_apart: bool = False  # a rung that has nothing yet begins where its writer thinks, not with the others
    forgets_absent_rungs: bool = False  # a rung that a takeover's answer does not name is not held against the floor
    ended_when_staged: bool = False  # takeover answers ENDED although nobody can see the end
    end_unconfirmed: bool = False  # no wait after the end is published
    ended_believed: bool = False  # an answer ENDED is enough, without a wait after it
    reopens_at_session_start: bool = False
    anybody_opens: bool = False  # an empty log, whatever control's row says
    retake_opens: bool = False  # a log that is gone is opened by whoever misses it
    follows_by_push_alone: bool = False


DESIGN = Variant()


@dataclass(frozen=True)
class Bounds:
    """How far a search goes.

    Of `faults`, `budget` may happen in any order; without a budget all of them may, in this order.
    """

    faults: tuple[str, ...] = ()
    budget: int = 0
    length: int = 3  # parts of media
    rungs: int = 1
    origins: int = 0
    writers: int = 2
    spares: int = 0  # servers that are down at first, beside a primary and its replica
    memory: int = 2  # parts that a worker keeps
    batch: bool = False  # stage more while a wait is due

    @property
    def most(self) -> int:
        """How many faults may happen."""
        return self.budget or len(self.faults)

    def allows(self, kind: str, left: int) -> bool:
        """Whether this fault may happen where so many are left."""
        if self.budget:
            return left > 0 and kind in self.faults
        return left > 0 and self.faults[-left] == kind
