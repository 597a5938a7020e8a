"""Runs the receiver of the how-to unchanged."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from partywall.core.resources import Resources
from partywall.testing.conditions import until
from tests.architecture.layout import ROOT
from tests.features.webhooks.webhook_workspace import WebhookWorkspace, dispatching
from tests.server import free_port, until_listening

GUIDE = ROOT / "docs" / "how-to" / "webhooks.md"


def program() -> str:
    [found] = re.findall(r"^```python\n(# receiver\.py\n.*?)^```", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    return str(found)


@asynccontextmanager
async def running(directory: Path, port: int, secret: str) -> AsyncIterator[asyncio.subprocess.Process]:
    path = directory / "receiver.py"
    path.write_text(program())
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(path), stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)},
    )  # fmt: skip
    try:
        yield process
    finally:
        process.terminate()
        await process.communicate()


async def test_the_guides_receiver_verifies_and_prints(
    workspace: WebhookWorkspace, resources: Resources, tmp_path: Path
) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    hook = await workspace.hook(url, types=None)
    await workspace.happen("document.created")

    async def succeeded() -> bool:
        return await workspace.statuses(hook) == ["succeeded"] * 2

    async with running(tmp_path, port, hook.secret) as process, httpx2.AsyncClient(timeout=60) as client:
        await until_listening(port)
        async with dispatching(resources):
            await until(succeeded)
        forged = await client.post(url, content=b"{}", headers={"webhook-id": "x", "webhook-timestamp": "1"})
        assert forged.status_code == 400
        assert process.stdout is not None
        lines = [(await process.stdout.readline()).decode().split() for _ in range(2)]
    assert [line[1:] for line in lines] == [
        ["project.webhook_created", str(hook.id)],
        ["document.created", str(workspace.project)],
    ]
