"""Who sent a request: a client with the API key, or the console with its cookie.

Law: a cookie alone never writes. A browser sends it along with requests that other sites cause, but they cannot add
the console's header, so both are asked for (and the cookie is SameSite=Strict and HttpOnly besides).
"""

from typing import Annotated

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from headrace.control.auth import SESSION_S, Auth
from headrace.core.errors import HeadraceError

COOKIE = "headrace_console"
CONSOLE_HEADER = "X-Headrace-Console"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

_bearer = HTTPBearer(
    auto_error=False, scheme_name="apiKey", description="The API key; `headrace up` writes it into its data directory."
)


class Unauthorized(HeadraceError):
    """No credentials, or not the right ones."""

    code = "unauthorized"


class NoConsoleHeader(HeadraceError):
    """A write with the console's cookie and without its header."""

    code = "no_console_header"


class Guard:
    """A dependency that lets a request pass or raises Unauthorized or NoConsoleHeader."""

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    async def __call__(
        self, request: Request, bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
    ) -> None:
        """Check one request."""
        if bearer is not None:
            if not self._auth.is_api_key(bearer.credentials):
                raise Unauthorized("This API key is not valid.")
        elif not self._auth.has_session(request.cookies.get(COOKIE, "")):
            raise Unauthorized("Send the API key as `Authorization: Bearer …`.")
        elif request.method not in SAFE and CONSOLE_HEADER not in request.headers:
            raise NoConsoleHeader(f"A request with the console's cookie needs the header {CONSOLE_HEADER}.")


def set_cookie(response: Response, session: str, *, secure: bool) -> None:
    """Give the browser its console session; `secure` where the console is reached over TLS."""
    response.set_cookie(
        COOKIE, session, max_age=int(SESSION_S), path="/", secure=secure, httponly=True, samesite="strict"
    )
