"""Rows: why a publish is refused, or broken off. Law: one for each `core.broadcast.refusals.Reason`."""

from headrace.core.error_table.row import Cause, Row

DENIED = "NetStream.Publish.Denied"
BAD_NAME = "NetStream.Publish.BadName"
REJECTED = "NetStream.Publish.Rejected"
FAILED = "NetStream.Failed"
INVALID_APP = "NetConnection.Connect.InvalidApp"


PUBLISHING = (
    Row(
        "bad_key",
        "No stream has this key: it is wrong, was reset, or its stream was deleted.",
        Cause.ENCODER,
        "Nothing, unless many come from one address: somebody guesses, or an encoder was forgotten.",
        "Copy the stream key again; where it is lost, make a new one in the console.",
        rtmp=DENIED,
        grpc="UNAUTHENTICATED",
    ),
    Row(
        "unknown_app",
        "The RTMP application, which is the path of the server's address, is none of ours.",
        Cause.ENCODER,
        "Nothing.",
        "Use the server address that the console shows; its path is `live`.",
        rtmp=INVALID_APP,
        grpc="NOT_FOUND",
    ),
    Row(
        "busy",
        "The stream is published by somebody else, or another publish of it has taken it over.",
        Cause.ENCODER,
        "Look who publishes: the run's lines name the `peer`. A half-open connection is given up within 10 s.",
        "Stop the other encoder that has this key, or use another stream.",
        rtmp=BAD_NAME,
        grpc="ALREADY_EXISTS",
    ),
    Row(
        "no_capacity",
        "No transcoder has room for the stream, or the edge has no memory for more media.",
        Cause.OPERATOR,
        "Add transcoders, or edges where `headrace_edge_held_bytes` is near its limit; see that new ones become ready.",
        "Try again in a moment.",
        rtmp=REJECTED,
        grpc="RESOURCE_EXHAUSTED",
    ),
    Row(
        "unsupported_codec",
        "The encoder sends a codec that is not served.",
        Cause.ENCODER,
        "Nothing.",
        "Set the encoder to H.264 (AVC) video and AAC audio.",
        rtmp=REJECTED,
        grpc="FAILED_PRECONDITION",
    ),
    Row(
        "no_video",
        "No keyframe of a video that is served came in the time that a publish has for it.",
        Cause.ENCODER,
        "Nothing.",
        "Send video, with a keyframe every two seconds.",
        rtmp=REJECTED,
        grpc="FAILED_PRECONDITION",
    ),
    Row(
        "bad_source",
        "What is sent cannot be made into this stream: it cannot be read, it changed, or the profile does not fit.",
        Cause.ENCODER,
        "Compare the stream's profile with what is sent; the sentence names the field.",
        "Do what the sentence says, then publish again.",
        rtmp=REJECTED,
        grpc="INVALID_ARGUMENT",
    ),
    Row(
        "unavailable",
        "Control, its database or the live log did not answer in time, or this server is stopping.",
        Cause.OPERATOR,
        "Look at `/readyz` of control, PostgreSQL and the log's servers; streams that are live go on without them.",
        "Publish again in a moment; most encoders do so by themselves.",
        rtmp=FAILED,
        grpc="UNAVAILABLE",
    ),
    Row(
        "worker_lost",
        "The transcoder that worked on the stream is gone or made no progress, and nobody took its place.",
        Cause.OPERATOR,
        "Look at the transcoder's lines of this `run`: what its worker said last is in `said`.",
        "Publish again: the broadcast goes on where it was.",
        rtmp=FAILED,
        grpc="ABORTED",
    ),
)
