"""The error of `core.cmaf`: something that no box can say."""

from headrace.core.errors import LocalProtocolError


class CmafError(LocalProtocolError):
    """A track or sample that ISO BMFF, or the house's rules for it, cannot express."""

    code = "bad_cmaf_input"
