"""Runs the commands of the how-to in one shell with its own model; the output matches the page."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from partywall.settings import Settings
from partywall.testing.workers import working
from tests.architecture.layout import ROOT
from tests.features.live.server import serve
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.server import free_port

PAGE: Final = ROOT / "docs" / "how-to" / "run-an-agent.md"
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")
_SECONDS: Final = re.compile(r'("seconds": )[\d.]+')


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", PAGE.read_text())


def transcript() -> list[tuple[str, str]]:
    """Each command with the output that the page shows."""
    typed = re.split(r"(?m)^\$ ", "".join(blocks("console")))[1:]
    return [(command, shown) for command, _, shown in (each.partition("\n") for each in typed)]


def normal(text: str) -> str:
    """Replaces ids by their order of appearance, and instants and durations by constants."""
    ids: dict[str, str] = {}
    text = _UUID.sub(lambda match: ids.setdefault(match.group(), f"<id {len(ids)}>"), text)
    return _SECONDS.sub(r"\g<1>0", _INSTANT.sub("<instant>", text))


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except ConnectionRefusedError:
        return False
    writer.close()
    return True


@asynccontextmanager
async def scripted(directory: Path, port: int) -> AsyncIterator[None]:
    """Runs the page's model server."""
    [program] = blocks("python")
    (directory / "scripted.py").write_text(program)
    command = (sys.executable, str(directory / "scripted.py"), str(port))
    with (directory / "scripted.log").open("w") as log:
        process = await asyncio.create_subprocess_exec(*command, stderr=log)
    try:
        async with asyncio.timeout(60):
            while not await listens(port):
                await asyncio.sleep(0.05)
        yield
    finally:
        process.terminate()
        await process.wait()


async def typed(commands: list[str], environment: dict[str, str], directory: Path) -> list[str]:
    """The output of each command, run in one shell."""
    script = "".join(f"{{ {each}\n}} >{directory / str(at)} 2>&1 || exit 1\n" for at, each in enumerate(commands))
    shell = await asyncio.create_subprocess_exec("bash", "-c", script, env={**os.environ, **environment})
    async with asyncio.timeout(60):
        status = await shell.wait()
    printed = [path.read_text() for at in range(len(commands)) if (path := directory / str(at)).exists()]
    assert status == 0, f"{commands[len(printed) - 1]}\n{printed[-1]}"
    return printed


async def test_the_transcript_is_what_is_printed(workspace: AgentWorkspace, settings: Settings, tmp_path: Path) -> None:
    port = free_port()
    agents = settings.agents.model_copy(update={"base_url": f"http://127.0.0.1:{port}/v1"})
    commands, shown = zip(*transcript(), strict=True)
    async with scripted(tmp_path, port), serve(settings.model_copy(update={"agents": agents})) as server:
        here = [command.replace("http://localhost:8000", server.url) for command in commands]
        async with workspace.working(server.resources), working(server.resources):
            printed = await typed(here, {"TOKEN": workspace.owner.token}, tmp_path)
    assert "run.succeeded" in "".join(shown)
    assert normal("".join(printed)) == normal("".join(shown))
