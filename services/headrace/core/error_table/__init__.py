"""The table of errors: every code that Headrace has, and what each border makes of it.

Law: pure data, the only place where a code gets its RTMP, gRPC and HTTP status; `docs/reference/errors.md` is made of
it. A code has one meaning. An error whose code is missing here is a bug. Neighbours: `edge.statuses`, `wire.calls` and
`control.http.problems` are the borders; the exceptions, which carry the codes, are where they are raised.
"""

from headrace.core.error_table.api import API
from headrace.core.error_table.connections import CONNECTIONS
from headrace.core.error_table.inside import INSIDE
from headrace.core.error_table.live_log import LIVE_LOG
from headrace.core.error_table.processes import PROCESSES
from headrace.core.error_table.publishing import PUBLISHING
from headrace.core.error_table.row import Cause, Row
from headrace.core.error_table.services import SERVICES

__all__ = ["INTERNAL", "ROWS", "SECTIONS", "Cause", "Row", "row"]

INTERNAL = "internal"

SECTIONS = {
    "A publish is refused, or broken off": PUBLISHING,
    "An RTMP connection fails": CONNECTIONS,
    "The REST API refuses": API,
    "Between the services": SERVICES,
    "The live log": LIVE_LOG,
    "A process does not start, a command fails": PROCESSES,
    "Inside": INSIDE,
}

ROWS = {one.code: one for rows in SECTIONS.values() for one in rows}


def row(code: str) -> Row:
    """What is known of `code`; where it is in no table, `internal`'s."""
    return ROWS.get(code, ROWS[INTERNAL])
