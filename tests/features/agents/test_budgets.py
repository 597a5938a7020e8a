from __future__ import annotations

import asyncio

import pytest

from partywall.core.db.scopes import open_shared_scope
from partywall.features.agents.budget_service import BudgetService
from partywall.features.agents.schemas import BudgetUpdate
from tests.features.agents.agent_workspace import AgentWorkspace, code_of, used_by
from tests.features.agents.model_server import calling, final


async def put(workspace: AgentWorkspace, **limits: object) -> dict[str, object]:
    answer = await workspace.owner.client.put(f"{workspace.url}/budget", json=limits)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_a_project_begins_without_limits(workspace: AgentWorkspace) -> None:
    answer = await workspace.owner.client.get(f"{workspace.url}/budget")
    assert answer.json()["limits"] == {"tokens": None, "tool_calls": None, "seconds": None, "cost": None}
    assert answer.json()["used"]["tokens"] == 0


async def test_what_runs_use_is_counted_for_the_run_and_the_month(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    workspace.model.says(calling("read", document_id=document), final(answer="Soon.", sources=[]))
    run = await workspace.run()
    usage = run["usage"]
    assert isinstance(usage, dict)
    assert (usage["model_calls"], usage["tool_calls"]) == (2, 1)
    assert usage["input_tokens"] > 0 < usage["output_tokens"]
    used = (await workspace.owner.client.get(f"{workspace.url}/budget")).json()["used"]
    assert used["tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert used["tool_calls"] == 1


async def test_a_budget_that_is_used_up_forbids_the_next_call(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    workspace.model.says(calling("read", document_id=document), final(answer="Soon.", sources=[]))
    shown = await put(workspace, tokens=1)
    assert shown["limits"] == {"tokens": 1, "tool_calls": None, "seconds": None, "cost": None}
    run = await workspace.run()
    assert run["status"] == "failed"
    assert code_of(run) == "project_budget_exceeded"
    assert len(workspace.model.asked) == 1
    again = await workspace.run()
    assert again["status"] == "failed"
    assert len(workspace.model.asked) == 1
    await put(workspace)
    assert (await workspace.run())["status"] == "succeeded"


@pytest.mark.parametrize("limit", ["tool_calls", "seconds", "cost"])
async def test_a_budget_of_nothing(workspace: AgentWorkspace, limit: str) -> None:
    document = await workspace.document()
    workspace.model.says(calling("read", document_id=document), final(answer="Soon.", sources=[]))
    nothing = {"amount": "0", "currency": "USD"} if limit == "cost" else 0
    await put(workspace, **{limit: nothing})
    run = await workspace.run()
    assert code_of(run) == "project_budget_exceeded"
    assert used_by(run)["tool_calls"] == 0
    assert len(workspace.model.asked) == (1 if limit == "tool_calls" else 0)


async def test_a_run_has_limits_of_its_own(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    workspace.model.says(calling("read", document_id=document))
    run = await workspace.run()
    assert run["status"] == "failed"
    assert code_of(run) == "run_limit_reached"
    assert used_by(run)["model_calls"] == 10
    assert len(workspace.model.asked) == 10


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("editor", 403), ("admin", 200)])
async def test_who_sets_the_budget(workspace: AgentWorkspace, role: str, status: int) -> None:
    person = await workspace.users.person()
    await workspace.users.join(workspace.project, person, role)
    answer = await person.client.put(f"{workspace.url}/budget", json={"tokens": 5})
    assert answer.status_code == status
    assert (await person.client.get(f"{workspace.url}/budget")).status_code == 200


async def test_no_key_sets_the_budget(workspace: AgentWorkspace) -> None:
    made = await workspace.owner.client.post(f"{workspace.url}/api-keys", json={"name": "k", "role": "admin"})
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    answer = await workspace.owner.client.put(f"{workspace.url}/budget", json={"tokens": 5}, headers=headers)
    assert answer.status_code == 403


async def test_a_change_of_an_older_budget_is_refused(workspace: AgentWorkspace) -> None:
    tag = (await workspace.owner.client.get(f"{workspace.url}/budget")).headers["etag"]
    await put(workspace, tokens=10)
    answer = await workspace.owner.client.put(f"{workspace.url}/budget", json={}, headers={"If-Match": tag})
    assert answer.status_code == 412


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
