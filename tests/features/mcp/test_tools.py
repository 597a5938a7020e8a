"""The SDK's client against the real application on loopback, in both eras of the protocol."""

from __future__ import annotations

import asyncio
from typing import cast
from uuid import uuid4

import pytest
from mcp import MCPError

from tests.features.mcp.mcp_workspace import ERAS, McpWorkspace, found, refused
from tests.features.runs.agent_workspace import Json
from tests.features.runs.model_server import calling, final
from tests.features.runs.test_injection import index

in_both_eras = pytest.mark.parametrize("era", ERAS)
QUESTION = {"agent": "assistant", "input": {"question": "When?"}}


def items(answer: Json) -> list[Json]:
    return cast("list[Json]", answer["items"])


@in_both_eras
async def test_a_client_learns_what_there_is(mcp_workspace: McpWorkspace, era: str) -> None:
    async with mcp_workspace.client(era) as client:
        assert client.protocol_version == ("2025-11-25" if era == "legacy" else era)
        listed = (await client.list_tools()).tools
    assert [tool.name for tool in listed] == [
        "search_documents", "list_documents", "read_document", "list_agents", "start_run", "get_run", "follow_run",
        "cancel_run",
    ]  # fmt: skip
    assert all(tool.output_schema and tool.description for tool in listed)
    changing = {tool.name for tool in listed if tool.annotations and not tool.annotations.read_only_hint}
    assert changing == {"start_run", "cancel_run"}


@in_both_eras
async def test_what_is_searched_is_read_where_it_was_found(mcp_workspace: McpWorkspace, era: str) -> None:
    text = "# Größen\n\nNichts davon.\n\n# Delivery\n\nThe supplier delivers within ten days."
    document = await mcp_workspace.workspace.document("Frame contract", text)
    await index(mcp_workspace.workspace)
    async with mcp_workspace.client(era) as client:
        answer = found(await client.call_tool("search_documents", {"q": "supplier delivers", "group": "chunk"}))
        hit = items(answer)[0]
        arguments = {"document_id": hit["document_id"], "start": hit["start"], "length": 1000}
        page = found(await client.call_tool("read_document", arguments))
    assert hit["document_id"] == document
    assert (hit["page"], hit["section"], hit["external_id"], hit["revision"]) == (None, "Delivery", None, 1)
    assert answer["mode"] == "hybrid"
    assert str(page["text"]).startswith(str(hit["text"]))


@in_both_eras
async def test_a_document_is_read_in_pages(mcp_workspace: McpWorkspace, era: str) -> None:
    text = "żółw 🐢 " * 50
    document = await mcp_workspace.workspace.document("Turtles", text)
    pages: list[Json] = []
    start: object = 0
    async with mcp_workspace.client(era) as client:
        while start is not None:
            arguments = {"document_id": document, "start": start, "length": 90}
            pages.append(found(await client.call_tool("read_document", arguments)))
            start = pages[-1]["next_start"]
        behind = found(await client.call_tool("read_document", {"document_id": document, "start": 10_000}))
    assert "".join(str(page["text"]) for page in pages) == text
    assert [page["start"] for page in pages] == [0, 90, 180, 270, 360][: len(pages)]
    assert {(page["characters"], page["version"], page["title"]) for page in pages} == {(len(text), 1, "Turtles")}
    assert (behind["text"], behind["start"], behind["end"], behind["next_start"]) == ("", len(text), len(text), None)


async def test_documents_are_listed_page_by_page(mcp_workspace: McpWorkspace) -> None:
    made = [await mcp_workspace.workspace.document(f"Number {number}") for number in range(3)]
    async with mcp_workspace.client() as client:
        first = found(await client.call_tool("list_documents", {"limit": 2, "sort": "created_at"}))
        arguments = {"limit": 2, "sort": "created_at", "cursor": first["next_cursor"]}
        second = found(await client.call_tool("list_documents", arguments))
        titled = found(await client.call_tool("list_documents", {"q_title": "number 1"}))
        wrong = refused(await client.call_tool("list_documents", {**arguments, "sort": "title"}))
    assert [each["id"] for each in items(first) + items(second)] == made
    assert [each["id"] for each in items(titled)] == made[1:2]
    assert second["next_cursor"] is None
    [error] = cast("list[Json]", wrong["errors"])
    assert (wrong["code"], error["pointer"], error["code"]) == ("validation_failed", "/cursor", "bad_cursor")


async def test_numbers_are_as_exact_as_they_are_kept(mcp_workspace: McpWorkspace) -> None:
    exact = {"integer": 10**21 + 1, "fraction": 0.1}
    document = {"title": "Numbers", "content": "One.", "metadata": exact}
    made = await mcp_workspace.workspace.owner.client.post(f"{mcp_workspace.workspace.url}/documents", json=document)
    assert made.status_code == 201
    async with mcp_workspace.client() as client:
        [listed] = items(found(await client.call_tool("list_documents", {})))
    assert listed["metadata"] == exact


@in_both_eras
async def test_a_run_is_started_and_followed_to_its_result(mcp_workspace: McpWorkspace, era: str) -> None:
    mcp_workspace.workspace.model.says(calling("search", query="x"), final(answer="In May.", sources=[]))
    told: list[str] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        assert progress == len(told) + 1
        told.append(str(message))

    async with mcp_workspace.client(era) as client:
        agents = found(await client.call_tool("list_agents"))
        run = found(await client.call_tool("start_run", QUESTION))
        assert run["status"] == "queued"
        following = asyncio.create_task(client.call_tool("follow_run", {"run_id": run["id"]}, progress_callback=hear))
        await mcp_workspace.is_followed()
        async with mcp_workspace.workspace.working():
            followed = found(await following)
        got = found(await client.call_tool("get_run", {"run_id": run["id"]}))
    assert "assistant" in [each["name"] for each in items(agents)]
    assert followed == {"run": got, "settled": True}
    assert (got["status"], got["output"]) == ("succeeded", {"answer": "In May.", "sources": []})
    steps = ["started", "tool_called search", "tool_returned search", "succeeded"]
    assert [step for step in told if step != "usage"] == steps


async def test_a_run_waiting_for_approval_is_settled_and_can_be_cancelled(mcp_workspace: McpWorkspace) -> None:
    document = await mcp_workspace.workspace.document()
    mcp_workspace.workspace.model.says(calling("publish", document_id=document))
    async with mcp_workspace.client() as client, mcp_workspace.workspace.working():
        run = found(await client.call_tool("start_run", QUESTION))
        followed = found(await client.call_tool("follow_run", {"run_id": run["id"]}))
        waiting = cast("Json", followed["run"])
        cancelled = found(await client.call_tool("cancel_run", {"run_id": run["id"]}))
        again = refused(await client.call_tool("cancel_run", {"run_id": run["id"]}))
    assert (followed["settled"], waiting["status"]) == (True, "waiting")
    assert [call["tool"] for call in cast("list[Json]", waiting["pending"])] == ["publish"]
    assert cancelled["status"] == "cancelled"
    assert again["code"] == "run_finished"


@in_both_eras
async def test_who_has_waited_long_enough_gets_the_run_as_it_is(mcp_workspace: McpWorkspace, era: str) -> None:
    async with mcp_workspace.client(era) as client:
        run = found(await client.call_tool("start_run", QUESTION))
        followed = found(await client.call_tool("follow_run", {"run_id": run["id"], "wait_seconds": 1}))
    assert followed == {"run": run, "settled": False}


async def test_a_run_is_started_once_under_one_key(mcp_workspace: McpWorkspace) -> None:
    once = {**QUESTION, "idempotency_key": "monday"}
    async with mcp_workspace.client() as client:
        first = found(await client.call_tool("start_run", once))
        second = found(await client.call_tool("start_run", once))
        other = refused(await client.call_tool("start_run", {**once, "input": {"question": "Who?"}}))
    assert first == second
    assert other["code"] == "idempotency_key_reused"
    assert (
        len(
            await mcp_workspace.workspace.users.fetch(
                "SELECT 1 FROM run WHERE project_id = $1", mcp_workspace.workspace.project
            )
        )
        == 1
    )


@in_both_eras
async def test_what_is_wrong_is_said_to_the_model(mcp_workspace: McpWorkspace, era: str) -> None:
    async with mcp_workspace.client(era) as client:
        await client.list_tools()
        missing = refused(await client.call_tool("read_document", {"start": -1, "more": 1}))
        unfit = refused(await client.call_tool("start_run", {"agent": "assistant", "input": {"question": ""}}))
        nobody = refused(await client.call_tool("start_run", {"agent": "nobody", "input": {}}))
        nowhere = refused(await client.call_tool("get_run", {"run_id": str(mcp_workspace.workspace.project)}))
        with pytest.raises(MCPError, match="Unknown tool: drop_everything"):
            await client.call_tool("drop_everything")
        nul = refused(await client.call_tool("read_document", {"document_id": "\0", "start": 0}))
    assert (nul["code"], cast("list[Json]", nul["errors"])[0]["pointer"]) == ("validation_failed", "/document_id")
    pointers = [error["pointer"] for error in cast("list[Json]", missing["errors"])]
    assert (missing["code"], sorted(map(str, pointers))) == ("validation_failed", ["/document_id", "/more", "/start"])
    assert [error["pointer"] for error in cast("list[Json]", unfit["errors"])] == ["/input/question"]
    assert (nobody["code"], nowhere["code"]) == ("agent_not_found", "run_not_found")
    assert missing["request_id"]


@pytest.mark.parametrize("value", [True, "3", 3.5])
async def test_a_number_is_written_as_one(mcp_workspace: McpWorkspace, value: object) -> None:
    nobody = str(mcp_workspace.workspace.project)
    async with mcp_workspace.client() as client:
        for tool, name, rest in (
            ("search_documents", "limit", {"q": "prices"}),
            ("list_documents", "limit", {}),
            ("read_document", "start", {"document_id": nobody}),
            ("read_document", "length", {"document_id": nobody}),
            ("follow_run", "wait_seconds", {"run_id": nobody}),
        ):
            answer = refused(await client.call_tool(tool, {**rest, name: value}))
            pointers = [error["pointer"] for error in cast("list[Json]", answer["errors"])]
            assert (answer["code"], pointers) == ("validation_failed", [f"/{name}"])


async def test_a_quota_that_is_used_up_is_told(mcp_workspace: McpWorkspace) -> None:
    await mcp_workspace.workspace.users.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'runs', 0)", mcp_workspace.workspace.project
    )
    async with mcp_workspace.client() as client:
        told = refused(await client.call_tool("start_run", QUESTION))
    assert (told["code"], told["quota"], told["used"], told["limit"]) == ("quota_exceeded", "runs", 0, 0)


async def test_costly_validation_waits_for_the_accounts_turn(mcp_workspace: McpWorkspace) -> None:
    """The key's usage counts for the owner."""
    document, checks = await mcp_workspace.workspace.document(), mcp_workspace.served.resources.checks

    def order(named: object) -> Json:
        return {"agent": "extract", "input": {"document_ids": [str(named)], "schema": {"type": "object"}}}

    async with mcp_workspace.client() as client:
        assert refused(await client.call_tool("start_run", order(uuid4())))["code"] == "validation_failed"
        async with checks.slots.hold(mcp_workspace.workspace.owner.principal.tenant):
            waiting = asyncio.create_task(client.call_tool("start_run", order(document)))
            async with asyncio.timeout(30):
                while not checks.slots.waiting:
                    await asyncio.sleep(0.001)
        assert found(await waiting)["status"] == "queued"
