"""The API's JSON, as pydantic models that describe themselves.

Law: shapes only. A profile's rules are `core.broadcast.Profile`'s; what stands here about them is documentation.
"""

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, WithJsonSchema

from headrace.control.model import Stream, StreamState
from headrace.control.settings import ControlSettings
from headrace.core.broadcast import StreamKey

_RUNG = {
    "type": "object",
    "required": ["height"],
    "properties": {
        "height": {"type": "integer", "minimum": 90, "maximum": 4320, "description": "Height of the 16:9 box, pixels."},
        "fps": {"type": "integer", "minimum": 1, "maximum": 120, "default": 60, "description": "Highest frame rate."},
        "crf": {"type": "integer", "minimum": 10, "maximum": 51, "default": 21, "description": "x264's quality."},
        "maxrate_kbps": {"type": "integer", "minimum": 0, "default": 0, "description": "Highest rate; 0: by size."},
    },
}
_NAMES = ["auto", "passthrough", "source+auto"]
_PROFILE = {
    "title": "Profile",
    "description": "A name, or an object: a ladder of its own, or a name with options. "
    "`auto`: a ladder that suits the source, never upscaled. `passthrough`: the encoder's own video and audio. "
    "`source+auto`: both.",
    "oneOf": [
        {"type": "string", "enum": _NAMES},
        {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "name": {"type": "string", "enum": _NAMES, "description": "A named profile, instead of rungs."},
                "rungs": {"type": "array", "minItems": 1, "maxItems": 8, "items": _RUNG, "description": "A ladder."},
                "source": {"type": "boolean", "default": False, "description": "Pass the source through as well."},
                "audio_kbps": {"type": "integer", "default": 128, "description": "Rate of encoded audio, kbit/s."},
                "part_ms": {"type": "integer", "default": 333, "description": "Length of a part, milliseconds."},
                "segment_s": {"type": "integer", "default": 2, "description": "Least length of a segment, seconds."},
                "max_gop_s": {"type": "integer", "default": 10, "description": "Longest GOP passed through, seconds."},
                "window_s": {"type": "integer", "default": 60, "description": "Length of the live window, seconds."},
            },
        },
    ],
    "examples": ["auto", {"rungs": [{"height": 720, "fps": 30, "maxrate_kbps": 4000}], "audio_kbps": 128}],
}
ProfileJson = Annotated[str | dict[str, Any], WithJsonSchema(_PROFILE)]
KEEPABLE = r"^[^\x00]*$"  # PostgreSQL's text has no NUL; SQLite's has, and would let it pass
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200, pattern=KEEPABLE)]


class StreamRequest(BaseModel):
    """A stream to be made."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"name": "Main stage", "profile": "auto"},
                {"name": "Court 2", "profile": {"rungs": [{"height": 720, "fps": 30, "maxrate_kbps": 4000}]}},
            ]
        },
    )

    name: Name = Field(description="What people call it.")
    profile: ProfileJson = Field("auto", description="What viewers get.")


class Ingest(BaseModel):
    """Where an encoder publishes. OBS wants URL and key in two boxes, FFmpeg wants `URL/key`."""

    rtmp_url: str = Field(description="RTMP server URL.", examples=["rtmp://127.0.0.1:1935/live"])
    rtmps_url: str | None = Field(description="RTMPS server URL; null until TLS is set up.")


class Playback(BaseModel):
    """Where players watch."""

    hls_url: str = Field(
        description="Multivariant playlist of the newest run.",
        examples=["http://127.0.0.1:8080/live/k3v6q2hxw5ra/index.m3u8"],
    )


class Live(BaseModel):
    """The run that is on the air."""

    run: str = Field(description="The run's id.")
    since: datetime = Field(description="When it was accepted.")


class StreamJson(BaseModel):
    """A stream."""

    id: str = Field(description="The stream's id, part of its playback URL.", examples=["k3v6q2hxw5ra"])
    name: str = Field(description="What people call it.", examples=["Main stage"])
    profile: ProfileJson = Field(description="What viewers get, as it was asked for.")
    state: StreamState = Field(
        description="`idle`: nobody publishes. `live`: a publisher is accepted. `ending`: the publisher is gone and "
        "what it sent is still on its way, or it may come back."
    )
    live: Live | None = Field(description="The run, unless idle.")
    ingest: Ingest
    playback: Playback
    key_hint: str = Field(description="The last characters of the stream key.", examples=["7qxa"])
    created_at: datetime = Field(description="When it was made.")

    @classmethod
    def of(cls, stream: Stream, settings: ControlSettings) -> "StreamJson":
        """A stream as the API shows it."""
        return cls.model_validate(_fields(stream, settings))


class StreamWithKey(StreamJson):
    """A stream with its key, which is shown this once."""

    stream_key: str = Field(
        description="The secret with which to publish. Keep it: it is stored as a hash and never shown again.",
        examples=["sk_k2mgk6ynzkd6ym5wnl3lqkhhmmq7qxa"],
    )

    @classmethod
    def with_key(cls, stream: Stream, key: StreamKey, settings: ControlSettings) -> "StreamWithKey":
        """The one answer that shows the key."""
        return cls.model_validate({**_fields(stream, settings), "stream_key": key.reveal()})


class StreamPage(BaseModel):
    """Streams, newest first."""

    streams: list[StreamJson]
    next_cursor: str | None = Field(description="The `cursor` of the next page; null on the last.")


def _fields(stream: Stream, settings: ControlSettings) -> dict[str, object]:
    live = stream.live
    return {
        "id": stream.id,
        "name": stream.name,
        "profile": stream.profile_given,
        "state": stream.state,
        "live": {"run": live.id, "since": _time(live.created_ms)} if live else None,
        "ingest": {"rtmp_url": settings.public_rtmp_url, "rtmps_url": None},
        "playback": {"hls_url": f"{settings.public_http_url}/live/{stream.id}/index.m3u8"},
        "key_hint": stream.key_hint,
        "created_at": _time(stream.created_ms),
    }


def _time(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
