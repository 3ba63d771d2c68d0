"""What the API's clients read when they are refused: the very words, and where they lead."""

import re
from typing import Any

import httpx
import pytest

from headrace.core.error_table import ROWS
from tests.unit.control.support import Control

TOO_LONG = "x" * 70_000


@pytest.mark.parametrize(
    ("method", "path", "request_", "problem"),
    [
        (
            "GET",
            "/v1/streams",
            {"headers": {"authorization": "Bearer wrong"}},
            (401, "unauthorized", "Unauthorized", "This API key is not valid."),
        ),
        ("GET", "/v1/streams/nobody", {}, (404, "no_stream", "Not Found", "There is no such stream.")),
        ("GET", "/nowhere", {}, (404, "not_found", "Not Found", "Not Found")),
        ("PUT", "/v1/streams", {}, (405, "method_not_allowed", "Method Not Allowed", "Method Not Allowed")),
        (
            "POST",
            "/v1/streams",
            {"content": TOO_LONG.encode()},
            (413, "body_too_large", "Request Entity Too Large", "A request's body has at most 65536 bytes."),
        ),
        (
            "POST",
            "/v1/streams",
            {"json": {"name": ""}},
            (422, "invalid", "Unprocessable Entity", "name: String should have at least 1 character"),
        ),
        (
            "POST",
            "/v1/streams",
            {"json": {"name": "x", "profile": "best"}},
            (422, "bad_profile", "Unprocessable Entity", None),
        ),
        (
            "GET",
            "/v1/streams?cursor=x",
            {},
            (422, "bad_cursor", "Unprocessable Entity", "Use the `next_cursor` of the page before."),
        ),
    ],
    ids=lambda value: str(value[1]) if isinstance(value, tuple) else "",
)
async def test_a_problem_says_what_is_wrong_and_leads_to_what_to_do(
    parts: Control, method: str, path: str, request_: dict[str, Any], problem: tuple[int, str, str, str | None]
) -> None:
    status, code, title, detail = problem
    async with parts.client() as client:
        answer = await client.request(method, path, **request_)
        page = await client.get("/errors")
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    said = answer.json()
    assert {name: said[name] for name in ("type", "title", "status", "code")} == {
        "type": f"/errors#{code}",
        "title": title,
        "status": status,
        "code": code,
    }
    assert detail is None or said["detail"] == detail
    assert f'<section id="{code}">' in page.text


async def test_the_page_of_errors_has_all_of_them_and_no_script(parts: Control) -> None:
    async with parts.client() as client:
        page: httpx.Response = await client.get("/errors")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert set(re.findall(r'<section id="(\w+)">', page.text)) == set(ROWS)
    assert "<script" not in page.text
    assert "`" not in page.text
