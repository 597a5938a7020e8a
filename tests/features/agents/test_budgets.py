from __future__ import annotations

import asyncio

import pytest

from partywall.core.tenancy import enter_to_write
from partywall.features.agents.budget_service import BudgetService
from partywall.features.agents.schemas import BudgetUpdate
from tests.features.agents.bureau import Bureau, code_of, used_by
from tests.features.agents.model_server import calling, final


async def put(bureau: Bureau, **limits: object) -> dict[str, object]:
    answer = await bureau.owner.client.put(f"{bureau.url}/budget", json=limits)
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


async def test_a_project_begins_without_limits(bureau: Bureau) -> None:
    answer = await bureau.owner.client.get(f"{bureau.url}/budget")
    assert answer.json()["limits"] == {"tokens": None, "tool_calls": None, "seconds": None, "cost": None}
    assert answer.json()["used"]["tokens"] == 0


async def test_what_runs_use_is_counted_for_the_run_and_the_month(bureau: Bureau) -> None:
    document = await bureau.document()
    bureau.model.says(calling("read", document_id=document), final(answer="Soon.", sources=[]))
    run = await bureau.run()
    usage = run["usage"]
    assert isinstance(usage, dict)
    assert (usage["model_calls"], usage["tool_calls"]) == (2, 1)
    assert usage["input_tokens"] > 0 < usage["output_tokens"]
    used = (await bureau.owner.client.get(f"{bureau.url}/budget")).json()["used"]
    assert used["tokens"] == usage["input_tokens"] + usage["output_tokens"]
    assert used["tool_calls"] == 1


async def test_a_budget_that_is_used_up_forbids_the_next_call(bureau: Bureau) -> None:
    document = await bureau.document()
    bureau.model.says(calling("read", document_id=document), final(answer="Soon.", sources=[]))
    shown = await put(bureau, tokens=1)
    assert shown["limits"] == {"tokens": 1, "tool_calls": None, "seconds": None, "cost": None}
    run = await bureau.run()
    assert run["status"] == "failed"
    assert code_of(run) == "project_budget_exceeded"
    assert len(bureau.model.asked) == 1
    again = await bureau.run()
    assert again["status"] == "failed"
    assert len(bureau.model.asked) == 1
    await put(bureau)
    assert (await bureau.run())["status"] == "succeeded"


@pytest.mark.parametrize("limit", ["tool_calls", "seconds", "cost"])
async def test_a_budget_of_nothing(bureau: Bureau, limit: str) -> None:
    document = await bureau.document()
    bureau.model.says(calling("read", document_id=document), final(answer="Soon.", sources=[]))
    nothing = {"amount": "0", "currency": "USD"} if limit == "cost" else 0
    await put(bureau, **{limit: nothing})
    run = await bureau.run()
    assert code_of(run) == "project_budget_exceeded"
    assert used_by(run)["tool_calls"] == 0
    assert len(bureau.model.asked) == (1 if limit == "tool_calls" else 0)


async def test_a_run_has_limits_of_its_own(bureau: Bureau) -> None:
    document = await bureau.document()
    bureau.model.says(calling("read", document_id=document))
    run = await bureau.run()
    assert run["status"] == "failed"
    assert code_of(run) == "run_limit_reached"
    assert used_by(run)["model_calls"] == 10
    assert len(bureau.model.asked) == 10


@pytest.mark.parametrize(("role", "status"), [("viewer", 403), ("editor", 403), ("admin", 200)])
async def test_who_sets_the_budget(bureau: Bureau, role: str, status: int) -> None:
    person = await bureau.people.person()
    await bureau.people.join(bureau.project, person, role)
    answer = await person.client.put(f"{bureau.url}/budget", json={"tokens": 5})
    assert answer.status_code == status
    assert (await person.client.get(f"{bureau.url}/budget")).status_code == 200


async def test_no_key_sets_the_budget(bureau: Bureau) -> None:
    made = await bureau.owner.client.post(f"{bureau.url}/api-keys", json={"name": "k", "role": "admin"})
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    answer = await bureau.owner.client.put(f"{bureau.url}/budget", json={"tokens": 5}, headers=headers)
    assert answer.status_code == 403


async def test_a_change_of_an_older_budget_is_refused(bureau: Bureau) -> None:
    tag = (await bureau.owner.client.get(f"{bureau.url}/budget")).headers["etag"]
    await put(bureau, tokens=10)
    answer = await bureau.owner.client.put(f"{bureau.url}/budget", json={}, headers={"If-Match": tag})
    assert answer.status_code == 412


async def test_of_two_changes_at_once_the_second_finds_the_first(bureau: Bureau) -> None:
    owner, resources = bureau.owner.principal, bureau.resources
    async with asyncio.TaskGroup() as group, resources.sessions.begin() as session:
        first = BudgetService(session, await enter_to_write(session, owner, bureau.project), resources.announcer)
        assert await first.revision() == 0
        tag = {"If-Match": (await bureau.owner.client.get(f"{bureau.url}/budget")).headers["etag"]}
        second = group.create_task(bureau.owner.client.put(f"{bureau.url}/budget", json={"tokens": 2}, headers=tag))
        await asyncio.wait({second}, timeout=0.3)
        await first.put(BudgetUpdate(tokens=1))
    assert second.result().status_code == 412, second.result().text
    limits = (await bureau.owner.client.get(f"{bureau.url}/budget")).json()["limits"]
    assert limits["tokens"] == 1
