"""What the services speak about: streams, runs, sessions, sources, profiles, plans and log entries.

Law: values only, no I/O; the same on every pod. Neighbours: `wire` turns them into protobuf and back, `hls` folds
entries.
"""

from headrace.core.broadcast.entries import End, Entry, Gap, Hold, Init, Part, RunStart
from headrace.core.broadcast.epoch import Claim, Epoch
from headrace.core.broadcast.ids import RunId, StreamId, StreamKey
from headrace.core.broadcast.lease import LeaseFault, LeaseToken, SignedLease
from headrace.core.broadcast.plan import (
    AudioRung,
    Cut,
    Encoding,
    Plan,
    VideoRung,
    make_plan,
)
from headrace.core.broadcast.profile import Profile, ProfileError, RungSpec
from headrace.core.broadcast.refusals import Refused
from headrace.core.broadcast.source import MAX_CONFIG_BYTES, AudioSource, Source, VideoSource

__all__ = [
    "MAX_CONFIG_BYTES",
    "AudioRung",
    "AudioSource",
    "Claim",
    "Cut",
    "Encoding",
    "End",
    "Entry",
    "Epoch",
    "Gap",
    "Hold",
    "Init",
    "LeaseFault",
    "LeaseToken",
    "Part",
    "Plan",
    "Profile",
    "ProfileError",
    "Refused",
    "RunId",
    "RunStart",
    "RungSpec",
    "SignedLease",
    "Source",
    "StreamId",
    "StreamKey",
    "VideoRung",
    "VideoSource",
    "make_plan",
]
