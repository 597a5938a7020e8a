"""Runs and spending in a month: the operator's limits hold, whatever the project sets."""

from __future__ import annotations

import pytest

from tests.features.quotas.conftest import exceeded
from tests.features.runs.agent_workspace import AgentWorkspace, code_of
from tests.features.runs.model_server import final


async def limit(workspace: AgentWorkspace, quota: str, most: str) -> None:
    await workspace.users.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, $2, $3::text::numeric)",
        workspace.project, quota, most,
    )  # fmt: skip


def dollars(amount: str) -> dict[str, object]:
    return {"cost": {"amount": amount, "currency": "USD"}}


async def test_runs_of_a_month(workspace: AgentWorkspace) -> None:
    await limit(workspace, "runs", "2")
    for _ in range(2):
        assert (await workspace.post()).status_code == 202
    refused = await workspace.post()
    assert exceeded(refused) == (403, "runs", 2, 2)
    usage = (await workspace.owner.client.get(f"{workspace.url}/usage")).json()
    assert (usage["runs"]["used"], usage["runs"]["limit"]) == (2, 2)
    assert len((await workspace.owner.client.get(f"{workspace.url}/runs")).json()["items"]) == 2


async def test_no_budget_passes_the_operators_spending(workspace: AgentWorkspace) -> None:
    await limit(workspace, "spending", "5")
    refused = await workspace.owner.client.put(f"{workspace.url}/budget", json=dollars("5.01"))
    assert exceeded(refused) == (403, "spending", "0.00", "5.00")
    for within, shown in ((dollars("4"), "4.00"), ({}, "5.00")):
        answer = await workspace.owner.client.put(f"{workspace.url}/budget", json=within)
        assert answer.status_code == 200
        assert answer.json()["limits"]["cost"]["amount"] == shown


@pytest.mark.parametrize("quota", ["spending", "budget"])
async def test_what_the_operator_allows_is_spent_and_no_more(workspace: AgentWorkspace, quota: str) -> None:
    workspace.model.says(final(answer="Soon.", sources=[]))
    await limit(workspace, quota, "0")
    run = await workspace.run()
    assert code_of(run) == "project_budget_exceeded"
    assert len(workspace.model.asked) == 0
    # The project's budget replaces the operator's default budget but cannot exceed the operator's spending limit.
    allowed = await workspace.owner.client.put(f"{workspace.url}/budget", json={})
    assert allowed.status_code == 200
    assert (await workspace.run())["status"] == ("failed" if quota == "spending" else "succeeded")
