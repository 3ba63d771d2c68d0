"""How a call ends by an error: gRPC's status, the sentence, and the code for the client to make the same error of."""

from collections.abc import Sequence
from typing import Any, cast

import grpc
import pytest

from headrace.core.broadcast import Refused
from headrace.core.broadcast.refusals import Reason
from headrace.core.errors import HeadraceError
from headrace.livelog.base import Unreachable
from headrace.wire.calls import CODE_KEY, unary_handler
from headrace.wire.errors import WireError


class Aborted(Exception):
    """As gRPC's own, which ends the handler."""


class Context:
    """Remembers how a call was ended."""

    def __init__(self) -> None:
        self.ended: tuple[grpc.StatusCode, str, Sequence[tuple[str, str]]] | None = None

    def invocation_metadata(self) -> tuple[()]:
        return ()

    async def abort(
        self, status: grpc.StatusCode, details: str = "", trailing_metadata: Sequence[tuple[str, str]] = ()
    ) -> None:
        self.ended = (status, details, trailing_metadata)
        raise Aborted


@pytest.mark.parametrize(
    ("error", "status", "details", "code"),
    [
        (
            Refused(Reason.BAD_KEY, "This stream key is not valid."),
            grpc.StatusCode.UNAUTHENTICATED,
            "This stream key is not valid.",
            "bad_key",
        ),
        (
            Refused(Reason.BUSY, "The stream “x” is already being published."),
            grpc.StatusCode.ALREADY_EXISTS,
            "The stream “x” is already being published.",
            "busy",
        ),
        (WireError("Open: missing"), grpc.StatusCode.INVALID_ARGUMENT, "Open: missing", "bad_message"),
        (Unreachable("no answer"), grpc.StatusCode.UNAVAILABLE, "no answer", "log_unreachable"),
        (HeadraceError("odd", code="of_a_later_version"), grpc.StatusCode.INTERNAL, "odd", "of_a_later_version"),
        (RuntimeError("secret"), grpc.StatusCode.INTERNAL, "internal error", None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_call_ends_with_the_status_of_the_table_and_the_very_words(
    error: Exception, status: grpc.StatusCode, details: str, code: str | None
) -> None:
    async def fail(_: bytes) -> bytes:
        raise error

    context = Context()
    handler = cast(Any, unary_handler(fail))
    with pytest.raises(Aborted):
        await handler.unary_unary(b"", context)
    assert context.ended == (status, details, ((CODE_KEY, code),) if code else ())
