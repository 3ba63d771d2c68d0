"""What surrounds every request: a bound on its body, and headers that browsers obey.

Law: plain ASGI, nothing buffered.
"""

from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace.control.http.problems import respond

MAX_BODY_BYTES = 64 * 1024  # an explicit ladder of eight rungs is below 1 KiB
_TOO_LARGE = f"A request's body has at most {MAX_BODY_BYTES} bytes."


class BodyLimit:
    """Refuses bodies above `MAX_BODY_BYTES` with 413: by their announced length, or while they come."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = Headers(scope=scope).get("content-length", "0")
        if length.isdigit() and int(length) > MAX_BODY_BYTES:
            refusal = respond("body_too_large", _TOO_LARGE)
            await refusal(scope, receive, send)
            return
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > MAX_BODY_BYTES:
                raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, _TOO_LARGE)
            return message

        await self._app(scope, counted, send)


class SafeHeaders:
    """Adds the headers. The console's player fetches from this server alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._page_headers = {
            # hls.js runs its demuxer in a worker and plays from blobs that it makes itself.
            "Content-Security-Policy": (
                "default-src 'self'; media-src 'self' blob:; "
                "worker-src 'self' blob:; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
                "form-action 'self'; frame-ancestors 'none'"
            ),
            "X-Content-Type-Options": "nosniff",
            "X-Frame-Options": "DENY",
            "Referrer-Policy": "no-referrer",
        }

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._page_headers)
                # Answers of the API may hold a key; pages are small and change with the version.
                headers["Cache-Control"] = "no-store" if scope["path"].startswith("/v1/") else "no-cache"
            await send(message)

        await self._app(scope, receive, with_headers if scope["type"] == "http" else send)
