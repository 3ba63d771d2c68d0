"""A log on a server answers as the model's does, whoever asks."""

from headrace.core.broadcast import RunId
from tests.model.sequences import POLITE, RUDE, polite, replay, rude
from tests.support.redis import Pair, Server
from tests.support.redis_logs import opened


async def test_a_log_on_a_server_answers_the_models_writers_as_the_models_log_does(server: Server) -> None:
    met = set[tuple[str, str]]()
    async with opened(server.url) as log:
        for seed in range(25):
            met |= await replay(log, RunId(f"polite{seed}"), polite(seed, 150))
    assert met >= POLITE


async def test_a_log_on_a_server_refuses_what_the_models_log_refuses(server: Server) -> None:
    met = set[tuple[str, str]]()
    async with opened(server.url) as log:
        for seed in range(25):
            met |= await replay(log, RunId(f"rude{seed}"), rude(seed, 200))
    assert met >= RUDE


async def test_a_log_with_a_replica_answers_as_the_models_log_does(pair: Pair) -> None:
    async with opened(pair.url, replicas=1) as log:
        for seed in range(5):
            await replay(log, RunId(f"pair{seed}"), polite(100 + seed, 150))
            await replay(log, RunId(f"rudepair{seed}"), rude(100 + seed, 200))
