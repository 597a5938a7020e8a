"""The program of the how-to, run as it stands there."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

from partywall.features.mcp.tools import BY_NAME
from tests.features.agents.model_server import final
from tests.features.mcp.desk import Desk

PAGE = Path(__file__).parents[3] / "docs" / "how-to" / "mcp.md"


async def test_the_program_of_the_how_to_follows_a_run(desk: Desk, tmp_path: Path) -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    script = tmp_path / "ask.py"
    script.write_text(code.replace('"answer"', '"assistant"'))
    desk.bureau.model.says(final(answer="In May.", sources=[]))
    async with desk.bureau.working():
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(script),
            env={**os.environ, "PARTYWALL_KEY": desk.key, "PARTYWALL_MCP": desk.url()},
            stdout=asyncio.subprocess.PIPE,
        )
        output, _ = await process.communicate()
    assert output == b"succeeded\n"


def test_the_how_to_names_every_tool() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), re.MULTILINE)
    assert named == list(BY_NAME)
