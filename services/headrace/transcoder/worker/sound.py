"""Sound on the grid: pieces with a place in, whole frames out.

Law: every sample of the timeline goes out exactly once, in order; a hole is silence, and what comes for a place that is
already filled is dropped. Samples are 32-bit floats, one buffer a channel. What is given goes in while the frames are
taken, so a long hole takes no memory. Neighbours: `audio` fills it.
"""

from collections.abc import Iterator

SAMPLE_BYTES = 4


class Grid:
    """Collects sound from sample `start` on and gives frames of `frame_samples`."""

    def __init__(self, channels: int, frame_samples: int, start: int) -> None:
        self._frame_samples = frame_samples
        self._pending = [bytearray() for _ in range(channels)]
        self.cursor = start
        """The next sample to be filled."""

    def put(self, sample: int, planes: list[bytes]) -> Iterator[tuple[int, list[bytes]]]:
        """Place a piece whose first sample is `sample`; the frames that are whole now, each with its first sample."""
        yield from self.fill(sample)
        late = (self.cursor - sample) * SAMPLE_BYTES
        if late < len(planes[0]):
            yield from self._extend([plane[late:] for plane in planes])

    def fill(self, through: int) -> Iterator[tuple[int, list[bytes]]]:
        """Silence up to sample `through`; the frames that are whole now."""
        while self.cursor < through:
            samples = min(through - self.cursor, self._frame_samples)
            yield from self._extend([bytes(samples * SAMPLE_BYTES)] * len(self._pending))

    def _extend(self, planes: list[bytes]) -> Iterator[tuple[int, list[bytes]]]:
        for pending, plane in zip(self._pending, planes, strict=True):
            pending += plane
        self.cursor += len(planes[0]) // SAMPLE_BYTES
        size = self._frame_samples * SAMPLE_BYTES
        while len(self._pending[0]) >= size:
            first = self.cursor - len(self._pending[0]) // SAMPLE_BYTES
            yield first, [bytes(pending[:size]) for pending in self._pending]
            for pending in self._pending:
                del pending[:size]
