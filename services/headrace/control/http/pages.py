"""The console's pages and its login.

Law: pages are static files and hold no data; what they show they ask of the REST API with their cookie.
"""

from http import HTTPStatus
from pathlib import Path

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
from pydantic import BaseModel, SecretStr

from headrace.control.auth import Auth
from headrace.control.http.errors_page import errors_page
from headrace.control.http.problems import PAGE
from headrace.control.http.security import COOKIE, Unauthorized, set_cookie

READ = ["GET", "HEAD"]
CONSOLE = Path(__file__).parent.parent / "console"


class Login(BaseModel):
    """The API key, in exchange for a console session."""

    api_key: SecretStr


def pages_router(auth: Auth, *, secure: bool) -> APIRouter:
    """The routes; `secure`: the console is reached over TLS."""
    router = APIRouter(include_in_schema=False)

    @router.api_route("/", methods=READ)
    async def console(request: Request, login: str | None = None) -> Response:
        """The console; a login link becomes a cookie and leaves the address bar. A preview (HEAD) uses none up."""
        if login is None or request.method == "HEAD":
            return FileResponse(CONSOLE / "index.html")
        session = auth.session_by_token(login)
        response = RedirectResponse("/" if session else "/#used", HTTPStatus.SEE_OTHER)
        if session:
            set_cookie(response, session, secure=secure)
        return response

    @router.api_route("/docs", methods=READ)
    async def docs() -> Response:
        """The API's description for people."""
        return FileResponse(CONSOLE / "docs.html")

    listed = HTMLResponse(errors_page())

    @router.api_route(PAGE, methods=READ)
    async def errors() -> Response:
        """What each problem's `type` leads to."""
        return listed

    @router.post("/console/login", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
    async def login(body: Login, response: Response) -> None:
        """A cookie for the API key."""
        session = auth.session_by_api_key(body.api_key.get_secret_value())
        if session is None:
            raise Unauthorized("This API key is not valid.")
        set_cookie(response, session, secure=secure)

    @router.post("/console/logout", status_code=HTTPStatus.NO_CONTENT, response_class=Response)
    async def logout(request: Request, response: Response) -> None:
        """Forget the session here and in the browser."""
        auth.end_session(request.cookies.get(COOKIE, ""))
        response.delete_cookie(COOKIE, path="/", secure=secure, httponly=True, samesite="strict")

    return router
