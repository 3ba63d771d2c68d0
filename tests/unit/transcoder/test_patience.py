"""How long trouble is borne."""

import pytest

from headrace.transcoder.patience import Patience


class Away(Exception):
    """Borne for as long as it takes."""


class Behind(Exception):
    """Borne for ten seconds."""


class Time:
    """A clock that pauses move."""

    def __init__(self) -> None:
        self.now_s = 0.0

    async def pause(self, seconds: float) -> None:
        self.now_s += seconds


async def tried(patience: Patience, *troubles: tuple[Exception, float]) -> None:
    """Meet these again and again, each with its limit in seconds."""
    while True:
        for error, limit_s in troubles:
            await patience.bear(error, limit_s)


async def test_trouble_of_one_kind_is_not_held_against_another() -> None:
    time = Time()
    patience = Patience(lambda: time.now_s, time.pause)
    while time.now_s < 30:
        await patience.bear(Away())
    began_s = time.now_s
    with pytest.raises(Behind):
        await tried(patience, (Behind(), 10))
    assert 10 <= time.now_s - began_s < 14


@pytest.mark.parametrize("limit_s", [10, float("inf")])
async def test_changing_trouble_wins_no_time(limit_s: float) -> None:
    time = Time()
    patience = Patience(lambda: time.now_s, time.pause)
    patience.limit_s = limit_s
    with pytest.raises((Away, Behind)):
        await tried(patience, (Away(), float("inf")), (Behind(), 10))
    assert 10 <= time.now_s < 14


async def test_relief_gives_all_patience_back() -> None:
    time = Time()
    patience = Patience(lambda: time.now_s, time.pause)
    for _ in range(5):
        for _ in range(4):
            await patience.bear(Behind(), 10)
        time.now_s += 8
        patience.relieve()
