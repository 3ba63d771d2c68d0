"""The one HTTP port: the origin under `/live`, control everywhere else.

Law: routes by the first path segment and nothing more, because every media request passes here.
"""

from headrace.runtime.direct import Direct, DirectApp
from headrace.runtime.probes import AsgiApp, Receive, Scope, Send


class OnePort:
    """An ASGI app of two."""

    def __init__(self, control: AsgiApp, origin: DirectApp) -> None:
        self._control = control
        self._origin = origin

    def direct(self, scope: Scope) -> Direct:
        """The origin's answer; control has none that are whole."""
        return self._origin.direct(scope) if scope["path"].startswith("/live/") else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI 3."""
        media = scope["type"] == "http" and scope["path"].startswith("/live/")
        await (self._origin if media else self._control)(scope, receive, send)
