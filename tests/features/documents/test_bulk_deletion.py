from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest
from httpx2 import AsyncClient

from partywall.core.resources import Resources
from partywall.features.documents import bulk_deletion
from partywall.features.documents.deletion_repository import DeletionWriter
from partywall.features.documents.feature import feature
from partywall.features.documents.jobs import DELETE_MATCHING
from partywall.testing.conditions import until
from partywall.testing.users import Users
from partywall.testing.workers import working
from tests.features.documents.conftest import Inside, Workspace

ODD = {"field": "metadata.parity", "op": "eq", "value": "odd"}
HANDLERS = [each for each in feature.jobs if each.kind.name == DELETE_MATCHING.name]


@pytest.fixture
async def filled(workspace: Workspace) -> Workspace:
    batch = [
        {"title": f"{number}", "content": "", "metadata": {"parity": "odd" if number % 2 else "even"}}
        for number in range(10)
    ]
    assert (await workspace.post("/batch", json={"documents": batch})).status_code == 201
    return workspace


async def titles(workspace: Workspace, path: str = "") -> list[str]:
    return sorted(item["title"] for item in (await workspace.get(path)).json()["items"])


async def test_anonymous_is_refused(anonymous: AsyncClient) -> None:
    project = f"/api/v1/projects/{uuid4()}"
    assert (await anonymous.post(f"{project}/documents/delete", json={"filter": ODD})).status_code == 401
    assert (await anonymous.get(f"{project}/document-deletions/{uuid4()}")).status_code == 401


async def test_another_project_sees_and_loses_nothing(filled: Workspace, users: Users) -> None:
    made = (await filled.post("/delete", json={"filter": ODD})).json()
    outsider = await users.person()
    for dry_run in (True, False):
        answer = await outsider.client.post(f"{filled.url}/delete", json={"filter": ODD, "dry_run": dry_run})
        assert answer.status_code == 404
    own = Workspace(await outsider.project(), outsider)
    answer = await outsider.client.get(f"/api/v1/projects/{own.project}/document-deletions/{made['id']}")
    assert answer.json()["code"] == "deletion_not_found"


async def test_a_viewer_may_not_even_try(filled: Workspace, users: Users) -> None:
    viewer = await users.person()
    await users.join(filled.project, viewer, "viewer")
    for dry_run in (True, False):
        answer = await viewer.client.post(f"{filled.url}/delete", json={"filter": ODD, "dry_run": dry_run})
        assert answer.status_code == 403


async def test_a_dry_run_deletes_nothing(filled: Workspace) -> None:
    answer = await filled.post("/delete", json={"filter": ODD, "dry_run": True})
    assert answer.status_code == 200
    assert answer.json()["matching"] == 5
    assert [item["title"] for item in answer.json()["items"]] == ["1", "3", "5", "7", "9"]
    assert len(await titles(filled)) == 10


async def test_a_job_deletes_in_batches_after_a_crash_too(
    filled: Workspace, inside: Inside, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk_deletion, "DELETED_AT_ONCE", 2)
    advance = DeletionWriter.advance
    calls: list[int] = []

    async def crashing(self: DeletionWriter, *given: object) -> None:
        calls.append(1)
        await advance(self, *given)  # type: ignore[arg-type]  # passed through
        if len(calls) == 2:
            raise RuntimeError("killed")

    monkeypatch.setattr(DeletionWriter, "advance", crashing)
    monkeypatch.setattr("partywall.core.jobs.dead_letter.FIRST_DELAY", timedelta())
    started = await filled.post("/delete", json={"filter": ODD})
    assert started.status_code == 202
    later = await filled.document(title="11", metadata={"parity": "odd"})
    url = started.headers["Location"]

    async def ended() -> bool:
        return (await filled.client.get(url)).json()["finished_at"] is not None

    async with working(resources, HANDLERS):
        await until(ended)
    shown = (await filled.client.get(url)).json()
    assert (shown["deleted"], shown["error"], len(calls)) == (5, None, 4)
    assert await titles(filled) == ["0", "11", "2", "4", "6", "8"]
    assert await titles(filled, "/trash") == ["1", "3", "5", "7", "9"]
    deleted = [data["title"] for kind, _, data in await inside.events() if kind == "document.deleted"]
    assert sorted(map(str, deleted)) == ["1", "3", "5", "7", "9"]
    assert later["title"] == "11"


async def test_it_ends_when_its_caller_may_no_longer_delete(
    filled: Workspace, users: Users, resources: Resources
) -> None:
    editor = await users.person()
    await users.join(filled.project, editor, "editor")
    url = (await editor.client.post(f"{filled.url}/delete", json={"filter": ODD})).headers["Location"]
    await users.execute("UPDATE project_member SET role = 'viewer' WHERE account_id = $1", editor.id)

    async def ended() -> bool:
        return (await filled.client.get(url)).json()["finished_at"] is not None

    async with working(resources, HANDLERS):
        await until(ended)
    assert (await filled.client.get(url)).json()["error"]
    assert len(await titles(filled)) == 10


@pytest.mark.parametrize("body", [{}, {"filter": {}}, {"filter": {"and": []}}, {"filter": None}, {"dry_run": False}])
async def test_without_a_filter_nothing_is_deleted(filled: Workspace, body: dict[str, object]) -> None:
    answer = await filled.post("/delete", json=body)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"].startswith("/filter")
