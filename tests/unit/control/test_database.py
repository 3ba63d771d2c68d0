"""Transactions on SQLite."""

import asyncio
from pathlib import Path

import pytest

from headrace.control.db import engines as module
from headrace.control.db.database import Database


async def test_writers_take_turns_and_none_is_turned_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOCK_WAIT_S", 0.0)  # SQLite itself refuses whoever finds it locked
    database = Database(f"sqlite+aiosqlite:///{tmp_path}/control.sqlite3")
    steps: list[tuple[int, str]] = []

    async def write(number: int) -> None:
        async with database.write():
            steps.append((number, "begins"))
            async with database.read():
                steps.append((number, "ends"))

    async with asyncio.TaskGroup() as group:
        for number in range(5):
            group.create_task(write(number))
    assert steps == [(number, step) for number in range(5) for step in ("begins", "ends")]
    await database.close()
