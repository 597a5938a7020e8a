"""Runs the program of the how-to unchanged."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from partywall.features.mcp.tools import BY_NAME
from tests.features.mcp.mcp_workspace import McpWorkspace
from tests.features.runs.model_server import final

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "mcp.md"


async def test_the_program_of_the_how_to_follows_a_run(mcp_workspace: McpWorkspace, tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    script = tmp_path / "ask.py"
    script.write_text(code.replace('"answer"', '"assistant"'))
    mcp_workspace.workspace.model.says(final(answer="In May.", sources=[]))
    async with mcp_workspace.workspace.working():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            env={**os.environ, "PARTYWALL_KEY": mcp_workspace.key, "PARTYWALL_MCP": mcp_workspace.url()},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    assert output == b"succeeded\n"


def test_the_how_to_names_every_tool() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert named == list(BY_NAME)
