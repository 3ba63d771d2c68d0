"""The table of what is fuzzed: what peers may send, the function that takes it, what that may raise and cost.

Law: the same rows serve the short run of `make test`, `make fuzz` and the replay of one input; a row is fed bytes and
nothing else, and holds no state that its next input could tell. Neighbours: `judge` says what a row must hold to,
`laws` has the functions, `corpus/<name>` the inputs that are always fed.
"""

from headrace.core.codec import CodecError
from headrace.core.flv import FlvError
from headrace.transcoder.pipe import PipeBroken
from headrace.wire.errors import WireError
from headrace.wire.lease import LeaseRefused
from tests.fuzz.judge import Target
from tests.fuzz.laws import amf, api, http, log, media, pipe, publish, rtmp, trust, wire

TARGETS = {
    target.name: target
    for target in (
        # An encoder, at the edge.
        Target("rtmp_server", rtmp.server, us_per_byte=120, bytes_per_byte=80, shapes=rtmp.SERVER_SHAPES,
               long_bytes=1 << 17),
        Target("rtmp_dialogue", rtmp.dialogue, us_per_byte=120, bytes_per_byte=80),
        Target("rtmp_client", rtmp.client, us_per_byte=120, bytes_per_byte=80),
        Target("amf", amf.amf, shapes=amf.SHAPES),
        Target("flv_video", media.video, (FlvError,), shapes=media.BODY_SHAPES),
        Target("flv_audio", media.audio, (FlvError,), shapes=media.BODY_SHAPES),
        Target("avcc", media.avcc, (CodecError,), shapes=media.AVCC_SHAPES),
        Target("sps", media.sps, (CodecError,), shapes=media.SPS_SHAPES),
        Target("nal_units", media.nal_units, (CodecError,), shapes=media.ANNEXB_SHAPES),
        Target("aac", media.aac, (CodecError,), shapes=media.AAC_SHAPES),
        Target("publish", publish.publish, publish.ALLOWED, shapes=publish.SHAPES),
        # A player, at the origin.
        Target("http", http.http, ms=400, kib=8192, shapes=http.HTTP_SHAPES, long_bytes=1 << 15),
        Target("http_query", http.query, ms=400, kib=4096, shapes=http.QUERY_SHAPES, long_bytes=1 << 15),
        Target("http_header", http.header, ms=400, kib=4096, shapes=http.HEADER_SHAPES, long_bytes=1 << 15),
        Target("http_path", http.path, ms=400, kib=4096, max_bytes=512),
        # A client, at control.
        Target("api", api.api, ms=400, kib=4096, shapes=api.SHAPES, long_bytes=1 << 15),
        # One service, at another; a worker, at its supervisor.
        Target("wire_message", wire.message, (WireError,), shapes=wire.MESSAGE_SHAPES),
        Target("wire_call", wire.call),
        Target("lease", trust.lease, (LeaseRefused,), shapes=trust.SHAPES),
        Target("identity", trust.identity, shapes=trust.IDENTITY_SHAPES),
        Target("pipe", pipe.pipe, (PipeBroken,), shapes=pipe.SHAPES),
        # The log, at those who read it.
        Target("log_entries", log.entries, ms=400, kib=4096, us_per_byte=120, bytes_per_byte=300,
               shapes=log.ENTRY_SHAPES),
        Target("log_order", log.order, ms=400, kib=4096, us_per_byte=2000, bytes_per_byte=6000, max_bytes=512,
               long_bytes=1 << 13, shapes=log.ORDER_SHAPES),
        Target("log_pushes", log.pushes),
    )
}  # fmt: skip
