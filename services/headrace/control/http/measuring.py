"""How many requests the API and the console get, how they are answered, and how soon.

Law: a route is a template of ours, or `other`: no path that somebody asked for becomes a label. Plain ASGI. Neighbours:
`app` puts it around everything else; connections and what waits there are `runtime.http`'s.
"""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headrace.control.metrics import METHODS, REQUEST_S, REQUESTS, ROUTES
from headrace.runtime.aio.clock import monotonic_s
from headrace.runtime.telemetry.metrics import OTHER


class Measured:
    """An ASGI app around another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request (ASGI 3)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_s, status = monotonic_s(), 500  # of what escapes from here

        async def heard(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, heard)
        finally:
            route, method = _route(scope), scope["method"]
            REQUESTS.labels(route, method if method in METHODS else OTHER, str(status)).inc()
            REQUEST_S.labels(route).observe(monotonic_s() - began_s)


def _route(scope: Scope) -> str:
    """The template that was matched; what is mounted, or no framework's route, is known by its path."""
    matched = getattr(scope.get("route"), "path", scope.get("root_path") or scope["path"])
    return matched if matched in ROUTES else OTHER
