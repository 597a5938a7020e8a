from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from partywall.core.errors import TooManyRequestsError
from partywall.core.fairness import FairGate
from partywall.core.tenancy import Principal, ProjectScope, Role, prove


def a_scope() -> ProjectScope:
    return prove(uuid4(), Principal.user(uuid4()), Role.EDITOR)


async def test_one_projects_queue_does_not_hold_up_another() -> None:
    gate = FairGate(at_once=2, waiting_per_project=2)
    greedy, other = a_scope(), a_scope()
    done: list[str] = []
    release = asyncio.Event()

    async def costly() -> None:
        async with gate.enter(greedy):
            await release.wait()
            done.append("greedy")

    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(costly())
        await asyncio.sleep(0)
        with pytest.raises(TooManyRequestsError) as refused:
            async with gate.enter(greedy):
                pass
        assert refused.value.headers["Retry-After"]
        async with asyncio.timeout(30), gate.enter(other):
            done.append("other")
        release.set()
    assert done == ["other", "greedy", "greedy", "greedy"]


async def test_whoever_gives_up_leaves_no_trace() -> None:
    gate = FairGate(at_once=1, waiting_per_project=0)
    scope = a_scope()
    for _ in range(3):
        task = asyncio.create_task(_hold(gate, scope))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    async with asyncio.timeout(30), gate.enter(scope):
        pass


async def _hold(gate: FairGate, scope: ProjectScope) -> None:
    async with gate.enter(scope):
        await asyncio.sleep(60)
