"""When sockets rest: never where there are few, all together where there are many."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.edge.connection import READ_ON_BYTES, Connection
from headrace.edge.pace import MOST_REST_S, READS_PER_S, Pace, rest_s


@pytest.mark.parametrize("publishers", [1, 9])
async def test_few_publishers_never_rest(publishers: int) -> None:
    assert not Pace().rest(lambda: None, publishers)


@given(st.integers(10, 10_000))
def test_many_rest_as_long_as_the_reads_of_all_allow_and_never_longer_than_the_most(publishers: int) -> None:
    wait_s = rest_s(publishers)
    assert 0 < wait_s <= MOST_REST_S
    assert publishers / wait_s >= READS_PER_S * (1 - 1e-9)
    assert wait_s == MOST_REST_S or publishers / wait_s <= READS_PER_S * (1 + 1e-9)


async def test_all_that_rest_are_woken_together_and_once() -> None:
    pace, woken, both = Pace(), [], asyncio.Event()

    def wake(name: str) -> None:
        woken.append(name)
        if len(woken) == 2:
            both.set()

    assert pace.rest(lambda: wake("a"), 20)
    assert pace.rest(lambda: wake("b"), 20)
    assert woken == []
    async with asyncio.timeout(5):
        await both.wait()
    again = asyncio.Event()
    assert pace.rest(again.set, 20)  # after a beat there is another
    async with asyncio.timeout(5):
        await again.wait()
    assert woken == ["a", "b"]


@pytest.mark.parametrize(("size", "rests"), [(1000, 1), (READ_ON_BYTES, 0)])
async def test_a_socket_that_had_much_to_give_is_read_on(
    size: int, rests: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    pace = Pace()
    connection = Connection(cast(Any, SimpleNamespace(pace=pace, publishing=50)))
    monkeypatch.setattr(connection, "_work", lambda: True)  # there was media in it
    connection.data_received(b"\3" * size)
    assert len(pace._wakes) == rests
