from __future__ import annotations

import asyncio

from partywall.core.db.scopes import open_shared_scope
from partywall.features.budgets.schemas import BudgetUpdate
from partywall.features.budgets.service import BudgetService
from tests.features.runs.agent_workspace import AgentWorkspace


async def test_of_two_changes_at_once_the_second_finds_the_first(workspace: AgentWorkspace) -> None:
    owner, resources = workspace.owner.principal, workspace.resources
    async with asyncio.TaskGroup() as group, resources.sessions.begin() as session:
        first = BudgetService(session, await open_shared_scope(session, owner, workspace.project))
        tag = {"If-Match": (await workspace.owner.client.get(f"{workspace.url}/budget")).headers["etag"]}
        await first.put(BudgetUpdate(tokens=1))
        second = group.create_task(
            workspace.owner.client.put(f"{workspace.url}/budget", json={"tokens": 2}, headers=tag)
        )
        await asyncio.wait({second}, timeout=0.3)
    assert second.result().status_code == 412, second.result().text
    limits = (await workspace.owner.client.get(f"{workspace.url}/budget")).json()["limits"]
    assert limits["tokens"] == 1
