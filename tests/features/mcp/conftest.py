from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from partywall.settings import Settings
from tests.features.api_keys.conftest import make_key
from tests.features.live.server import Serving, serve
from tests.features.mcp.mcp_workspace import McpWorkspace
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.conftest import app, model, resources, settings, shared_model, workspace

__all__ = ["app", "make_key", "model", "resources", "settings", "shared_model", "workspace"]


@pytest.fixture(scope="session")
async def served(settings: Settings) -> AsyncIterator[Serving]:
    """The application of an API process on loopback; workers run separately."""
    async with serve(settings) as serving:
        yield serving


@pytest.fixture
async def mcp_workspace(workspace: AgentWorkspace, served: Serving) -> McpWorkspace:
    return McpWorkspace(workspace, served, await McpWorkspace.key_of(workspace))
