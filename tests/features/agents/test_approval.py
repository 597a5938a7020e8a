from __future__ import annotations

import pytest

from tests.features.agents.bureau import Bureau, Json
from tests.features.agents.model_server import calling, final


async def decide(bureau: Bureau, run: str, **decision: object) -> Json:
    answer = await bureau.owner.client.post(f"{bureau.url}/runs/{run}/decision", json=decision)
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
    assert found["pending"] == [{"tool": "publish", "arguments": {"document_id": document}}]
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
    [row] = await bureau.people.fetch("SELECT admitted FROM run WHERE id::text = $1", run)
    assert row["admitted"] is False
    assert await bureau.people.fetch("SELECT 1 FROM pgqueuer WHERE entrypoint = 'run_agent'") == []
    await decide(bureau, run, approve=True)
    again = await bureau.owner.client.post(f"{bureau.url}/runs/{run}/decision", json={"approve": True})
    assert again.status_code == 409


async def test_a_waiting_run_can_be_cancelled(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    answer = await bureau.owner.client.post(f"{bureau.url}/runs/{run}/cancel")
    assert (answer.json()["status"], answer.json()["pending"]) == ("cancelled", [])


async def test_viewers_decide_nothing(bureau: Bureau) -> None:
    run = await waiting_run(bureau, await bureau.document())
    viewer = await bureau.people.person()
    await bureau.people.join(bureau.project, viewer, "viewer")
    answer = await viewer.client.post(f"{bureau.url}/runs/{run}/decision", json={"approve": True})
    assert (answer.status_code, answer.json()["right"]) == (403, "run.decide")


async def test_no_key_decides(bureau: Bureau) -> None:
    """Or whoever starts runs by a key would approve what they ask for by the same one."""
    document = await bureau.document()
    run = await waiting_run(bureau, document)
    made = await bureau.owner.client.post(f"{bureau.url}/api-keys", json={"name": "k", "role": "admin"})
    headers = {"Authorization": f"Bearer {made.json()['secret']}"}
    url = f"{bureau.url}/runs/{run}/decision"
    answer = await bureau.owner.client.post(url, json={"approve": True}, headers=headers)
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
    answer = await bureau.owner.client.post(f"{bureau.url}/runs/{run}/decision", json={"approve": approve})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/approve")
