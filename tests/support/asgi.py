"""Calling an ASGI app without a server."""

import asyncio
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from headrace.runtime.probes import AsgiApp


@dataclass(frozen=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


async def ask(app: AsgiApp, url: str, headers: Mapping[str, str] | None = None, method: str = "GET") -> Reply:
    """One request for `url` (path and query), as a server would hand it over."""
    path, _, query = url.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()],
    }
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, body = sent
    names = [name for name, _ in start["headers"]]
    assert len(names) == len(set(names)), "a header was sent twice"
    return Reply(start["status"], {n.decode(): v.decode() for n, v in start["headers"]}, body["body"])


async def settle() -> None:
    """Let every task that can go on do so."""
    for _ in range(30):
        await asyncio.sleep(0)


async def held(group: asyncio.TaskGroup, app: AsgiApp, url: str, method: str = "GET") -> asyncio.Task[Reply]:
    """A request that is not answered yet, though all that can happen now has happened."""
    task = group.create_task(ask(app, url, method=method))
    await settle()
    assert not task.done(), f"{url} was answered at once: {task.result()}"
    return task
