"""The same wall as on every route: access is checked before the protocol and in every call."""

from __future__ import annotations

from typing import cast

import pytest

from tests.features.mcp.mcp_workspace import McpWorkspace, calling, found, message, refused

QUESTION = {"agent": "assistant", "input": {"question": "When?"}}


async def test_anonymous_is_refused(mcp_workspace: McpWorkspace) -> None:
    async with mcp_workspace.raw(key="") as client:
        answer = await client.post(mcp_workspace.url(), json=message())
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "not_authenticated"


async def test_another_projects_key_sees_nothing(mcp_workspace: McpWorkspace) -> None:
    neighbour = await mcp_workspace.workspace.owner.project()
    key = await McpWorkspace.key_of(mcp_workspace.workspace, project=neighbour)
    async with mcp_workspace.raw(key) as client:
        for body in (message("initialize"), message(), calling("list_documents"), calling("nothing", of="this")):
            answer = await client.post(mcp_workspace.url(), json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "project_not_found")


async def test_data_of_another_project_does_not_exist(mcp_workspace: McpWorkspace) -> None:
    """Also for a member of both projects."""
    neighbour = await mcp_workspace.workspace.owner.project()
    made = await mcp_workspace.workspace.owner.client.post(
        f"/api/v1/projects/{neighbour}/documents", json={"title": "Prices", "content": "secret"}
    )
    run = await mcp_workspace.workspace.start()
    async with mcp_workspace.client(key=mcp_workspace.workspace.owner.token) as client:
        document = refused(await client.call_tool("read_document", {"document_id": made.json()["id"]}))
    async with mcp_workspace.client(key=mcp_workspace.workspace.owner.token, project=neighbour) as client:
        runs = [
            refused(await client.call_tool(tool, {"run_id": run})) for tool in ("get_run", "follow_run", "cancel_run")
        ]
        listed = found(await client.call_tool("list_documents"))
    assert document["code"] == "document_not_found"
    assert {each["code"] for each in runs} == {"run_not_found"}
    assert len(cast("list[object]", listed["items"])) == 1


async def test_a_viewers_key_reads_and_starts_nothing(mcp_workspace: McpWorkspace) -> None:
    run = await mcp_workspace.workspace.start()
    async with mcp_workspace.client(key=await McpWorkspace.key_of(mcp_workspace.workspace, "viewer")) as client:
        found(await client.call_tool("list_documents"))
        found(await client.call_tool("get_run", {"run_id": run}))
        refusals = [
            refused(await client.call_tool("start_run", QUESTION)),
            refused(await client.call_tool("start_run", {**QUESTION, "idempotency_key": "monday"})),
            refused(await client.call_tool("cancel_run", {"run_id": run})),
        ]
    assert {(each["code"], each["right"]) for each in refusals} == {("missing_right", "run.start")}
    assert "run.start" in str(refusals[0]["detail"])
    assert (await mcp_workspace.workspace.get(run))["status"] == "queued"


async def test_a_key_that_is_revoked_calls_nothing_more(mcp_workspace: McpWorkspace) -> None:
    keys = f"/api/v1/projects/{mcp_workspace.workspace.project}/api-keys"
    [key] = (await mcp_workspace.workspace.owner.client.get(keys)).json()["items"]
    async with mcp_workspace.raw() as client, mcp_workspace.raw(mcp_workspace.workspace.owner.token) as owner:
        before = await client.post(mcp_workspace.url(), json=calling("list_documents"))
        revoked = await owner.delete(f"{mcp_workspace.served.url}{keys}/{key['id']}")
        after = await client.post(mcp_workspace.url(), json=calling("list_documents"))
    assert before.json()["result"]["isError"] is False
    assert (revoked.status_code, after.status_code) == (204, 401)
    assert after.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_a_key_that_was_revoked_elsewhere_enters_no_project(mcp_workspace: McpWorkspace) -> None:
    async with mcp_workspace.raw() as client:
        await client.post(mcp_workspace.url(), json=message())
        await mcp_workspace.workspace.users.execute(
            "UPDATE api_key SET revoked_at = now() WHERE project_id = $1", mcp_workspace.workspace.project
        )
        after = await client.post(mcp_workspace.url(), json=message())
    assert (after.status_code, after.json()["code"]) == (404, "project_not_found")


@pytest.mark.parametrize("ending", ["removed", "lowered"])
async def test_a_person_who_loses_the_right_loses_it_here(mcp_workspace: McpWorkspace, ending: str) -> None:
    """Also for a call with a stored answer."""
    once = calling("start_run", **QUESTION, idempotency_key="monday")
    member = await mcp_workspace.workspace.users.person()
    await mcp_workspace.workspace.users.join(mcp_workspace.workspace.project, member, "editor")
    async with mcp_workspace.raw(member.token) as client:
        started = await client.post(mcp_workspace.url(), json=once)
        await mcp_workspace.workspace.users.execute(
            "UPDATE project_member SET role = 'viewer' WHERE account_id = $1"
            if ending == "lowered"
            else "DELETE FROM project_member WHERE account_id = $1",
            member.id,
        )
        refused_ = await client.post(mcp_workspace.url(), json=once)
    assert started.json()["result"]["isError"] is False
    if ending == "removed":
        assert refused_.status_code == 404
    else:
        assert "missing_right" in refused_.text
