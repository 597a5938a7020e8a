from __future__ import annotations

import asyncio

from partywall.features.projects.work import work
from tests.features.agents.bureau import Bureau
from tests.features.agents.model_server import Reply
from tests.isolation.work import run_job
from tests.remains import in_tables


async def test_a_run_of_a_project_that_is_deleted_is_broken_off(bureau: Bureau) -> None:
    """While its model is asked; and nothing of it is written after that."""
    [purge] = [handler.kind for handler in work.jobs if handler.kind.name == "project_deleted"]
    bureau.model.says(Reply(wait=asyncio.Event()))
    async with bureau.working():
        await bureau.start()
        async with asyncio.timeout(60):
            while not bureau.model.asked:
                await asyncio.sleep(0.02)
        assert (await bureau.owner.client.delete(bureau.url)).status_code == 204
        async with asyncio.timeout(60):
            while not bureau.model.broken_off:
                await asyncio.sleep(0.02)
    payload = purge.payload.model_validate({"project_id": bureau.project})
    await run_job(bureau.people, bureau.resources, purge.name, payload)
    assert await in_tables(bureau.people, str(bureau.project)) == {}
