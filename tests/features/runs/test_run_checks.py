"""Inputs that are costly to validate: cheap checks come first, and each account has a share of the threads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import UUID, uuid4

import pytest
from httpx2 import Response

from partywall.core.shared_threads import SharedThreads
from partywall.core.tenant import Tenant
from partywall.features.agents.builtin.schemas import ExtractionOrder
from partywall.features.runs.admission import OpenRunLimits
from partywall.testing.users import Person
from tests.features.runs.agent_workspace import AgentWorkspace
from tests.features.runs.test_quotas import limit

limits = OpenRunLimits.of
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}}


def order(document: object) -> dict[str, object]:
    return {"agent": "extract", "input": {"document_ids": [str(document)], "schema": SCHEMA}}


async def extract(person: Person, project: UUID, document: object, **headers: str) -> Response:
    return await person.client.post(f"/api/v1/projects/{project}/runs", json=order(document), headers=headers)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[ExtractionOrder]:
    """The inputs whose schemas were checked."""
    seen: list[ExtractionOrder] = []

    def check_input(order: ExtractionOrder) -> None:
        seen.append(order)

    monkeypatch.setattr(ExtractionOrder, "check_input", check_input)
    return seen


@asynccontextmanager
async def place_of(person: Person, checks: SharedThreads) -> AsyncIterator[Tenant]:
    """Holds the account's share of the threads."""
    tenant = person.principal.tenant
    async with checks.slots.hold(tenant):
        yield tenant


async def waiting(checks: SharedThreads, count: int = 1) -> None:
    async with asyncio.timeout(30):
        while checks.slots.waiting < count:
            await asyncio.sleep(0.001)


async def test_a_schema_is_looked_at_last(
    workspace: AgentWorkspace, checked: list[ExtractionOrder], monkeypatch: pytest.MonkeyPatch
) -> None:
    document, viewer = await workspace.document(), await workspace.users.person()
    await workspace.users.join(workspace.project, viewer, "viewer")
    answers = [
        await extract(viewer, workspace.project, document),
        await extract(await workspace.users.person(), workspace.project, document),
        await extract(workspace.owner, workspace.project, uuid4()),
    ]
    with monkeypatch.context() as patched:
        patched.setattr(OpenRunLimits, "of", lambda resources: replace(limits(resources), in_project=0))
        answers.append(await extract(workspace.owner, workspace.project, document))
    await limit(workspace, "runs", "0")
    answers.append(await extract(workspace.owner, workspace.project, document))
    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (403, "missing_right"), (404, "project_not_found"), (422, "validation_failed"), (429, "too_many_open_runs"),
        (403, "quota_exceeded"),
    ]  # fmt: skip
    assert answers[-1].json()["used"] == 0
    assert checked == []
    await limit_again(workspace, "1")
    assert (await extract(workspace.owner, workspace.project, document)).status_code == 202
    assert len(checked) == 1


async def limit_again(workspace: AgentWorkspace, most: str) -> None:
    await workspace.users.execute(
        "UPDATE project_quota SET most = $2::text::numeric WHERE project_id = $1", workspace.project, most
    )


async def test_schemas_of_an_account_wait_for_one_another_and_for_nobody_else(workspace: AgentWorkspace) -> None:
    document, checks = await workspace.document(), workspace.resources.checks
    other = await workspace.users.person()
    theirs = await other.project()
    made = await workspace.owner.client.post(f"{workspace.url}/api-keys", json={"name": "a", "role": "editor"})
    by_key = {"Authorization": f"Bearer {made.json()['secret']}"}
    async with place_of(workspace.owner, checks):
        mine = [
            asyncio.create_task(extract(workspace.owner, workspace.project, document)),
            asyncio.create_task(extract(workspace.owner, workspace.project, document, **by_key)),
        ]
        await waiting(checks, 2)
        assert (await extract(other, theirs, document)).status_code == 422
        assert not any(each.done() for each in mine)
    assert [(await each).status_code for each in mine] == [202, 202]


async def test_an_account_whose_queue_is_full_is_told_so(workspace: AgentWorkspace) -> None:
    document, checks = await workspace.document(), workspace.resources.checks
    async with place_of(workspace.owner, checks) as tenant:
        queue = [asyncio.create_task(checks.slots.acquire(tenant)) for _ in range(32)]
        await waiting(checks, len(queue))
        answer = await extract(workspace.owner, workspace.project, document)
        for each in queue:
            each.cancel()
        await asyncio.gather(*queue, return_exceptions=True)
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_requests")
    assert int(answer.headers["retry-after"]) > 0
