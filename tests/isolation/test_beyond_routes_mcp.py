"""Every tool of the MCP server, from `tools/list`, attacked as if it were a route."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fastapi import FastAPI

from partywall.core.schemas import RequestModel
from partywall.features.documents.exceptions import DocumentNotFoundError
from partywall.features.mcp import service
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.schemas import ReadArguments, TextPage
from partywall.features.mcp.tool import ReportProgress
from partywall.features.mcp.tools import BY_NAME
from partywall.testing.isolation.suite import attack
from partywall.testing.isolation.surface import Operation, read_surface
from partywall.testing.isolation.tool_app import ENDPOINT, with_tools
from partywall.testing.isolation.world import World


def is_tool(operation: Operation) -> bool:
    return operation.path.startswith(f"{ENDPOINT}/")


async def test_no_tool_leaks_and_none_is_left_out(attacked_app: FastAPI, world: World) -> None:
    tool_app = await with_tools(attacked_app, world)
    report = await attack(tool_app, world, only=is_tool)
    assert not report.leaks, str(report)
    assert not report.unexercised, str(report)
    assert report.exercised == {f"mcp_{tool}" for tool in BY_NAME}
    tried = {(operation, position) for operation, position, _ in report.covered}
    for operation in filter(is_tool, read_surface(tool_app.openapi())):
        assert {(operation.id, str(position)) for position in operation.positions} <= tried


async def test_a_tool_that_looks_beyond_its_project_is_found(
    attacked_app: FastAPI, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def careless(_: Caller, wanted: RequestModel, __: ReportProgress) -> TextPage:
        assert isinstance(wanted, ReadArguments)
        sql = "SELECT title, version, content FROM document WHERE id = $1"
        for title, version, text in await world.superuser.fetch(sql, wanted.document_id):
            return TextPage(
                document_id=wanted.document_id, title=title, version=version, text=text, start=0, end=1, characters=1,
                next_start=None,
            )  # fmt: skip
        raise DocumentNotFoundError

    broken = replace(BY_NAME["read_document"], work=careless)
    monkeypatch.setattr(service, "BY_NAME", {**BY_NAME, "read_document": broken})
    tool_app = await with_tools(attacked_app, world)
    report = await attack(tool_app, world, only=lambda each: each.id == "mcp_read_document")
    assert any("which is FOREIGN's" in leak.what for leak in report.leaks), str(report)
