from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

import httpx2
from mcp import Client, types
from mcp.client.streamable_http import streamable_http_client
from mcp.shared._httpx_utils import create_mcp_http_client

from tests.features.live.server import Serving
from tests.features.runs.agent_workspace import AgentWorkspace, Json

# The handshake up to 2025, and the self-contained requests of 2026.
ERAS = ("legacy", "2026-07-28")
# Part of the parameters of every request of 2026.
ENVELOPE: Json = {
    "_meta": {
        "io.modelcontextprotocol/protocolVersion": ERAS[1],
        "io.modelcontextprotocol/clientCapabilities": {},
    }
}


@dataclass(frozen=True, slots=True)
class McpWorkspace:
    """A project with an editor's API key, served over loopback."""

    workspace: AgentWorkspace
    served: Serving
    key: str

    @staticmethod
    async def key_of(workspace: AgentWorkspace, role: str = "editor", project: UUID | None = None) -> str:
        url = f"/api/v1/projects/{project or workspace.project}/api-keys"
        answer = await workspace.owner.client.post(url, json={"name": f"a {role}'s", "role": role})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["secret"])

    def url(self, project: UUID | None = None) -> str:
        return f"{self.served.url}/api/v1/projects/{project or self.workspace.project}/mcp"

    @asynccontextmanager
    async def client(
        self, era: str = "legacy", *, key: str | None = None, project: UUID | None = None
    ) -> AsyncIterator[Client]:
        """The SDK's client, connected."""
        headers = {"Authorization": f"Bearer {key or self.key}"}
        async with (
            create_mcp_http_client(headers) as http,
            Client(streamable_http_client(self.url(project), http_client=http), mode=era) as client,
        ):
            yield client

    async def is_followed(self) -> None:
        """Waits until there is a subscriber to the project's events."""
        async with asyncio.timeout(60):
            while not (await self.served.resources.cache.pubsub_numsub(f"proj:{self.workspace.project}:events"))[0][1]:
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def raw(self, key: str | None = None) -> AsyncIterator[httpx2.AsyncClient]:
        """An HTTP client without the SDK, for requests that the SDK would never send."""
        headers = {"Accept": "application/json, text/event-stream"}
        if key != "":
            headers["Authorization"] = f"Bearer {key or self.key}"
        async with httpx2.AsyncClient(headers=headers, timeout=60) as client:
            yield client


def message(method: str = "tools/list", **params: object) -> Json:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def calling(tool: str, **arguments: object) -> Json:
    return message("tools/call", name=tool, arguments=arguments)


def found(result: types.CallToolResult) -> Json:
    """The structured result of a call; its text must be the same."""
    [content] = result.content
    assert isinstance(content, types.TextContent)
    assert not result.is_error, content.text
    assert json.loads(content.text) == result.structured_content
    answer: Json = result.structured_content
    return answer


def refused(result: types.CallToolResult) -> Json:
    [content] = result.content
    assert isinstance(content, types.TextContent)
    assert result.is_error, content.text
    assert result.structured_content is None
    answer: Json = json.loads(content.text)
    return answer
