"""Rows: what stays inside a service. Law: whoever catches one makes a code of the other tables of it, or counts it."""

from headrace.core.error_table.row import Cause, Row

_REPORT = "Report the traceback that the log has at this time."
_COUNTED = "Nothing: what cannot be used is dropped and counted."
_WORKER = "Look what the worker said last, in the transcoder's lines of the run."


def _broken(code: str, meaning: str) -> Row:
    return Row(code, meaning, Cause.ENCODER, _COUNTED)


def _bug(code: str, meaning: str) -> Row:
    return Row(code, meaning, Cause.US, _REPORT)


def _worker(code: str, meaning: str, cause: Cause = Cause.ENCODER) -> Row:
    return Row(code, meaning, cause, _WORKER, "Publish again.", grpc="ABORTED")


INSIDE = (
    _broken("protocol_error", "A protocol's rules were broken."),
    _broken("remote_protocol_error", "The peer sent what the protocol does not allow."),
    _broken("limit_exceeded", "The peer sent more than is held or parsed."),
    _broken("bad_media_message", "An RTMP message holds no FLV tag that can be read."),
    _broken("bad_codec_data", "A codec's configuration or data cannot be read."),
    _broken("truncated_bits", "A bit stream ends too early."),
    _bug("local_protocol_error", "This side asked for what the protocol does not allow now."),
    _bug("rtmp_usage", "RTMP's core was called in a state that has no place for it."),
    _bug("amf_encode", "A value has no AMF form."),
    _bug("bad_cmaf_input", "What should become a CMAF box cannot."),
    _bug("channel_closed", "A channel between tasks was used after its end."),
    _worker("cannot_fill", "A hole in the media cannot be filled."),
    _worker("unclean_part", "An encoder's part does not begin and end where it should.", Cause.US),
    _worker("sound_runs_away", "Sound and picture drift apart further than can be mended."),
    _worker("time_jump", "The media's times jump further than can be mended."),
    _worker("pipe_broken", "The pipe between supervisor and worker is gone.", Cause.US),
)
