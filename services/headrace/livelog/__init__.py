"""The live log: a run's entries and the bytes of its parts, for the live window.

Law: whoever holds a run's fence writes; everybody reads what is published and nothing else. `base` says what a log is,
`memory` keeps one in this process, `redis` on servers. Neighbours: `wire.log` gives entries their bytes.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headrace.livelog.cells import Cells
    from headrace.livelog.settings import LogSettings


def connect(settings: "LogSettings") -> "Cells":
    """The log on the servers that the settings name. Opens nothing yet. Raises BadSetting where they name none."""
    # Processes that only know a log's types, each run's worker among them, carry no client.
    from headrace.livelog.cells import Cells
    from headrace.livelog.redis.log import RedisLog
    from headrace.runtime.config import BadSetting

    cells = settings.cells
    if not cells:
        raise BadSetting("HEADRACE_LOG_CELLS: name the live log's servers, such as redis://host:6379")
    return Cells({cell.name: RedisLog(cell, settings.log_replicas) for cell in cells})
