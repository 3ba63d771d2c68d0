"""Who may write a run: epochs, and the claim that a writer makes on the log.

Law: epochs are compared session first, then attempt; a higher one always wins.
"""

from dataclasses import dataclass
from typing import NamedTuple


class Epoch(NamedTuple):
    """`session` is raised by control when an edge takes the run, `attempt` by that edge for each transcoder."""

    session: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Claim:
    """A writer's identity in the log's fence.

    `session_id` names the edge's session (random), `writer` one accepted Ingest call (random), `take` counts that
    writer's takeovers from 1.
    """

    epoch: Epoch
    session_id: str
    writer: str
    take: int = 1
