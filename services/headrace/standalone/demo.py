"""The demo: a stream of our own, published through the same RTMP port as everybody's.

Law: made through the REST API and RTMP, as any client would. Its key is made anew at each start.
"""

import asyncio

import httpx

from headrace.publisher.rtmp import PublishError, publish
from headrace.publisher.sources.picture import PictureSource
from headrace.runtime.aio.clock import unix_ms
from headrace.runtime.probes import AsgiApp
from headrace.runtime.telemetry.logs import logger
from headrace.standalone.data import DataDirectory

AGAIN_S = 2.0

_log = logger(__name__)


async def demo_stream(api: AsgiApp, api_key: str, data: DataDirectory) -> tuple[str, str]:
    """The demo stream's RTMP address with its key, and its playlist's URL; `data` keeps its id between starts."""
    transport = httpx.ASGITransport(app=api)
    headers = {"authorization": f"Bearer {api_key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://headrace", headers=headers) as client:
        made = None
        if known := data.demo_stream:
            answer = await client.post(f"/v1/streams/{known}/key")
            made = answer.json() if answer.is_success else None
        if made is None:
            answer = await client.post("/v1/streams", json={"name": "Demo", "profile": "auto"})
            made = answer.raise_for_status().json()
            data.demo_stream = made["id"]
    return f"{made['ingest']['rtmp_url']}/{made['stream_key']}", made["playback"]["hls_url"]


async def publish_demo(url: str, stopping: asyncio.Event) -> None:
    """Publish the picture until `stopping` is set, again after every failure."""
    while not stopping.is_set():
        try:
            await publish(url, PictureSource(unix_ms))
        except PublishError as error:
            if stopping.is_set():
                return
            _log.warning("the demo's publish failed", extra={"why": str(error)})
        await asyncio.sleep(AGAIN_S)
