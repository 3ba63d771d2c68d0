"""All rules together."""

from tests.support.conformance import lists, media, streams
from tests.support.conformance.findings import Finding
from tests.support.recorder import Recording


def findings(recording: Recording, *, encoded: bool) -> list[Finding]:
    """Everything that a recorded stream did wrong. `encoded`: it is promised that every segment starts with an IDR."""
    found = [finding for rendition in recording.renditions.values() for finding in lists.findings(rendition)]
    found += streams.findings(recording, encoded=encoded)
    found += media.findings(recording)
    return list(dict.fromkeys(found))
