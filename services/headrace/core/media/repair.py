"""Mends a publisher's millisecond clock: 32-bit wraps and jumps.

Law: what comes out is 64-bit and never jumps by more than `JUMP_MS`; all tracks share one offset, so they stay in sync.
"""

JUMP_MS = 3_000  # further than any encoder's interleaving; a clock that moves more was set anew
STEP_MS = 40  # a frame's time where a jump hides the real one
_WRAP = 1 << 32


class _Track:
    __slots__ = ("last", "offset")

    def __init__(self) -> None:
        self.last: int | None = None
        self.offset = 0


class Clock:
    """One connection's clock, as its audio and video tell it."""

    def __init__(self) -> None:
        self._video = _Track()
        self._audio = _Track()
        self._unwrapped: int | None = None
        self._newest_offset = 0
        self.repairs = 0

    def video(self, timestamp: int) -> int:
        """A video message's time in ms, unwrapped and mended."""
        return self._mend(self._video, timestamp, self._audio)

    def audio(self, timestamp: int) -> int:
        """An audio message's time in ms, unwrapped and mended."""
        return self._mend(self._audio, timestamp, self._video)

    def _mend(self, track: _Track, timestamp: int, other: _Track) -> int:
        raw = self._unwrap(timestamp)
        if track.last is None:
            track.offset = self._newest_offset
        at = raw + track.offset
        if track.last is not None and -JUMP_MS <= at - track.last <= JUMP_MS:  # every message but a few
            track.last = at
            return at
        known = [last for last in (track.last, other.last) if last is not None]
        # A track that paused comes back beside the other one; only what is far from both was set anew.
        if known and _far(at, known):
            # The other track may have told us already.
            at = raw + self._newest_offset
            if _far(at, known):
                at = max(known) + STEP_MS
                self._newest_offset = at - raw
                self.repairs += 1
            track.offset = self._newest_offset
        track.last = at
        return at

    def _unwrap(self, timestamp: int) -> int:
        """The 64-bit time nearest to the last one whose low 32 bits are `timestamp`."""
        timestamp %= _WRAP
        if self._unwrapped is None:
            self._unwrapped = timestamp
        else:
            step = (timestamp - self._unwrapped + _WRAP // 2) % _WRAP - _WRAP // 2
            self._unwrapped += step
        return self._unwrapped


def _far(at: int, known: list[int]) -> bool:
    return all(abs(at - last) > JUMP_MS for last in known)
