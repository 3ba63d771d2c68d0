"""`/livez`, `/readyz` and `/metrics`: the HTTP face that every service has.

Law: `/livez` never looks at a dependency; `/readyz` means "may take new work".
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from headrace.runtime.telemetry.metrics import exposition

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBE_PATHS = frozenset({"/livez", "/readyz", "/metrics"})


class Probes:
    """A bare ASGI app. `ready` answers "" or the reason why there is no new work to be taken."""

    def __init__(self, ready: Callable[[], str]) -> None:
        self._ready = ready

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3); anything but the three paths is 404."""
        if scope["type"] != "http":
            return
        status, body, kind = self._answer(str(scope["path"]))
        headers = [
            (b"content-type", kind.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {
                "type": "http.response.body",
                "body": b"" if scope["method"] == "HEAD" else body,
            }
        )

    def _answer(self, path: str) -> tuple[int, bytes, str]:
        plain = "text/plain; charset=utf-8"
        if path == "/livez":
            return 200, b"ok\n", plain
        if path == "/readyz":
            why = self._ready()
            return (503, f"{why}\n".encode(), plain) if why else (200, b"ready\n", plain)
        if path == "/metrics":
            return 200, *exposition()
        return 404, b"not found\n", plain
