from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

import pytest
from httpx2 import Response

from tests.features.runs.agent_workspace import AgentWorkspace, Json
from tests.features.runs.model_server import calling, final


async def decision(workspace: AgentWorkspace, run: str, **fields: object) -> Response:
    return await workspace.owner.client.post(f"{workspace.url}/runs/{run}/decision", json=fields)


async def decide(workspace: AgentWorkspace, run: str, **fields: object) -> Json:
    """Decides the approval that is pending now."""
    answer = await decision(workspace, run, pending_id=await workspace.pending_id(run), **fields)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def status_of(workspace: AgentWorkspace, document: str) -> str:
    return str((await workspace.owner.client.get(f"{workspace.url}/documents/{document}")).json()["status"])


async def waiting_run(workspace: AgentWorkspace, document: str) -> str:
    """A run that waits for approval; its worker has stopped."""
    workspace.model.says(calling("publish", document_id=document), final(answer="Done.", sources=[]))
    run = await workspace.start("Publish it.")
    async with workspace.working():
        found = await workspace.until(run, "waiting", "failed")
    assert (found["status"], found["error"]) == ("waiting", None)
    shown = await workspace.pending_id(run)
    assert found["pending"] == [{"pending_id": shown, "tool": "publish", "arguments": {"document_id": document}}]
    assert [data["pending_id"] for kind, data in await workspace.events(run) if kind == "waiting"] == [shown]
    return run


async def test_an_approved_call_is_made_by_another_worker(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    run = await waiting_run(workspace, document)
    assert await status_of(workspace, document) == "draft"
    assert (await decide(workspace, run, approve=True))["status"] == "queued"
    [entry, *_] = (await workspace.owner.client.get(f"{workspace.url}/audit")).json()["items"]
    assert (entry["action"], entry["subject"], entry["data"]) == ("decision.made", f"run:{run}", {"approve": True})
    async with workspace.working():
        found = await workspace.until(run)
    assert (found["status"], found["pending"]) == ("succeeded", [])
    assert await status_of(workspace, document) == "published"
    assert await workspace.kinds(run) == [
        "queued", "started", "usage", "waiting", "queued", "started", "tool_called", "tool_returned", "usage",
        "succeeded",
    ]  # fmt: skip
    assert len(workspace.model.asked) == 2
    assert workspace.model.asked[1].tool_results == ["published"]


async def test_a_refused_call_is_not_made_and_the_model_learns_why(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    run = await waiting_run(workspace, document)
    await decide(workspace, run, approve=False, comment="Not before Monday.")
    async with workspace.working():
        found = await workspace.until(run)
    assert found["status"] == "succeeded"
    assert await status_of(workspace, document) == "draft"
    assert workspace.model.asked[1].tool_results == ["Not before Monday."]
    [decided] = await workspace.users.fetch(
        "SELECT decision, decided_by FROM run_turn WHERE decision IS NOT NULL AND run_id::text = $1", run
    )
    assert decided["decided_by"] == str(workspace.owner.principal)


async def test_a_waiting_run_holds_no_place_and_is_decided_once(workspace: AgentWorkspace) -> None:
    run = await waiting_run(workspace, await workspace.document())
    assert await workspace.users.fetch("SELECT 1 FROM job WHERE kind = 'run_agent'") == []
    shown = await workspace.pending_id(run)
    await decide(workspace, run, approve=True)
    again = await decision(workspace, run, pending_id=shown, approve=True)
    assert (again.status_code, again.json()["code"]) == (409, "run_not_waiting")


async def test_a_waiting_run_can_be_cancelled(workspace: AgentWorkspace) -> None:
    run = await waiting_run(workspace, await workspace.document())
    answer = await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")
    assert (answer.json()["status"], answer.json()["pending"]) == ("cancelled", [])


async def test_viewers_decide_nothing(workspace: AgentWorkspace) -> None:
    run = await waiting_run(workspace, await workspace.document())
    viewer = await workspace.users.person()
    await workspace.users.join(workspace.project, viewer, "viewer")
    body = {"pending_id": await workspace.pending_id(run), "approve": True}
    answer = await viewer.client.post(f"{workspace.url}/runs/{run}/decision", json=body)
    assert (answer.status_code, answer.json()["right"]) == (403, "run.decide")


async def test_no_key_decides(workspace: AgentWorkspace) -> None:
    """Otherwise the key that starts a run could also approve it."""
    document = await workspace.document()
    run = await waiting_run(workspace, document)
    made = await workspace.owner.client.post(f"{workspace.url}/api-keys", json={"name": "k", "role": "admin"})
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    url = f"{workspace.url}/runs/{run}/decision"
    body = {"pending_id": await workspace.pending_id(run), "approve": True}
    answer = await workspace.owner.client.post(url, json=body, headers=headers)
    assert (answer.status_code, answer.json()["right"]) == (403, "run.decide")
    assert (await workspace.get(run))["status"] == "waiting"


async def test_a_run_goes_on_from_an_earlier_one(workspace: AgentWorkspace) -> None:
    workspace.model.says(final(answer="In ten days.", sources=[]))
    first = await workspace.run("When does it arrive?")
    workspace.model.says(final(answer="As I said.", sources=[]))
    second = await workspace.run("Sure?", continues=first["id"])
    assert (second["status"], second["continues"]) == ("succeeded", first["id"])
    said = [each["content"] for each in workspace.model.asked[0].messages if each["role"] == "user"]
    assert said == ["When does it arrive?", "Sure?"]
    assert "In ten days." in str(workspace.model.asked[0].messages)


@pytest.mark.parametrize("approve", ["yes", "off", "true", 1, 0, None])
async def test_a_decision_is_yes_or_no(workspace: AgentWorkspace, approve: object) -> None:
    """Other values are not coerced; this is checked before the run's status."""
    run = await workspace.start()
    answer = await decision(workspace, run, pending_id="pending_x", approve=approve)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/approve")


async def waiting_for_second_approval(workspace: AgentWorkspace) -> tuple[str, str, str, str]:
    """A run that waits for its second approval: run id, both documents, and the first pending id."""
    first, second = await workspace.document(), await workspace.document()
    run = await waiting_run(workspace, first)
    shown = await workspace.pending_id(run)
    workspace.model.says(calling("publish", document_id=second), final(answer="Done.", sources=[]))
    await decide(workspace, run, approve=False)
    async with workspace.working():
        await workspace.until(run, "waiting")
    return run, first, second, shown


async def test_a_repeated_decision_does_not_approve_what_is_asked_next(workspace: AgentWorkspace) -> None:
    run, first, second, shown = await waiting_for_second_approval(workspace)
    answer = await decision(workspace, run, pending_id=shown, approve=True)
    assert (answer.status_code, answer.json()["code"]) == (409, "run_pending_changed")
    assert (await workspace.get(run))["status"] == "waiting"
    assert await status_of(workspace, first) == await status_of(workspace, second) == "draft"


async def test_the_same_call_in_another_turn_or_run_is_another_step(workspace: AgentWorkspace) -> None:
    document = await workspace.document()
    run, other = await waiting_run(workspace, document), await waiting_run(workspace, document)
    shown = await workspace.pending_id(run)
    for foreign in (await workspace.pending_id(other), str(uuid4()), shown.upper(), shown[:-1], "\u0416"):
        answer = await decision(workspace, run, pending_id=foreign, approve=True)
        assert (answer.status_code, answer.json()["code"]) == (409, "run_pending_changed"), foreign
    workspace.model.says(calling("publish", document_id=document))
    await decide(workspace, run, approve=False)
    async with workspace.working():
        await workspace.until(run, "waiting")
    assert await workspace.pending_id(run) != shown


@pytest.mark.parametrize("fields", [{}, {"pending_id": None}, {"pending_id": ""}, {"pending_id": "x" * 101}])
async def test_a_decision_names_what_was_seen(workspace: AgentWorkspace, fields: dict[str, object]) -> None:
    run = await waiting_run(workspace, await workspace.document())
    answer = await decision(workspace, run, approve=True, **fields)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/pending_id")
    assert (await workspace.get(run))["status"] == "waiting"


async def test_a_comment_has_an_end(workspace: AgentWorkspace) -> None:
    run = await workspace.start()
    answer = await decision(workspace, run, pending_id="pending_x", approve=False, comment="x" * 2001)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/comment")


async def test_a_decision_under_a_key_is_answered_as_the_first_time(workspace: AgentWorkspace) -> None:
    run = await waiting_run(workspace, await workspace.document())
    url, headers = f"{workspace.url}/runs/{run}/decision", {"Idempotency-Key": str(uuid4())}
    body = {"pending_id": await workspace.pending_id(run), "approve": True}
    first = await workspace.owner.client.post(url, json=body, headers=headers)
    async with workspace.working():
        assert (await workspace.until(run))["status"] == "succeeded"
    again = await workspace.owner.client.post(url, json=body, headers=headers)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = await workspace.owner.client.post(url, json={**body, "approve": False}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_of_two_who_decide_at_the_same_time_one_does(workspace: AgentWorkspace) -> None:
    run = await waiting_run(workspace, await workspace.document())
    shown = await workspace.pending_id(run)
    answers = await asyncio.gather(
        *(decision(workspace, run, pending_id=shown, approve=index % 2 == 0) for index in range(4))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 3}
    decided = await workspace.users.fetch(
        "SELECT 1 FROM run_turn WHERE run_id::text = $1 AND decided_by IS NOT NULL", run
    )
    assert len(decided) == 1


async def test_of_a_decision_and_a_cancellation_only_one_holds(workspace: AgentWorkspace) -> None:
    run = await waiting_run(workspace, await workspace.document())
    shown = await workspace.pending_id(run)
    cancelled, decided = await asyncio.gather(
        workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel"),
        decision(workspace, run, pending_id=shown, approve=True),
    )
    assert cancelled.status_code == 200
    assert decided.status_code in (200, 409)
    assert (await workspace.get(run))["status"] == "cancelled"


async def test_who_has_lost_the_role_decides_nothing_any_more(workspace: AgentWorkspace) -> None:
    run = await waiting_run(workspace, await workspace.document())
    editor = await workspace.users.person()
    await workspace.users.join(workspace.project, editor, "editor")
    body = {"pending_id": await workspace.pending_id(run), "approve": True}
    headers = {"Idempotency-Key": "once"}
    url = f"{workspace.url}/runs/{run}/decision"
    await workspace.users.execute("UPDATE project_member SET role = 'viewer' WHERE account_id = $1", editor.id)
    answer = await editor.client.post(url, json=body, headers=headers)
    assert (answer.status_code, answer.json()["right"]) == (403, "run.decide")
    assert (await workspace.get(run))["status"] == "waiting"
