"""The command line's way to the REST API.

Law: the key comes from `--api-key`, then HEADRACE_API_KEY, then the data directory's file; what the API refuses is said
in its own words.
"""

from pathlib import Path
from typing import Any

import httpx

from headrace.core.errors import HeadraceError
from headrace.runtime.config import variable

TIMEOUT_S = 10.0


class ApiError(HeadraceError):
    """The API cannot be reached, or refused."""

    code = "api"


def find_key(given: str | None, data: Path) -> str:
    """The API key, without blanks around it. Raises ApiError."""
    if key := (given or variable("HEADRACE_API_KEY") or "").strip():
        return _sendable(key)
    file = data / "api-key"
    try:
        return _sendable(file.read_text().strip())
    except (OSError, UnicodeDecodeError) as error:
        raise ApiError(f"no API key: give --api-key, set HEADRACE_API_KEY, or make {file} readable") from error


def call(url: str, key: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """One request; the answer's JSON. Raises ApiError."""
    try:
        answer = httpx.request(
            method, url.rstrip("/") + path, json=body, headers={"authorization": f"Bearer {key}"}, timeout=TIMEOUT_S
        )
    except httpx.HTTPError as error:
        raise ApiError(f"cannot reach {url}: {error}") from error
    if not answer.is_success:
        raise ApiError(_reason(answer))
    result: dict[str, Any] = answer.json() if answer.content else {}
    return result


def _sendable(key: str) -> str:
    # What sends headers would say which of its bytes it does not send, and all the others with them.
    if not (key.isascii() and key.isprintable()):
        raise ApiError("the API key has characters that no request can carry: is it the right one?")
    return key


def _reason(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return f"the API answered {answer.status_code}"
