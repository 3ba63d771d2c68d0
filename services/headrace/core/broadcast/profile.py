"""Profiles: what the user of the API asked for.

Law: a profile is valid once it exists; every limit is checked here with a sentence that names the field.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from headrace.core.errors import HeadraceError

MAX_RUNGS = 8  # more renditions than any published ladder; each costs an encoder thread
DEFAULT_CRF = 21
MAX_SHOWN = 40  # characters of an unknown field's name


class ProfileError(HeadraceError):
    """The profile cannot be obeyed; the message names the field and its range."""

    code = "bad_profile"


@dataclass(frozen=True, slots=True)
class RungSpec:
    """One rung of a ladder. `height` in pixels, `fps` the highest rate, `maxrate_kbps` the VBV cap (0: by size)."""

    height: int
    fps: int = 60
    crf: int = DEFAULT_CRF
    maxrate_kbps: int = 0

    def __post_init__(self) -> None:
        _within("rungs.height", self.height, 90, 4320)
        _within("rungs.fps", self.fps, 1, 120)
        _within("rungs.crf", self.crf, 10, 51)
        _within("rungs.maxrate_kbps", self.maxrate_kbps, 0, 100_000)


@dataclass(frozen=True, slots=True)
class Profile:
    """`source`: pass the encoder's own video through as a rung. `auto`: make a ladder from the source.

    `rungs`: an explicit ladder instead of `auto`. Options: `part_ms` part length, `segment_s` least segment length,
    `max_gop_s` longest segment that a passed-through source may ask for, `window_s` length of the live window.
    """

    source: bool = False
    auto: bool = True
    rungs: tuple[RungSpec, ...] = field(default=())
    audio_kbps: int = 128
    part_ms: int = 333
    segment_s: int = 2
    max_gop_s: int = 10
    window_s: int = 60

    def __post_init__(self) -> None:
        if self.auto and self.rungs:
            raise ProfileError("profile: give rungs or auto, not both")
        if not (self.source or self.auto or self.rungs):
            raise ProfileError("profile.rungs: at least one rung is needed")
        if len(self.rungs) > MAX_RUNGS:
            raise ProfileError(f"profile.rungs: at most {MAX_RUNGS} rungs")
        if len({r.height for r in self.rungs}) != len(self.rungs):
            raise ProfileError("profile.rungs: each height once")
        _within("audio_kbps", self.audio_kbps, 32, 320)
        _within("part_ms", self.part_ms, 200, 1000)
        _within("segment_s", self.segment_s, 1, 10)
        _within("max_gop_s", self.max_gop_s, 2, 30)
        _within("window_s", self.window_s, 20, 600)
        if self.part_ms >= 1000 * self.segment_s:
            raise ProfileError("profile.part_ms: must be shorter than segment_s")

    @property
    def encodes(self) -> bool:
        """Whether any rung is encoded."""
        return self.auto or bool(self.rungs)

    @classmethod
    def parse(cls, given: str | Mapping[str, Any]) -> "Profile":
        """From the API's JSON: a name ("auto", "passthrough", "source+auto") or an object with a ladder and options.

        Raises ProfileError.
        """
        if isinstance(given, str):
            return cls.parse({"name": given})
        values = dict(given)
        name = values.pop("name", None)
        known = {
            "rungs",
            "audio_kbps",
            "source",
            "part_ms",
            "segment_s",
            "max_gop_s",
            "window_s",
        }
        for key in values:
            if key not in known:
                raise ProfileError(f"profile.{_shown(key)}: no such field")
        for key, value in values.items():
            if key == "source":
                if not isinstance(value, bool):
                    raise ProfileError("profile.source: true or false")
            elif key != "rungs" and (not isinstance(value, int) or isinstance(value, bool)):
                raise ProfileError(f"profile.{key}: a whole number")
        if name is not None:
            if not isinstance(name, str) or name not in NAMED:
                raise ProfileError(f"profile: one of {', '.join(sorted(NAMED))}, or an object with rungs")
            for key in ("rungs", "source"):
                if key in values:
                    raise ProfileError(f"profile.{key}: not together with a named profile")
            values |= NAMED[name]
        else:
            values["auto"] = False
            values["rungs"] = _rungs(values.get("rungs", ()))
        return cls(**values)


NAMED: dict[str, dict[str, bool]] = {
    "auto": {"auto": True},
    "passthrough": {"source": True, "auto": False},
    "source+auto": {"source": True, "auto": True},
}


def _rungs(given: object) -> tuple[RungSpec, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ProfileError("profile.rungs: a list of rungs")
    rungs = []
    for one in given:
        if not isinstance(one, Mapping) or "height" not in one:
            raise ProfileError("profile.rungs: each rung is an object with a height")
        for key, value in one.items():
            if key not in RungSpec.__dataclass_fields__:
                raise ProfileError(f"profile.rungs.{_shown(key)}: no such field")
            if not isinstance(value, int) or isinstance(value, bool):
                raise ProfileError(f"profile.rungs.{key}: a whole number")
        rungs.append(RungSpec(**one))
    return tuple(rungs)


def _shown(key: str) -> str:
    """A field that nobody knows, so that any border can repeat it: JSON has names that no encoding can write."""
    return key[:MAX_SHOWN].encode("ascii", "backslashreplace").decode()


def _within(name: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise ProfileError(f"profile.{name}: {value} is not within {low} to {high}")
