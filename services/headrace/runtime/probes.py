"""`/livez`, `/readyz` and `/metrics`: the HTTP face that every service has.

Law: `/livez` never looks at a dependency; `/readyz` means "may take new work".
"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from weakref import WeakSet

from headrace.runtime.telemetry.metrics import exposition

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBE_PATHS = frozenset({"/livez", "/readyz", "/metrics"})
PROBES: WeakSet["Probes"] = WeakSet()
"""All of this process's."""

_PLAIN = [("content-type", "text/plain; charset=utf-8")]


class Probes:
    """A bare ASGI app. `ready` answers "" or the reason why there is no new work to be taken."""

    def __init__(self, ready: Callable[[], str]) -> None:
        self._ready = ready
        PROBES.add(self)

    @property
    def ready(self) -> bool:
        """Whether there may be new work now."""
        return not self._ready()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request (ASGI 3); anything but the three paths is 404."""
        if scope["type"] != "http":
            return
        status, body, fields = self._answer(scope)
        headers = [(name.encode(), value.encode()) for name, value in fields]
        headers.append((b"content-length", str(len(body)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send(
            {
                "type": "http.response.body",
                "body": b"" if scope["method"] == "HEAD" else body,
            }
        )

    def _answer(self, scope: Scope) -> tuple[int, bytes, list[tuple[str, str]]]:
        match scope["path"]:
            case "/livez":
                return 200, b"ok\n", _PLAIN
            case "/readyz":
                why = self._ready()
                return (503, f"{why}\n".encode(), _PLAIN) if why else (200, b"ready\n", _PLAIN)
            case "/metrics":
                return 200, *exposition(_field(scope, b"accept"), _field(scope, b"accept-encoding"))
        return 404, b"not found\n", _PLAIN


def _field(scope: Scope, name: bytes) -> str:
    """A header field of the request, repeated ones joined; ASGI's names are in lower case."""
    return ", ".join(value.decode("latin-1") for each, value in scope["headers"] if each == name)
