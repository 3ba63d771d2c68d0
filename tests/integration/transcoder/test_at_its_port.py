"""A transcoder as it is built, at its own port: whose calls it takes, and what it says of itself."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from headrace.core.broadcast import LeaseFault
from headrace.livelog.base import Cursor, NoRun
from headrace.livelog.memory import MemoryLog
from headrace.runtime.aio.tasks import beside
from headrace.transcoder.service import build
from headrace.transcoder.settings import TranscoderSettings
from headrace.wire.channel import MEDIA, open_channel
from headrace.wire.lease import LeaseSigner
from headrace.wire.lease_keys import LeaseKey
from headrace.wire.media import Accepted, IngestClient, IngestRefused, Open
from tests.integration.transcoder.harness import Recipe, made
from tests.integration.transcoder.test_supervisor import SMALL, opening
from tests.support.asgi import ask
from tests.support.health import healthy

DEADLINE_S = 30.0


async def answer(target: str, opened: Open) -> Accepted | IngestRefused:
    async with open_channel(target, MEDIA) as channel, asyncio.timeout(DEADLINE_S):
        await channel.channel_ready()
        call = IngestClient(channel).ingest()
        try:
            return await call.open(opened)
        finally:
            call.cancel()


@pytest.mark.parametrize("keyed", [True, False])
async def test_a_transcoder_with_keys_takes_runs_from_whom_control_lent_them_to(tmp_path: Path, keyed: bool) -> None:
    clip = made(Recipe(seconds=1), tmp_path / "clip.mp4")
    target, log, key = f"unix:{tmp_path}/t", MemoryLog(), LeaseKey.made()
    settings = TranscoderSettings(
        transcoder_target=target, control_target=f"unix:{tmp_path}/nobody", capacity_pixels_s=10**12, workers_warm=0
    )
    service = build(settings, log=log, lease_keys=key.public if keyed else None)
    bare = opening(clip, clip.plan(SMALL))
    token = LeaseSigner(key).sign(bare.run, bare.session, bare.session_id).token
    async with beside(log.run()), beside(service.run()):
        if keyed:
            foreign = replace(bare, token=token, session_id="another")
            for opened, fault in ((bare, LeaseFault.MISSING), (foreign, LeaseFault.FOREIGN)):
                refused = await answer(target, opened)
                assert isinstance(refused, IngestRefused)
                assert (refused.code, refused.fence) == (fault.value, None)
            with pytest.raises(NoRun):
                await log.read(bare.run, Cursor(0, ""))
            bare = replace(bare, token=token)
        assert await answer(target, bare) == Accepted(0)


async def test_its_grpc_health_is_what_readyz_says(tmp_path: Path) -> None:
    target = f"unix:{tmp_path}/t"
    settings = TranscoderSettings(
        transcoder_target=target, control_target=f"unix:{tmp_path}/nobody", capacity_pixels_s=10**12, workers_warm=0
    )
    log = MemoryLog()
    service = build(settings, log=log)
    async with beside(log.run()), beside(service.run()), open_channel(target, MEDIA) as channel:
        async with asyncio.timeout(DEADLINE_S):
            await channel.channel_ready()
            while (await ask(service.http_app, "/readyz")).status != 200:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
        assert await healthy(channel, "headrace.wire.v1.Ingest")
        service._supervisor.draining = True
        assert (await ask(service.http_app, "/readyz")).status == 503
        assert not await healthy(channel, "headrace.wire.v1.Ingest")
