"""The console: how one gets in, what browsers are told, and what is in its files."""

import hashlib
import re

import httpx
import pytest

from headrace.control.http.pages import CONSOLE
from headrace.control.http.security import CONSOLE_HEADER, COOKIE
from tests.unit.control.support import API_KEY, Control

ASSETS = [path for path in CONSOLE.rglob("*") if path.suffix in (".html", ".js", ".css") and "vendor" not in path.parts]


def browser(parts: Control) -> httpx.AsyncClient:
    return parts.client(Accept="text/html")


async def test_a_login_link_opens_the_console_once_and_leaves_the_address_bar(parts: Control) -> None:
    link = f"/?login={parts.auth.new_login_token()}"
    async with browser(parts) as one, browser(parts) as two:
        answer = await one.get(link)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert all(word in cookie for word in ("HttpOnly", "SameSite=strict", "Path=/"))
        assert (await one.get("/v1/streams")).status_code == 200
        assert (await two.get(link)).headers["location"] == "/#used"
        assert (await two.get("/v1/streams")).status_code == 401


@pytest.mark.parametrize("path", ["/", "/docs", "/console/app.js"])
async def test_pages_answer_head_as_get_without_the_body(parts: Control, path: str) -> None:
    async with browser(parts) as client:
        got, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(got.content))


async def test_a_preview_of_a_login_link_does_not_use_it_up(parts: Control) -> None:
    link = f"/?login={parts.auth.new_login_token()}"
    async with browser(parts) as client:
        assert "set-cookie" not in (await client.head(link)).headers
        assert "set-cookie" in (await client.get(link)).headers


async def test_the_api_key_logs_in_and_logging_out_ends_the_session(parts: Control) -> None:
    async with browser(parts) as client:
        assert (await client.post("/console/login", json={"api_key": "wrong"})).status_code == 401
        assert (await client.post("/console/login", json={"api_key": API_KEY})).status_code == 204
        session = client.cookies[COOKIE]
        assert (await client.get("/v1/streams")).status_code == 200
        assert (await client.post("/console/logout")).status_code == 204
        client.cookies.set(COOKIE, session)
        assert (await client.get("/v1/streams")).status_code == 401


async def test_an_api_key_that_no_encoding_can_write_is_wrong(parts: Control) -> None:
    async with browser(parts) as client:
        headers = {"Content-Type": "application/json"}
        answer = await client.post("/console/login", content=rb'{"api_key": "\ud800"}', headers=headers)
    assert answer.status_code == 401


async def test_a_cookie_writes_only_with_the_consoles_header(parts: Control) -> None:
    async with browser(parts) as client:
        await client.post("/console/login", json={"api_key": API_KEY})
        refused = await client.post("/v1/streams", json={"name": "x"})
        assert (refused.status_code, refused.json()["code"]) == (403, "no_console_header")
        assert (await client.post("/v1/streams", json={"name": "x"}, headers={CONSOLE_HEADER: "1"})).status_code == 201


async def test_a_wrong_api_key_is_not_helped_by_a_cookie(parts: Control) -> None:
    async with browser(parts) as client:
        await client.post("/console/login", json={"api_key": API_KEY})
        assert (await client.get("/v1/streams", headers={"Authorization": "Bearer wrong"})).status_code == 401


@pytest.mark.parametrize("path", ["/", "/docs", "/console/app.js"])
async def test_pages_forbid_frames_foreign_scripts_and_sniffing(parts: Control, path: str) -> None:
    async with browser(parts) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
async def test_probes_need_no_key(parts: Control, path: str) -> None:
    async with browser(parts) as client:
        answer = await client.get(path)
    assert answer.status_code == 200
    assert path != "/metrics" or "headrace_control_opened_sessions_total" in answer.text


async def test_every_file_that_a_page_names_is_there(parts: Control) -> None:
    named = {name for page in ASSETS for name in re.findall(r'"(/console/[^"]+\.(?:js|css|svg))"', page.read_text())}
    assert {"/console/app.js", "/console/docs.js", "/console/vendor/hls.min.js"} <= named
    async with browser(parts) as client:
        answers = {name: (await client.get(name)).status_code for name in named}
    assert set(answers.values()) == {200}


@pytest.mark.parametrize("asset", ASSETS, ids=lambda path: path.name)
def test_pages_load_nothing_from_elsewhere_and_inline_nothing(asset: object) -> None:
    text = asset.read_text()  # type: ignore[attr-defined]
    assert not re.search(r"""(?:src|href|import|from|url\()\s*=?\s*["']?(?:https?:)?//""", text)
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", text)


def test_vendored_files_are_the_published_ones_and_carry_their_licence() -> None:
    vendor = CONSOLE / "vendor"
    lines = [line.split("  ") for line in (vendor / "SHA256SUMS").read_text().splitlines()]
    sums = {name: digest for digest, name in lines}
    assert sums == {name: hashlib.sha256((vendor / name).read_bytes()).hexdigest() for name in sums}
    assert {path.name for path in vendor.iterdir()} == {*sums, "SHA256SUMS", "README.md"}
    assert "Apache License" in (vendor / "hls.js.LICENSE").read_text()
