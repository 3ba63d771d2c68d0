"""Rows: what the live log refuses. Law: the codes of `livelog`, and of those who read it."""

from headrace.core.error_table.row import Cause, Row

_SERVERS = "See that the log's servers are reachable, have memory left, and the replicas that the settings say."
_ITSELF = "Nothing: a writer takes over again, a reader reads again. Often, it is the log's servers that change over."

LIVE_LOG = (
    Row("log", "The live log refused.", Cause.OPERATOR, _SERVERS, grpc="FAILED_PRECONDITION"),
    Row(
        "log_empty",
        "The log knows no such run: it is over and forgotten, or the log lost its memory.",
        Cause.OPERATOR,
        "Nothing where the run is old; otherwise look why the log's servers started empty.",
        grpc="FAILED_PRECONDITION",
    ),
    Row(
        "log_fenced",
        "Somebody newer holds the run: another session, attempt or writer.",
        Cause.PEER,
        "Nothing: this is how one writer gives way to the next.",
        "Publish again, where it was not you who did.",
        grpc="ABORTED",
    ),
    Row(
        "log_ended",
        "The run is over in the log.",
        Cause.PEER,
        "Nothing.",
        "Publish again: a new run begins.",
        grpc="FAILED_PRECONDITION",
    ),
    Row(
        "log_stale",
        "The log is behind what was promised durable: a replica was promoted that had not all.",
        Cause.OPERATOR,
        "Look at the replicas' lag, and at `HEADRACE_LOG_REPLICAS`.",
        grpc="FAILED_PRECONDITION",
    ),
    Row(
        "log_out_of_step",
        "Writer and log disagree about what comes next.",
        Cause.OPERATOR,
        _ITSELF,
        grpc="ABORTED",
    ),
    Row(
        "log_unreachable",
        "The log does not answer, or the connection to it was lost.",
        Cause.OPERATOR,
        _SERVERS,
        grpc="UNAVAILABLE",
    ),
    Row(
        "log_full",
        "The log takes no more: its memory is used up.",
        Cause.OPERATOR,
        "Give the log's servers more memory, or the installation another cell.",
        grpc="RESOURCE_EXHAUSTED",
    ),
    Row(
        "log_diverged",
        "The log holds other entries than this writer put there.",
        Cause.OPERATOR,
        _ITSELF,
        grpc="ABORTED",
    ),
    Row(
        "log_disagreement",
        "What was read contradicts what was read before.",
        Cause.OPERATOR,
        _ITSELF,
    ),
    Row(
        "log_unavailable",
        "An origin has no word of the log in time, has too much to do, or stops.",
        Cause.OPERATOR,
        _SERVERS,
    ),
    Row(
        "no_cell",
        "No cell of the log can take a new run.",
        Cause.OPERATOR,
        _SERVERS,
        grpc="UNAVAILABLE",
    ),
)
