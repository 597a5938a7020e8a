"""The wall is the one of every route: before the protocol, and again in every call."""

from __future__ import annotations

from typing import cast

import pytest

from tests.features.mcp.desk import Desk, calling, found, message, refused

QUESTION = {"agent": "assistant", "input": {"question": "When?"}}


async def test_anonymous_is_refused(desk: Desk) -> None:
    async with desk.raw(key="") as client:
        answer = await client.post(desk.url(), json=message())
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_authenticated"


async def test_another_projects_key_sees_nothing(desk: Desk) -> None:
    neighbour = await desk.bureau.owner.project()
    key = await Desk.key_of(desk.bureau, project=neighbour)
    async with desk.raw(key) as client:
        for body in (message("initialize"), message(), calling("list_documents"), calling("nothing", of="this")):
            answer = await client.post(desk.url(), json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")


async def test_what_is_another_projects_does_not_exist(desk: Desk) -> None:
    """Also for a person who may enter both."""
    neighbour = await desk.bureau.owner.project()
    made = await desk.bureau.owner.client.post(
        f"/api/v1/projects/{neighbour}/documents", json={"title": "Prices", "content": "secret"}
    )
    run = await desk.bureau.start()
    async with desk.client(key=desk.bureau.owner.token) as client:
        document = refused(await client.call_tool("read_document", {"document_id": made.json()["id"]}))
    async with desk.client(key=desk.bureau.owner.token, project=neighbour) as client:
        runs = [
            refused(await client.call_tool(tool, {"run_id": run})) for tool in ("get_run", "follow_run", "cancel_run")
        ]
        listed = found(await client.call_tool("list_documents"))
    assert document["code"] == "document_not_found"
    assert {each["code"] for each in runs} == {"run_not_found"}
    assert len(cast("list[object]", listed["items"])) == 1


async def test_a_viewers_key_reads_and_starts_nothing(desk: Desk) -> None:
    run = await desk.bureau.start()
    async with desk.client(key=await Desk.key_of(desk.bureau, "viewer")) as client:
        found(await client.call_tool("list_documents"))
        found(await client.call_tool("get_run", {"run_id": run}))
        refusals = [
            refused(await client.call_tool("start_run", QUESTION)),
            refused(await client.call_tool("start_run", {**QUESTION, "idempotency_key": "monday"})),
            refused(await client.call_tool("cancel_run", {"run_id": run})),
        ]
    assert {(each["code"], each["right"]) for each in refusals} == {("missing_right", "run.start")}
    assert "run.start" in str(refusals[0]["detail"])
    assert (await desk.bureau.get(run))["status"] == "queued"


async def test_a_key_that_is_revoked_calls_nothing_more(desk: Desk) -> None:
    keys = f"/api/v1/projects/{desk.bureau.project}/api-keys"
    [key] = (await desk.bureau.owner.client.get(keys)).json()["items"]
    async with desk.raw() as client, desk.raw(desk.bureau.owner.token) as owner:
        before = await client.post(desk.url(), json=calling("list_documents"))
        revoked = await owner.delete(f"{desk.served.url}{keys}/{key['id']}")
        after = await client.post(desk.url(), json=calling("list_documents"))
    assert before.json()["result"]["isError"] is False
    assert (revoked.status_code, after.status_code) == (204, 401)
    assert after.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_a_key_that_was_revoked_elsewhere_enters_no_project(desk: Desk) -> None:
    async with desk.raw() as client:
        await client.post(desk.url(), json=message())
        await desk.bureau.people.execute(
            "UPDATE api_key SET revoked_at = now() WHERE project_id = $1", desk.bureau.project
        )
        after = await client.post(desk.url(), json=message())
    assert (after.status_code, after.json()["code"]) == (404, "project_not_found")


@pytest.mark.parametrize("ending", ["removed", "lowered"])
async def test_a_person_who_loses_the_right_loses_it_here(desk: Desk, ending: str) -> None:
    """Also where the same call was answered before, and would be answered again."""
    once = calling("start_run", **QUESTION, idempotency_key="monday")
    member = await desk.bureau.people.person()
    await desk.bureau.people.join(desk.bureau.project, member, "editor")
    async with desk.raw(member.token) as client:
        started = await client.post(desk.url(), json=once)
        await desk.bureau.people.execute(
            "UPDATE project_member SET role = 'viewer' WHERE account_id = $1"
            if ending == "lowered"
            else "DELETE FROM project_member WHERE account_id = $1",
            member.id,
        )
        refused_ = await client.post(desk.url(), json=once)
    assert started.json()["result"]["isError"] is False
    if ending == "removed":
        assert refused_.status_code == 404
    else:
        assert "missing_right" in refused_.text
