"""Errors as `application/problem+json` (RFC 9457).

Law: the status of a code is that of `core.error_table`; whatever has none there is a bug and says only that. `type` is
the place on this server's page of errors that says what to do. Neighbours: `errors_page` is that page.
"""

import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from headrace.core.error_table import INTERNAL, row
from headrace.core.errors import HeadraceError
from headrace.runtime.telemetry.logs import RateLimited, logger

MEDIA_TYPE = "application/problem+json"
PAGE = "/errors"

FIELD = {"bad_profile": "profile", "bad_cursor": "cursor"}
HEADERS = {
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": 'Bearer realm="headrace"'},
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
}

# What Starlette and FastAPI raise by status alone.
BY_STATUS = {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}

_failed = RateLimited(logger(__name__), "a request failed")


class FieldError(BaseModel):
    """What is wrong with one field of a request."""

    field: str = Field(description="Path of the field, joined by dots.", examples=["name"])
    detail: str = Field(description="What is wrong with it.", examples=["String should have at least 1 character"])


class Problem(BaseModel):
    """An error, as in RFC 9457."""

    type: str = Field(description="Where this server says what to do about it.", examples=["/errors#invalid"])
    title: str = Field(description="The status in words.", examples=["Unprocessable Entity"])
    status: int = Field(description="The HTTP status.", examples=[422])
    detail: str = Field(description="What went wrong, for people.", examples=["The request is not valid."])
    code: str = Field(description="What went wrong, for programs; stable.", examples=["invalid"])
    errors: list[FieldError] = Field([], description="The fields that are wrong, where fields are.")


def respond(
    code: str, detail: str, errors: list[FieldError] | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """A problem as an answer."""
    status = HTTPStatus(row(code).http)
    problem = Problem(
        type=f"{PAGE}#{code}", title=status.phrase, status=status, detail=detail, code=code, errors=errors or []
    )
    return JSONResponse(problem.model_dump(), status, {**HEADERS.get(status, {}), **(headers or {})}, MEDIA_TYPE)


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
    status = row(error.code).http
    if status in (0, HTTPStatus.INTERNAL_SERVER_ERROR):
        return await _bug(_request, error)
    detail = "The database does not answer." if status == HTTPStatus.SERVICE_UNAVAILABLE else str(error)
    field = FIELD.get(error.code)
    return respond(error.code, detail, [FieldError(field=field, detail=str(error))] if field else None)


async def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        FieldError(field=".".join(str(part) for part in one["loc"][1:]) or str(one["loc"][0]), detail=one["msg"])
        for one in error.errors()
    ]
    return respond("invalid", "; ".join(f"{one.field}: {one.detail}" for one in errors), errors)


async def _http(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return await _bug(_request, error)
    return respond(BY_STATUS.get(error.status_code, "bad_request"), error.detail, headers=dict(error.headers or {}))


async def _bug(_request: Request, error: Exception) -> JSONResponse:
    _failed(error=error, level=logging.ERROR)
    return respond(INTERNAL, "This is a bug; the log says more.")
