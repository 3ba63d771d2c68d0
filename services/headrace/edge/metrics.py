"""The edge's metrics, declared once.

Law: as in `runtime.telemetry.metrics`.
"""

from headrace.core.broadcast import LeaseFault
from headrace.core.broadcast.refusals import Reason
from headrace.runtime.telemetry.metrics import OTHER, Counter, Gauge, Histogram

KINDS = ("video", "audio")
DROPS = (
    "unreadable_video",
    "unreadable_audio",
    "before_configuration",
    "before_first_keyframe",
    "published_beyond_bound",
)
# Why connections end: the encoder, this side's patience, and the codes of `core.rtmp`.
CLOSES = (
    *("closed", "reset", "silent_probe"),
    *("unread", "quiet", "media_idle"),
    *("bad_rtmp", "http_on_rtmp_port", "tls_on_rtmp_port", "bad_version", "chunk_without_header"),
    *("handshake_timeout", "publish_timeout", "message_too_large", "too_many_chunk_streams", "too_much_in_progress"),
    *("too_much_before_accept", "too_many_messages", "bad_amf", OTHER),
)
# What `core.rtmp`, `core.flv` and `publish` tolerate.
ODDITIES = (
    *("short_control", "unknown_message_type", "unasked_pong", "unknown_user_control", "bad_chunk_size"),
    *("message_dropped", "absolute_extended_delta", "data_without_publish", "unreadable_command"),
    *("command_before_connect", "unknown_data", "bad_aggregate", "empty_video", "unknown_command"),
    *("publish_twice", "too_many_streams"),
    *("reserved packet type", "audio sequence end", "channel metadata", "empty audio configuration"),
    *("empty audio frame", "empty video message", "video command", "colour metadata"),
    *("empty video configuration", "video frame without NAL units"),
    *("late video configuration", "late audio configuration", OTHER),
)

CONNECTIONS = Gauge("headrace_edge_connections", "Open RTMP connections.")
PUBLISHERS = Gauge("headrace_edge_publishers", "Publishes that were accepted and are not over.")
RECEIVED = Counter("headrace_edge_received_bytes_total", "Bytes read from publishers.")
FRAMES = Counter("headrace_edge_received_frames_total", "Access units put on a timeline.", {"kind": KINDS})
DROPPED = Counter("headrace_edge_dropped_frames_total", "Access units dropped, by why.", {"reason": DROPS})
REFUSED = Counter(
    "headrace_edge_refused_publishes_total",
    "Publishes that were refused, or broken off by this side, by why.",
    {"reason": [reason.value for reason in Reason]},
)
CLOSED = Counter("headrace_edge_closed_connections_total", "RTMP connections closed, by why.", {"reason": CLOSES})
NOISE = Counter(
    "headrace_edge_tolerated_oddities_total", "Oddities of publishers that did no harm.", {"kind": ODDITIES}
)
REPAIRS = Counter("headrace_edge_timestamp_repairs_total", "Timestamps that had to be moved.")
HELD = Gauge("headrace_edge_held_bytes", "Media in replay buffers: all that is not durable in the log yet.")
HELD_LIMIT = Gauge("headrace_edge_held_limit_bytes", "How much they may hold; at 80 % of it new publishes are refused.")
UNPUBLISHED = Gauge("headrace_edge_unpublished_bytes", "Those of the held bytes that are not published either.")
UNPUBLISHED_S = Gauge(
    "headrace_edge_unpublished_seconds",
    "How much media is not published yet, of the publish that has most of it.",
)
UNDURABLE_S = Gauge(
    "headrace_edge_undurable_seconds",
    "How much media is not durable in the log yet, of the publish that has most of it.",
)
PAUSES = Counter(
    "headrace_edge_read_pauses_total", "Times a publisher's socket was not read because its buffer was full."
)
BATCHES = Counter("headrace_edge_sent_batches_total", "Messages of media sent to transcoders.")
SENT_FRAMES = Counter("headrace_edge_sent_frames_total", "Access units sent to transcoders.")
SENT_BYTES = Counter("headrace_edge_sent_bytes_total", "Bytes of the access units sent to transcoders.")
FIRST_PART = Histogram(
    "headrace_edge_first_part_seconds",
    "From an encoder's wish to publish until its first part is published.",
    buckets=(0.5, 0.75, 1, 1.5, 2, 3, 5, 7.5, 10, 15, 20, 30),
)
RENEWALS = Counter(
    "headrace_edge_lease_renewals_total",
    "Sessions for which control was asked to renew the lease, by what it said.",
    {"outcome": ("held", "suspect", "lost", "unanswered")},
)
UNTRUSTED = Counter(
    "headrace_edge_untrusted_calls_total",
    "Calls refused by transcoders for the lease token that they were shown, by what was wrong with it.",
    {"reason": [fault.value for fault in LeaseFault]},
)
