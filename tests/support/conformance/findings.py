"""Findings: what a recorded stream did against which rule, in words.

Rules have the numbers of the project's list; each says where it is written.
"""

from dataclasses import dataclass

RULES = {
    1: "RFC 8216bis §6.2.1: TARGETDURATION never changes",
    2: "RFC 8216bis §6.2.1: EXTINF, rounded, is at most TARGETDURATION",
    3: "Apple 8.1: durations add up to the media's within a frame",
    4: "RFC 8216bis §4.4.4.9: a part lasts at most PART-TARGET",
    5: "RFC 8216bis §4.4.4.9: a part lasts at least 85 % of PART-TARGET",
    6: "RFC 8216bis §6.2.1: PART-TARGET and PART-HOLD-BACK never change",
    7: "Apple 14.3: PART-HOLD-BACK is at least three times PART-TARGET",
    8: "RFC 8216bis §4.4.3.8: HOLD-BACK is at least three times TARGETDURATION",
    9: "RFC 8216bis §4.4.3.8: CAN-SKIP-UNTIL is at least six times TARGETDURATION",
    10: "RFC 8216bis §6.2.1: a segment appears within 1.5 TARGETDURATION of the one before it",
    11: "RFC 8216bis §6.2.1: a part appears within PART-TARGET of the one before it",
    14: "RFC 8216bis §6.2.1: playlists change in the permitted ways only",
    15: "RFC 8216bis §6.2.1: changes are atomic",
    16: "RFC 8216bis §6.2.2: MEDIA-SEQUENCE grows by one for each segment removed",
    17: "RFC 8216bis §6.2.1: an MSN keeps its URI and its discontinuity number",
    20: "RFC 8216bis §6.2.2: a sliding playlist has no PLAYLIST-TYPE",
    21: "RFC 8216bis §4.4.4.9: a parent's tags come before its first part",
    22: "RFC 8216bis §6.2.2: parts are listed for three target durations, and stay for three more",
    23: "RFC 8216bis §6.2.2: a segment stays for as long as a client may ask for it",
    24: "RFC 8216bis §4.4.4.6, App. B.1: every playlist has consistent dates",
    27: "RFC 8216bis §8: EXT-X-VERSION is what is needed",
    29: "RFC 8216bis §4: a playlist is clean text that can be read",
    30: "RFC 8216bis §6.2.5.2: a reload waits until what was asked for is there",
    31: "RFC 8216bis §6.2.5.2: a part beyond the last is the next segment's first",
    32: "RFC 8216bis §6.2.5.2: what is past is answered at once",
    33: "RFC 8216bis §6.2.5.2: directives that make no sense are 400",
    34: "RFC 8216bis §6.2.5.2: what is too far ahead is 400 at once",
    35: "RFC 8216bis §6.2.5.2: nothing is held for more than three target durations, or after the end",
    43: "RFC 8216bis App. B.1: the next part is hinted at, once, with the URI that it will have",
    44: "RFC 8216bis §6.2.6: a hinted part is sent when it is whole, at once",
    45: "RFC 8216bis §6.2.6: what will not come is 404 at once",
    46: "RFC 8216bis §3.2: a segment is its parts",
    47: "RFC 8216bis App. B.1: what can be decoded alone says so, and only that",
    49: "RFC 8216bis App. B.1: one fresh report for every other rendition",
    50: "RFC 8216bis App. B.1: renditions are updated within PART-TARGET of each other",
    51: "RFC 8216bis §6.2.4: renditions have the same target duration, control, boundaries and discontinuities",
    52: "RFC 8216bis App. B.1: every low-latency rendition has parts",
    53: "hls.js: renditions number their segments alike",
    54: "RFC 8216bis §4.4.6, Apple 9.x: variants say all that a player needs to choose",
    57: "RFC 8216bis App. B.1: playlists are compressed, and caches told so",
    58: "hls.js: scripts may read everything, and the headers that tell the time",
    59: "RFC 8216bis App. B.1: what caches are told",
    63: "RFC 8216bis §3.1.2: init sections and fragments are as CMAF wants them",
    64: "RFC 8216bis §3: decode times go on without a jump",
    65: "Apple 1.10: parameter sets are in the sample entry",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One violation of `rule`, at `where` (a URL, or what is compared)."""

    rule: int
    where: str
    words: str

    def __str__(self) -> str:
        return f"{self.where}: {self.words} [rule {self.rule}, {RULES[self.rule]}]"
