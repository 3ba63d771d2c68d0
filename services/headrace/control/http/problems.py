"""Errors as `application/problem+json` (RFC 9457).

Law: one table from error codes to statuses; whatever is not in it is a bug and says only that.
"""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from headrace.core.errors import HeadraceError
from headrace.runtime.telemetry.logs import logger

MEDIA_TYPE = "application/problem+json"

STATUS = {
    "no_stream": HTTPStatus.NOT_FOUND,
    "idempotency_key_reused": HTTPStatus.CONFLICT,
    "bad_profile": HTTPStatus.UNPROCESSABLE_ENTITY,
    "bad_cursor": HTTPStatus.UNPROCESSABLE_ENTITY,
    "unauthorized": HTTPStatus.UNAUTHORIZED,
    "no_console_header": HTTPStatus.FORBIDDEN,
    "conflict": HTTPStatus.SERVICE_UNAVAILABLE,
    "database": HTTPStatus.SERVICE_UNAVAILABLE,
}
FIELD = {"bad_profile": "profile", "bad_cursor": "cursor"}
HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Bearer realm="headrace"'},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}

_log = logger(__name__)


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Path of the field, joined by dots.", examples=["name"])
    detail: str = Field(description="What is wrong with it.", examples=["String should have at least 1 character"])


class Problem(BaseModel):
    """An error, as in RFC 9457."""

    type: str = Field(default="about:blank", description="Always about:blank: `status` and `code` classify.")
    title: str = Field(description="The status in words.", examples=["Unprocessable Entity"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What went wrong, for people.", examples=["The request is not valid."])
    code: str = Field(description="What went wrong, for programs; stable.", examples=["invalid"])
    errors: list[FieldError] = Field([], description="The fields that are wrong, where fields are.")


def respond(
    status: int, code: str, detail: str, errors: list[FieldError] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem as an answer."""
    known = HTTPStatus(status)
    problem = Problem(title=known.phrase, status=status, detail=detail, code=code, errors=errors or [])
    return JSONResponse(problem.model_dump(), status, {**HEADERS.get(known, {}), **(headers or {})}, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Make every error of `app` a problem."""
    app.add_exception_handler(HeadraceError, _deliberate)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _bug)


def responses(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """How a route's description names the problems that it can answer."""
    schema = {"schema": {"$ref": "#/components/schemas/Problem"}}
    return {status.value: {"description": status.phrase, "content": {MEDIA_TYPE: schema}} for status in statuses}


async def _deliberate(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HeadraceError)
    status = STATUS.get(error.code)
    if status is None:
        return await _bug(_request, error)
    detail = "The database does not answer." if status is HTTPStatus.SERVICE_UNAVAILABLE else str(error)
    field = FIELD.get(error.code)
    return respond(status, error.code, detail, [FieldError(field=field, detail=str(error))] if field else None)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldError(field=".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0]), detail=one["msg"])
        for one in error.errors()
    ]
    detail = "; ".join(f"{one.field}: {one.detail}" for one in errors)
    return respond(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid", detail, errors)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    code = phrase.lower().replace(" ", "_").replace("-", "_")
    return respond(error.status_code, code, error.detail, headers=dict(error.headers or {}))


async def _bug(_request: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed", exc_info=error)
    return respond(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", "This is a bug; the log says more.")
