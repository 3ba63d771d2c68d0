"""What can go wrong between two services.

Law: a peer's bad message and a lost call are different things, and neither shows a protobuf or gRPC class.
"""

from headrace.core.errors import HeadraceError, RemoteProtocolError
from headrace.runtime.config import BadSetting


class WireError(RemoteProtocolError):
    """A message that is no valid value of the domain: a field is missing, or holds what it must not."""

    code = "bad_message"


class CallLost(HeadraceError):
    """A call that did not end in order: the peer is gone, silent, or ended it with an error.

    `code` is the peer's own code where it gave one, else `call_lost`.
    """

    code = "call_lost"


class Unanswered(CallLost):
    """Nobody answered: the peer is not there, went away, or took too long."""


class NoTrust(CallLost):
    """A target that can only be dialled or served with certificates, and there are none."""

    code = "no_trust"


class NotAllowed(HeadraceError):
    """What a caller asked for is not its role's."""

    code = "not_allowed"


class BadTarget(BadSetting):
    """What should be a gRPC target is none."""

    code = "bad_target"


class CannotListen(HeadraceError):
    """The server's address is not to be had."""

    code = "cannot_listen"
