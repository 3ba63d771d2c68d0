"""The console in a real Chromium: what a newcomer does in the first two minutes, without a publisher."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Page, async_playwright, expect
from pydantic import SecretStr

from headrace.control.service import ControlSettings, build, migrate
from headrace.core.broadcast import StreamKey
from headrace.livelog.memory import MemoryLog
from headrace.runtime.http import serve_http
from headrace.runtime.lifecycle import listen_tcp
from headrace.wire.control import SessionsClient
from headrace.wire.replicas import Replicas
from tests.integration.control.test_service import transcoder
from tests.support.browser import CHROMIUM
from tests.unit.control.support import API_KEY


@asynccontextmanager
async def console(folder: Path, public_url: str = "") -> AsyncIterator[tuple[Page, str, list[str]]]:
    """A page, the console's URL with a login link, and the page's uncaught errors."""
    url = f"sqlite+aiosqlite:///{folder}/control.sqlite3"
    await migrate(url)
    sock = listen_tcp("127.0.0.1", 0, "HTTP")
    origin = f"http://127.0.0.1:{sock.getsockname()[1]}"
    settings = ControlSettings(
        database_url=url,
        api_key=SecretStr(API_KEY),
        control_target=f"unix:{folder}/control.sock",
        public_http_url=public_url or origin,
    )
    service = build(settings, log=MemoryLog())
    errors: list[str] = []
    async with asyncio.TaskGroup() as group, async_playwright() as playwright:
        tasks = [group.create_task(service.run()), group.create_task(serve_http(service.http_app, sock))]
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = await browser.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page, f"{origin}/?login={service.login_url_token()}", errors
        await browser.close()
        for task in tasks:
            task.cancel()


async def test_a_newcomer_makes_a_stream_and_sees_its_key_once(tmp_path: Path) -> None:
    async with console(tmp_path) as (page, link, errors):
        await page.goto(link)
        await expect(page.locator("#nothing")).to_be_visible()
        assert "login" not in page.url
        await page.click("#first")
        await page.fill("#create-name", "<b>Main stage</b>")
        await page.click("#create-form .primary")
        await expect(page.locator("#key-once")).to_be_visible()
        await expect(page.locator("#name")).to_have_text("<b>Main stage</b>")
        key = await page.inner_text("#key")
        assert key.startswith("sk_")
        assert (await page.inner_text("#ffmpeg")).endswith(f"rtmp://127.0.0.1:1935/live/{key}")
        await page.reload()
        await expect(page.locator("#key")).to_have_text(f"••••••••{key[-4:]}")
        await page.click("#reset")
        await page.click("#sure-yes")
        await expect(page.locator("#key")).to_contain_text("sk_")
        assert await page.inner_text("#key") != key
        await page.click("#delete")
        await page.click("#sure-yes")
        await expect(page.locator("#nothing")).to_be_visible()
        assert not await page.is_visible("#offline")
        assert errors == []


async def test_the_player_asks_the_origin_that_the_page_came_from(tmp_path: Path) -> None:
    async with console(tmp_path, "http://elsewhere.example") as (page, link, errors):
        await page.goto(link)
        headers = {"Authorization": f"Bearer {API_KEY}"}
        origin = link.partition("/?")[0]
        answer = await page.request.post(f"{origin}/v1/streams", data={"name": "x"}, headers=headers)
        made = await answer.json()
        control = f"unix:{tmp_path}/control.sock"
        async with transcoder(control), Replicas(control) as replicas, page.expect_request("**/*.m3u8") as asked:
            await SessionsClient(replicas).open_session(
                "live", StreamKey(made["stream_key"]), "edge", "192.0.2.1:5", "sid"
            )
        assert (await asked.value).url == f"{origin}/live/{made['id']}/index.m3u8"
        assert errors == []


async def test_a_used_link_says_so_and_the_api_key_logs_in(tmp_path: Path) -> None:
    async with console(tmp_path) as (page, link, errors):
        await page.goto(link)
        await expect(page.locator("#console")).to_be_visible()
        await page.click("#logout")
        await expect(page.locator("#login")).to_be_visible()
        await page.goto(link)
        await expect(page.locator("#login-why")).to_contain_text("was used before")
        await page.fill("#api-key", "wrong")
        await page.click("#login-form button")
        await expect(page.locator("#login-error")).to_have_text("This API key is not valid.")
        await page.fill("#api-key", API_KEY)
        await page.click("#login-form button")
        await expect(page.locator("#console")).to_be_visible()
        assert errors == []


async def test_the_api_is_described_without_the_internet(tmp_path: Path) -> None:
    async with console(tmp_path) as (page, link, errors):
        foreign: list[str] = []
        page.on("request", lambda request: None if "127.0.0.1" in request.url else foreign.append(request.url))
        await page.goto(link.partition("?")[0] + "docs#createStream")
        await expect(page.locator("#createStream")).to_contain_text("stream_key")
        assert await page.locator("details").count() == 6
        assert (errors, foreign) == ([], [])
