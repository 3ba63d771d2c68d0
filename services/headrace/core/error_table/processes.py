"""Rows: why a process does not start, or a command fails. Law: one sentence on standard error, and an exit code."""

from headrace.core.error_table.row import Cause, Row

_DO = "Do what the sentence says, and start again."

PROCESSES = (
    Row("bad_setting", "A setting is missing, or cannot be (exit code 2).", Cause.OPERATOR, _DO),
    Row("bad_target", "What should be a gRPC target is none (exit code 2).", Cause.OPERATOR, _DO),
    Row("cannot_start", "An address, a file or a directory is not to be had (exit code 1).", Cause.OPERATOR, _DO),
    Row("cannot_listen", "The gRPC address is not to be had (exit code 1).", Cause.OPERATOR, _DO),
    Row("no_database", "`headrace migrate` was not told which database.", Cause.OPERATOR, _DO),
    Row("api", "`headrace streams` was refused, or control does not answer.", Cause.OPERATOR, _DO),
    Row(
        "bad_playlist",
        "What `headrace doctor` read as a playlist is none, or names no time.",
        Cause.OPERATOR,
        "Look who answers at the stream's `hls_url`: it should be an origin.",
    ),
    Row("publish_failed", "`headrace publish` or the demo was refused, or lost its server.", Cause.OPERATOR, _DO),
    Row("unreadable_source", "`headrace publish` cannot read what it should send.", Cause.OPERATOR, _DO),
)
