"""Rows: how RTMP connections fail. Law: the codes of `core.rtmp`, and the edge's own patience."""

from headrace.core.error_table.row import Cause, Row

BAD_NAME = "NetStream.Publish.BadName"
CALL_FAILED = "NetConnection.Call.Failed"
PLAY_NOT_FOUND = "NetStream.Play.StreamNotFound"

_PROBE = "Nothing. Where a load balancer's health check does it, let it ask `/readyz` on the HTTP port instead."
_BROKEN = "Look which encoder does it: the line has its `peer`. One that is known to work elsewhere is worth a report."
_FLOOD = "Nothing: it is bounded. Where it goes on from one address, keep that away from the port."


def _closed(code: str, meaning: str, do: str, user: str = "") -> Row:
    return Row(code, meaning, Cause.ENCODER, do, user)


CONNECTIONS = (
    _closed("http_on_rtmp_port", "An HTTP request came to the RTMP port.", _PROBE, "Use an RTMP address."),
    _closed(
        "tls_on_rtmp_port",
        "A TLS client came to the RTMP port, which speaks no TLS.",
        _PROBE,
        "Use `rtmp://` where the console shows no `rtmps://` address.",
    ),
    _closed("bad_version", "The first byte is not that of RTMP 3.", _PROBE),
    _closed("bad_rtmp", "What came cannot be followed as RTMP.", _BROKEN),
    _closed("chunk_without_header", "A chunk goes on with a message that never began.", _BROKEN),
    _closed("bad_amf", "A message's AMF values cannot be read.", _BROKEN),
    _closed("rtmp_limit", "The peer wants more held than a limit allows.", _FLOOD),
    _closed("message_too_large", "A message is announced that is larger than RTMP's messages may be.", _BROKEN),
    _closed("too_many_chunk_streams", "More chunk streams are begun than encoders use.", _FLOOD),
    _closed("too_much_in_progress", "Half messages lie on many chunk streams.", _FLOOD),
    _closed("too_much_before_accept", "Too much was sent before the publish was accepted.", _FLOOD),
    _closed("too_many_messages", "A flood of messages without media.", _FLOOD),
    _closed("handshake_timeout", "The handshake was not over in time.", _PROBE),
    _closed("publish_timeout", "The connection was opened, and nothing was published in time.", _PROBE),
    _closed(
        "unread",
        "The encoder did not read what it was told.",
        "Nothing.",
        "Look at the network between encoder and server.",
    ),
    _closed("quiet", "A publish was over, and no other one began on the connection.", "Nothing."),
    _closed(
        "media_idle",
        "The encoder sent no media for ten seconds, or none at all for twenty: its network or its host is gone.",
        "Nothing: the run waits for it to come back.",
        "Look at the encoder's network; it may come back within fifteen seconds and go on with the same broadcast.",
    ),
    Row(
        "publish_twice",
        "A message stream that publishes was asked to publish again.",
        Cause.ENCODER,
        _BROKEN,
        "Publish each stream once.",
        rtmp=BAD_NAME,
    ),
    Row(
        "too_many_streams",
        "More message streams are made on one connection than encoders need.",
        Cause.ENCODER,
        _BROKEN,
        "Use a connection for each stream.",
        rtmp=CALL_FAILED,
    ),
    Row(
        "play_refused",
        "Somebody wants to play over RTMP.",
        Cause.ENCODER,
        "Nothing.",
        "Watch the stream's `hls_url`.",
        rtmp=PLAY_NOT_FOUND,
    ),
)
