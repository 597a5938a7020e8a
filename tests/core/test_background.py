from __future__ import annotations

import asyncio

import pytest
from structlog.contextvars import bound_contextvars, get_contextvars

from partywall.core import background
from partywall.core.background import Background


async def test_tasks_end_with_the_group_and_know_no_request() -> None:
    known: list[dict[str, object]] = []
    cancelled = asyncio.Event()

    async def last() -> None:
        known.append(dict(get_contextvars()))
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with Background() as group:
        with bound_contextvars(request_id="someone's"):
            group.start("last", last)
        await asyncio.sleep(0)
        assert not cancelled.is_set()
    assert cancelled.is_set()
    assert known == [{}]


async def test_a_task_that_fails_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "RESTART_PAUSE_SECONDS", 0.01)
    runs = 0
    done = asyncio.Event()

    async def fail_twice() -> None:
        nonlocal runs
        runs += 1
        if runs < 3:
            raise LookupError
        done.set()

    async with Background() as group:
        group.start("fails", fail_twice)
        async with asyncio.timeout(60):
            await done.wait()
    assert runs == 3
