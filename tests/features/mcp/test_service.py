from __future__ import annotations

import json
from uuid import UUID

import pytest
from mcp import Client, MCPError, types

from partywall.core.resources import Resources
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.service import server_for
from partywall.features.mcp.tools import BY_NAME
from partywall.testing.users import Person, Users


def caller(resources: Resources, person: Person, project: UUID) -> Caller:
    return Caller(resources, person.principal, project, "r-1", None, person.token)


async def call(caller: Caller, tool: str, **arguments: object) -> types.CallToolResult:
    async with Client(server_for(caller, arguments)) as client:
        return await client.call_tool(tool, arguments)


async def test_there_is_one_page_of_tools(resources: Resources, users: Users) -> None:
    person = await users.person()
    async with Client(server_for(caller(resources, person, UUID(int=1)), {})) as client:
        assert {tool.name for tool in (await client.list_tools()).tools} == set(BY_NAME)
        with pytest.raises(MCPError) as refusal:
            await client.list_tools(cursor="more")
        assert refusal.value.error.code == types.INVALID_PARAMS
        with pytest.raises(MCPError) as unknown:
            await client.call_tool("drop_table", {})
        assert unknown.value.error.code == types.INVALID_PARAMS


async def test_a_result_says_the_same_twice(resources: Resources, users: Users) -> None:
    person = await users.person()
    result = await call(caller(resources, person, await person.project()), "list_documents")
    [content] = result.content
    assert isinstance(content, types.TextContent)
    assert json.loads(content.text) == result.structured_content == {"items": [], "next_cursor": None, "total": None}


async def test_who_may_not_enter_learns_nothing_about_arguments(resources: Resources, users: Users) -> None:
    owner, outsider = await users.person(), await users.person()
    project = await owner.project()
    assert refusal(await call(caller(resources, owner, project), "read_document", start=-1)) == (
        "validation_failed", ["/document_id", "/start"],
    )  # fmt: skip
    assert refusal(await call(caller(resources, outsider, project), "read_document", start=-1)) == (
        "project_not_found", [],
    )  # fmt: skip


def refusal(result: types.CallToolResult) -> tuple[str, list[str]]:
    """The error code and its pointers."""
    [content] = result.content
    assert isinstance(content, types.TextContent)
    assert result.is_error
    said = json.loads(content.text)
    assert said["request_id"] == "r-1"
    return said["code"], [each["pointer"] for each in said.get("errors", [])]
