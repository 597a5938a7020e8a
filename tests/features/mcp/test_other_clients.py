"""The installed official JavaScript clients and the inspector; test_tools covers the Python client."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import cast

import pytest

from partywall.features.mcp.tools import BY_NAME
from tests import packages
from tests.features.mcp.mcp_workspace import McpWorkspace
from tests.features.runs.agent_workspace import Json

SCRIPT = Path(__file__).with_name("talk.mjs")
VERSIONS = {"1": "2025-11-25", "2": "2026-07-28"}


@pytest.fixture
async def node(tmp_path: Path) -> Path:
    """A directory in which scripts can import the installed packages."""
    (tmp_path / "node_modules").symlink_to(await packages.node_packages() / "node_modules")
    return tmp_path


def structured(result: object) -> Json:
    assert isinstance(result, dict)
    assert not result.get("isError"), result
    return cast("Json", result["structuredContent"])


@pytest.mark.parametrize("generation", VERSIONS)
async def test_the_typescript_client_works_with_a_project(
    mcp_workspace: McpWorkspace, node: Path, generation: str
) -> None:
    document = await mcp_workspace.workspace.document("Prices", "Ten euros.")
    run = await mcp_workspace.workspace.start()
    script = shutil.copy(SCRIPT, node)
    code, output = await packages.run("node", script, generation, mcp_workspace.url(), mcp_workspace.key, document, run)
    assert code == 0, output
    said = json.loads(output)
    assert (said["version"], said["server"], said["tools"]) == (VERSIONS[generation], "partywall", list(BY_NAME))
    listed = cast("list[Json]", structured(said["listed"])["items"])
    assert [each["id"] for each in listed] == [document]
    assert structured(said["page"])["text"] == "Ten"
    assert "document_not_found" in said["missing"]["content"][0]["text"]
    assert structured(said["followed"])["settled"] is False
    assert structured(said["cancelled"])["status"] == "cancelled"
    assert {structured(said[name]).keys() >= {"items"} for name in ("found", "agents")} == {True}
    assert said["unknown"]["code"] == -32602
    assert "401" in json.dumps(said["dead"]), said["dead"]


async def test_the_inspector_calls_a_tool(mcp_workspace: McpWorkspace, node: Path) -> None:
    # It reads its version from next to its start directory.
    inspector = node / "node_modules" / "@modelcontextprotocol" / "inspector-cli" / "build"
    common = (
        "--cli",
        mcp_workspace.url(),
        "--transport",
        "http",
        "--header",
        f"Authorization: Bearer {mcp_workspace.key}",
    )
    code, output = await packages.run(
        "node", "cli.js", *common, "--method", "tools/call", "--tool-name", "list_documents", "--tool-arg", "limit=5",
        cwd=inspector,
    )  # fmt: skip
    assert code == 0, output
    assert json.loads(output[output.index("{") :])["structuredContent"]["items"] == []
