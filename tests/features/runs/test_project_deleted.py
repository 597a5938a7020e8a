from __future__ import annotations

import asyncio

from partywall.features.projects.feature import feature
from partywall.testing.conditions import until
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import Reply
from tests.isolation.job_runner import run_job
from tests.text_search import in_tables


async def test_a_run_of_a_project_that_is_deleted_is_broken_off(workspace: AgentWorkspace) -> None:
    """During a model call; nothing is written afterwards."""
    [purge] = [handler.kind for handler in feature.jobs if handler.kind.name == "project_deleted"]
    workspace.model.says(Reply(wait=asyncio.Event()))
    async with workspace.working():
        await workspace.start()
        await until(lambda: bool(workspace.model.asked))
        assert (await workspace.owner.client.delete(workspace.url)).status_code == 204
        await until(lambda: bool(workspace.model.broken_off))
    payload = purge.payload.model_validate({"project_id": workspace.project})
    await run_job(workspace.users, workspace.resources, purge.name, payload)
    assert await in_tables(workspace.users, str(workspace.project)) == {}
