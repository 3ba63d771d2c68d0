"""The FastAPI application: routes, errors, description, pages, probes.

Law: composition only.
"""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.staticfiles import StaticFiles
from starlette.routing import Mount, Route

from headrace.control.auth import Auth
from headrace.control.fleet import Fleet
from headrace.control.http import problems
from headrace.control.http.measuring import Measured
from headrace.control.http.pages import CONSOLE, pages_router
from headrace.control.http.pods import pods_router
from headrace.control.http.security import Guard
from headrace.control.http.shell import BodyLimit, SafeHeaders
from headrace.control.http.streams import streams_router
from headrace.control.pods import Pods
from headrace.control.registry import Registry
from headrace.control.settings import ControlSettings
from headrace.runtime.probes import Probes

API_VERSION = "1.0"
DESCRIPTION = """\
Make streams, hand their keys to encoders, and give viewers the playback URL.

**Authentication**: `Authorization: Bearer <API key>`.

**Errors** are `application/problem+json` (RFC 9457); `code` is stable, `detail` is for people, and `type` leads to the
[page of errors](/errors), which says what to do.

**Repeating safely**: send an `Idempotency-Key` with every `POST`; the same request with the same key changes nothing
and gets the same answer for 24 hours.
"""
TAGS = [
    {"name": "streams", "description": "What encoders publish to and viewers watch."},
    {"name": "pods", "description": "What the installation consists of."},
]


def create_app(
    settings: ControlSettings, registry: Registry, auth: Auth, ready: Callable[[], str], pods: Pods, fleet: Fleet
) -> FastAPI:
    """Control's HTTP application; `ready` answers "" or why there is no new work to be taken."""
    app = FastAPI(title="Headrace", version=API_VERSION, docs_url=None, redoc_url=None)
    problems.install(app)
    guard = Guard(auth)
    app.include_router(streams_router(settings, registry, guard))
    app.include_router(pods_router(pods, fleet, guard))
    secure = urlsplit(settings.public_http_url).scheme == "https"
    app.include_router(pages_router(auth, secure=secure))
    probes = Probes(ready)
    app.router.routes.extend(Route(path, probes) for path in ("/livez", "/readyz", "/metrics"))
    app.router.routes.append(Mount("/console", StaticFiles(directory=CONSOLE)))
    app.add_middleware(BodyLimit)
    app.add_middleware(SafeHeaders)
    app.add_middleware(Measured)
    app.openapi = _describe(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend the description
    return app


def _describe(app: FastAPI) -> Callable[[], dict[str, Any]]:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = get_openapi(
                title=app.title, version=app.version, description=DESCRIPTION, tags=TAGS, routes=app.routes
            )
            schemas = described["components"]["schemas"]
            problem = problems.Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem.pop("$defs"))
            schemas["Problem"] = problem
            app.openapi_schema = described
        return app.openapi_schema

    return openapi
