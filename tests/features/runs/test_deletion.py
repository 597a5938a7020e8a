"""Stored runs count towards the bytes of their project until they are deleted."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from httpx2 import Response

from partywall.core.db import engine as engines
from partywall.core.db.session import AsyncSession, Sessions
from partywall.core.tenancy import SharedScope
from partywall.features.quotas import operations
from partywall.features.runs import service
from partywall.features.runs.admission import lock_starts
from tests.features.quotas.conftest import exceeded
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.model_server import final

LEFT = """
    SELECT (SELECT count(*) FROM run WHERE project_id = $1) + (SELECT count(*) FROM run_turn WHERE project_id = $1)
        + (SELECT count(*) FROM run_step WHERE project_id = $1) AS rows,
        (SELECT sum(bytes) FROM project_usage WHERE project_id = $1)::bigint AS counted
"""


async def delete(workspace: AgentWorkspace, run: str) -> Response:
    return await workspace.owner.client.delete(f"{workspace.url}/runs/{run}")


async def used(workspace: AgentWorkspace) -> int:
    answer = await workspace.owner.client.get(f"{workspace.url}/usage")
    counted: int = answer.json()["bytes"]["used"]
    return counted


async def recounted(workspace: AgentWorkspace) -> bool:
    """Whether the recount corrected anything."""
    engine = engines.create_engine(workspace.database.owner, pool_size=1, overflow=0, settings={})
    try:
        async with Sessions(engine).begin() as session:
            return await operations.recount(session, workspace.project)
    finally:
        await engine.dispose()


async def test_what_a_run_stores_counts_until_it_is_deleted(workspace: AgentWorkspace) -> None:
    assert await used(workspace) == 0
    workspace.model.says(final(answer="Soon. " * 500, sources=[]))
    run = await workspace.start("When? " * 100)
    assert 1_600 < (started := await used(workspace)) < 2_000
    async with workspace.working():
        await workspace.until(run)
    # The answer is stored in the output, the journal and the messages.
    assert await used(workspace) > started + 3 * 3_000
    assert not await recounted(workspace)
    assert (await delete(workspace, run)).status_code == 204
    [left] = await workspace.users.fetch(LEFT, workspace.project)
    assert tuple(left) == (0, 0)
    assert (await workspace.owner.client.get(f"{workspace.url}/runs/{run}")).status_code == 404
    assert (await workspace.kinds(run))[-1] == "deleted"


async def test_a_full_project_starts_no_run_until_one_is_deleted(workspace: AgentWorkspace) -> None:
    workspace.model.says(final(answer="Soon.", sources=[]))
    run = str((await workspace.run())["id"])
    await workspace.users.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'bytes', $2)", workspace.project, 1_500
    )
    refused = await workspace.post()
    assert exceeded(refused) == (403, "bytes", await used(workspace), 1_500)
    assert (await delete(workspace, run)).status_code == 204
    await workspace.start()
    assert exceeded(await workspace.post("x" * 1_000))[:2] == (403, "bytes")


async def test_only_what_is_over_is_deleted(workspace: AgentWorkspace) -> None:
    run = await workspace.start()
    refused = await delete(workspace, run)
    assert (refused.status_code, refused.json()["code"]) == (409, "run_not_finished")
    assert (await delete(workspace, str(uuid4()))).json()["code"] == "run_not_found"
    assert (await workspace.owner.client.post(f"{workspace.url}/runs/{run}/cancel")).status_code == 200
    assert (await delete(workspace, run)).status_code == 204


async def test_no_stored_answer_and_no_later_run_shows_a_deleted_one(workspace: AgentWorkspace) -> None:
    workspace.model.says(final(answer="Soon.", sources=[]))
    body = {"agent": "assistant", "input": {"question": "Secret?"}}
    keyed = {"Idempotency-Key": "once"}
    first = await workspace.owner.client.post(f"{workspace.url}/runs", json=body, headers=keyed)
    run = first.json()["id"]
    async with workspace.working():
        await workspace.until(run)
    later = await workspace.start(continues=run)
    refused = await delete(workspace, run)
    assert (refused.status_code, refused.json()["code"]) == (409, "run_not_finished")
    assert (await workspace.owner.client.post(f"{workspace.url}/runs/{later}/cancel")).status_code == 200
    before = (await workspace.owner.client.get(f"{workspace.url}/runs/{later}")).headers["ETag"]
    assert (await delete(workspace, run)).status_code == 204
    after = await workspace.owner.client.get(f"{workspace.url}/runs/{later}")
    assert (after.json()["continues"], after.headers["ETag"] == before) == (None, False)
    again = await workspace.owner.client.post(f"{workspace.url}/runs", json=body, headers=keyed)
    assert (again.status_code, "Secret" in again.text) == (404, False)
    query = "SELECT FROM idempotency_key WHERE project_id = $1 AND body <> ''"
    assert await workspace.users.fetch(query, UUID(str(workspace.project))) == []


async def test_a_run_deleted_while_another_is_started_on_it_is_not_found(
    workspace: AgentWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace.model.says(final(answer="Soon.", sources=[]))
    run = str((await workspace.run())["id"])

    async def delete_and_lock(session: AsyncSession, scope: SharedScope) -> None:
        await workspace.users.execute("DELETE FROM run WHERE id = $1", UUID(run))
        await lock_starts(session, scope)

    monkeypatch.setattr(service, "lock_starts", delete_and_lock)
    answer = await workspace.post(continues=run)
    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found")
