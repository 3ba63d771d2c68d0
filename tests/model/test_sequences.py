"""The log in memory answers as the model's does."""

from headrace.core.broadcast import RunId
from headrace.livelog.memory import MemoryLog
from tests.model.sequences import POLITE, RUDE, polite, replay, rude


async def test_the_log_in_memory_answers_the_models_writers_as_the_models_log_does() -> None:
    real, met = MemoryLog(), set[tuple[str, str]]()
    for seed in range(60):
        met |= await replay(real, RunId(f"run{seed}"), polite(seed, 150))
    assert met >= POLITE


async def test_the_log_in_memory_refuses_what_the_models_log_refuses() -> None:
    real, met = MemoryLog(), set[tuple[str, str]]()
    for seed in range(60):
        met |= await replay(real, RunId(f"run{seed}"), rude(seed, 200))
    assert met >= RUDE
