from __future__ import annotations

import asyncio
from collections import Counter
from uuid import uuid4

import pytest
from httpx2 import Response

from tests.features.agents.bureau import Bureau, Json
from tests.features.agents.model_server import calling, final


async def decision(bureau: Bureau, run: str, **fields: object) -> Response:
    return await bureau.owner.client.post(f"{bureau.url}/runs/{run}/decision", json=fields)


async def decide(bureau: Bureau, run: str, **fields: object) -> Json:
    """On what the run shows now."""
    answer = await decision(bureau, run, pending_id=await bureau.pending_id(run), **fields)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def status_of(bureau: Bureau, document: str) -> str:
    return str((await bureau.owner.client.get(f"{bureau.url}/documents/{document}")).json()["status"])


async def waiting_run(bureau: Bureau, document: str) -> str:
    """Its worker is gone by the time that it waits."""
    bureau.model.says(calling("publish", document_id=document), final(answer="Done.", sources=[]))
    run = await bureau.start("Publish it.")
    async with bureau.working():
        found = await bureau.until(run, "waiting", "failed")
    assert (found["status"], found["error"]) == ("waiting", None)
    shown = await bureau.pending_id(run)
    assert found["pending"] == [{"pending_id": shown, "tool": "publish", "arguments": {"document_id": document}}]
    assert [data["pending_id"] for kind, data in await bureau.events(run) if kind == "waiting"] == [shown]
    return run


async def test_an_approved_call_is_made_by_another_worker(bureau: Bureau) -> None:
    document = await bureau.document()
    run = await waiting_run(bureau, document)
    assert await status_of(bureau, document) == "draft"
    assert (await decide(bureau, run, approve=True))["status"] == "queued"
    async with bureau.working():
        found = await bureau.until(run)
    assert (found["status"], found["pending"]) == ("succeeded", [])
    assert await status_of(bureau, document) == "published"
    assert await bureau.kinds(run) == [
        "queued", "started", "usage", "waiting", "queued", "started", "tool_called", "tool_returned", "usage",
        "succeeded",
    ]  # fmt: skip
    assert len(bureau.model.asked) == 2
    assert bureau.model.asked[1].tool_results == ["published"]


async def test_a_refused_call_is_not_made_and_the_model_learns_why(bureau: Bureau) -> None:
    document = await bureau.document()
    run = await waiting_run(bureau, document)
    await decide(bureau, run, approve=False, comment="Not before Monday.")
    async with bureau.working():
        found = await bureau.until(run)
    assert found["status"] == "succeeded"
    assert await status_of(bureau, document) == "draft"
    assert bureau.model.asked[1].tool_results == ["Not before Monday."]
    [decided] = await bureau.people.fetch(
        "SELECT decision, decided_by FROM run_turn WHERE decision IS NOT NULL AND run_id::text = $1", run
    )
    assert decided["decided_by"] == str(bureau.owner.principal)


async def test_a_waiting_run_holds_no_place_and_is_decided_once(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    assert await bureau.people.fetch("SELECT 1 FROM job WHERE kind = 'run_agent'") == []
    shown = await bureau.pending_id(run)
    await decide(bureau, run, approve=True)
    again = await decision(bureau, run, pending_id=shown, approve=True)
    assert (again.status_code, again.json()["code"]) == (409, "run_not_waiting")


async def test_a_waiting_run_can_be_cancelled(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    answer = await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")
    assert (answer.json()["status"], answer.json()["pending"]) == ("cancelled", [])


async def test_viewers_decide_nothing(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    viewer = await bureau.people.person()
    await bureau.people.join(bureau.project, viewer, "viewer")
    body = {"pending_id": await bureau.pending_id(run), "approve": True}
    answer = await viewer.client.post(f"{bureau.url}/runs/{run}/decision", json=body)
    assert (answer.status_code, answer.json()["right"]) == (403, "run.decide")


async def test_no_key_decides(bureau: Bureau) -> None:
    """Or whoever starts runs by a key would approve what they ask for by the same one."""
    document = await bureau.document()
    run = await waiting_run(bureau, document)
    made = await bureau.owner.client.post(f"{bureau.url}/api-keys", json={"name": "k", "role": "admin"})
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    url = f"{bureau.url}/runs/{run}/decision"
    body = {"pending_id": await bureau.pending_id(run), "approve": True}
    answer = await bureau.owner.client.post(url, json=body, headers=headers)
    assert (answer.status_code, answer.json()["right"]) == (403, "run.decide")
    assert (await bureau.get(run))["status"] == "waiting"


async def test_a_run_goes_on_from_an_earlier_one(bureau: Bureau) -> None:
    bureau.model.says(final(answer="In ten days.", sources=[]))
    first = await bureau.run("When does it arrive?")
    bureau.model.says(final(answer="As I said.", sources=[]))
    second = await bureau.run("Sure?", continues=first["id"])
    assert (second["status"], second["continues"]) == ("succeeded", first["id"])
    said = [each["content"] for each in bureau.model.asked[0].messages if each["role"] == "user"]
    assert said == ["When does it arrive?", "Sure?"]
    assert "In ten days." in str(bureau.model.asked[0].messages)


@pytest.mark.parametrize("approve", ["yes", "off", "true", 1, 0, None])
async def test_a_decision_is_yes_or_no(bureau: Bureau, approve: object) -> None:
    """Nothing else is made into one, before it is even asked whether the run waits."""
    run = await bureau.start()
    answer = await decision(bureau, run, pending_id="pending_x", approve=approve)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/approve")


async def twice_waiting(bureau: Bureau) -> tuple[str, str, str, str]:
    """A run that waits for a second document after the first: its id, both documents, and what was shown first."""
    first, second = await bureau.document(), await bureau.document()
    run = await waiting_run(bureau, first)
    shown = await bureau.pending_id(run)
    bureau.model.says(calling("publish", document_id=second), final(answer="Done.", sources=[]))
    await decide(bureau, run, approve=False)
    async with bureau.working():
        await bureau.until(run, "waiting")
    return run, first, second, shown


async def test_a_repeated_decision_does_not_approve_what_is_asked_next(bureau: Bureau) -> None:
    run, first, second, shown = await twice_waiting(bureau)
    answer = await decision(bureau, run, pending_id=shown, approve=True)
    assert (answer.status_code, answer.json()["code"]) == (409, "run_pending_changed")
    assert (await bureau.get(run))["status"] == "waiting"
    assert await status_of(bureau, first) == await status_of(bureau, second) == "draft"


async def test_the_same_call_in_another_turn_or_run_is_another_step(bureau: Bureau) -> None:
    document = await bureau.document()
    run, other = await waiting_run(bureau, document), await waiting_run(bureau, document)
    shown = await bureau.pending_id(run)
    for foreign in (await bureau.pending_id(other), str(uuid4()), shown.upper(), shown[:-1], "\u0416"):
        answer = await decision(bureau, run, pending_id=foreign, approve=True)
        assert (answer.status_code, answer.json()["code"]) == (409, "run_pending_changed"), foreign
    bureau.model.says(calling("publish", document_id=document))
    await decide(bureau, run, approve=False)
    async with bureau.working():
        await bureau.until(run, "waiting")
    assert await bureau.pending_id(run) != shown


@pytest.mark.parametrize("fields", [{}, {"pending_id": None}, {"pending_id": ""}, {"pending_id": "x" * 101}])
async def test_a_decision_names_what_was_seen(bureau: Bureau, fields: dict[str, object]) -> None:
    run = await waiting_run(bureau, await bureau.document())
    answer = await decision(bureau, run, approve=True, **fields)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/pending_id")
    assert (await bureau.get(run))["status"] == "waiting"


async def test_a_comment_has_an_end(bureau: Bureau) -> None:
    run = await bureau.start()
    answer = await decision(bureau, run, pending_id="pending_x", approve=False, comment="x" * 2001)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/comment")


async def test_a_decision_under_a_key_is_answered_as_the_first_time(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    url, headers = f"{bureau.url}/runs/{run}/decision", {"Idempotency-Key": str(uuid4())}
    body = {"pending_id": await bureau.pending_id(run), "approve": True}
    first = await bureau.owner.client.post(url, json=body, headers=headers)
    async with bureau.working():
        assert (await bureau.until(run))["status"] == "succeeded"
    again = await bureau.owner.client.post(url, json=body, headers=headers)
    assert (again.status_code, again.json()) == (200, first.json())
    assert again.headers["idempotent-replayed"] == "true"
    other = await bureau.owner.client.post(url, json={**body, "approve": False}, headers=headers)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_of_two_who_decide_at_the_same_time_one_does(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    shown = await bureau.pending_id(run)
    answers = await asyncio.gather(
        *(decision(bureau, run, pending_id=shown, approve=index % 2 == 0) for index in range(4))
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 3}
    decided = await bureau.people.fetch(
        "SELECT 1 FROM run_turn WHERE run_id::text = $1 AND decided_by IS NOT NULL", run
    )
    assert len(decided) == 1


async def test_of_a_decision_and_a_cancellation_only_one_holds(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    shown = await bureau.pending_id(run)
    cancelled, decided = await asyncio.gather(
        bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel"),
        decision(bureau, run, pending_id=shown, approve=True),
    )
    assert cancelled.status_code == 200
    assert decided.status_code in (200, 409)
    assert (await bureau.get(run))["status"] == "cancelled"


async def test_who_has_lost_the_role_decides_nothing_any_more(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    editor = await bureau.people.person()
    await bureau.people.join(bureau.project, editor, "editor")
    body = {"pending_id": await bureau.pending_id(run), "approve": True}
    headers = {"Idempotency-Key": "once"}
    url = f"{bureau.url}/runs/{run}/decision"
    await bureau.people.execute("UPDATE project_member SET role = 'viewer' WHERE account_id = $1", editor.id)
    answer = await editor.client.post(url, json=body, headers=headers)
    assert (answer.status_code, answer.json()["right"]) == (403, "run.decide")
    assert (await bureau.get(run))["status"] == "waiting"
