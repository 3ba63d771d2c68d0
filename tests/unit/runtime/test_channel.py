"""The bounded channel."""

import asyncio

import pytest

from headrace.runtime.aio.channel import Channel, ChannelClosed


async def test_items_come_out_in_order() -> None:
    channel: Channel[int] = Channel(100)
    for i in range(5):
        await channel.send(i, 10)
    assert [await channel.receive() for _ in range(5)] == list(range(5))


async def test_a_sender_waits_while_the_bytes_are_too_many() -> None:
    channel: Channel[str] = Channel(10)
    await channel.send("a", 8)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(channel.send("b", 8))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not sending.done()
        assert channel.held_bytes == 8
        assert await channel.receive() == "a"
    assert channel.held_bytes == 8


async def test_an_item_above_the_bound_passes_alone() -> None:
    channel: Channel[str] = Channel(10)
    await channel.send("huge", 1000)
    assert await channel.receive() == "huge"


async def test_a_closed_channel_drains_and_then_says_so() -> None:
    channel: Channel[int] = Channel(10)
    await channel.send(1, 1)
    await channel.close()
    with pytest.raises(ChannelClosed):
        await channel.send(2, 1)
    assert [item async for item in channel] == [1]
    with pytest.raises(ChannelClosed):
        await channel.receive()


async def test_closing_wakes_both_sides() -> None:
    full: Channel[int] = Channel(1)
    empty: Channel[int] = Channel(1)
    await full.send(1, 1)

    async def fails(waiting: asyncio.Task[object]) -> None:
        with pytest.raises(ChannelClosed):
            await waiting

    async with asyncio.TaskGroup() as group:
        sending = asyncio.ensure_future(full.send(2, 1))
        receiving = asyncio.ensure_future(empty.receive())
        await asyncio.sleep(0)
        group.create_task(fails(sending))
        group.create_task(fails(receiving))
        await full.close()
        await empty.close()
