from __future__ import annotations

import hashlib
from uuid import uuid4

import asyncpg
import pytest

from partywall.core.db.scopes import open_shared_scope
from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.features.documents.blobs import release_blobs
from partywall.features.documents.jobs import ReleaseBlobs
from partywall.features.documents.repository import DocumentWriter
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.projects.purge import purge_project
from partywall.settings import Settings
from partywall.testing.engines import Superuser
from tests.features.documents.conftest import Inside, Workspace, files

ONCE = {"Idempotency-Key": "once"}
LOCK = "SELECT FROM document WHERE id = $1::text::uuid FOR NO KEY UPDATE NOWAIT"


async def test_a_released_blob_goes_unless_it_is_used(
    workspace: Workspace, inside: Inside, resources: Resources, settings: Settings
) -> None:
    sent = {"file": ("a.txt", b"x", "text/plain")}
    other = {"file": ("a.txt", b"y", "text/plain")}
    made, kept = [(await workspace.post("/upload", files=each)).json()["id"] for each in (other, sent)]
    await workspace.client.delete(f"{workspace.url}/{made}?permanent=true")
    [job] = await inside.jobs("release_blobs")
    payload = ReleaseBlobs.model_validate(job)
    rows = await inside.users.fetch("SELECT original_key FROM document WHERE id = $1::text::uuid", kept)
    both = payload.model_copy(update={"keys": [*payload.keys, rows[0]["original_key"]]})
    context = JobContext(resources, uuid4(), job_id=1, attempt=1, last=False)
    for _ in range(2):  # a job may run again
        await release_blobs(context, both)
        assert [path.name for path in files(settings, workspace)] == [rows[0]["original_key"]]
    assert (await workspace.get(f"/{kept}/content?original=true")).content == b"x"


async def test_a_projects_end_takes_its_blobs(workspace: Workspace, resources: Resources, settings: Settings) -> None:
    other = Workspace(await workspace.owner.project(), workspace.owner)
    sent = {"file": ("a.txt", b"x", "text/plain")}
    made = (await workspace.post("/upload", files=sent)).json()["id"]
    await other.post("/upload", files=sent)
    await workspace.client.delete(f"{workspace.url}/{made}?permanent=true")
    await workspace.client.delete(f"/api/v1/projects/{workspace.project}")
    context = JobContext(resources, uuid4(), job_id=1, attempt=1, last=False)
    late = ReleaseBlobs(project_id=workspace.project, principal=f"service:{workspace.project}", keys=["0" * 32])
    await release_blobs(context, late)
    for _ in range(2):
        await purge_project(context, ProjectDeleted(project_id=workspace.project))
    assert files(settings, workspace) == []
    assert len(files(settings, other)) == 1


async def test_equal_files_share_a_blob_until_the_last_is_deleted(
    workspace: Workspace, inside: Inside, resources: Resources, settings: Settings
) -> None:
    sent = {"file": ("a.txt", b"equal", "text/plain")}
    made = [(await workspace.post("/upload", files=sent, headers=key)).json()["id"] for key in ({}, ONCE)]
    [blob] = files(settings, workspace)
    assert blob.name.startswith(hashlib.sha256(b"equal").hexdigest())
    for left, document in ((1, made[0]), (0, made[1])):
        await workspace.client.delete(f"{workspace.url}/{document}?permanent=true")
        payload = ReleaseBlobs.model_validate((await inside.jobs("release_blobs"))[-1])
        await release_blobs(JobContext(resources, uuid4(), job_id=1, attempt=1, last=False), payload)
        assert len(files(settings, workspace)) == left


async def test_only_the_blob_of_a_document_that_stays_is_shared(
    workspace: Workspace, resources: Resources, kept: Superuser
) -> None:
    """Deleting the document waits for the new one, which is then found; one that is being deleted is not shared."""
    made = (await workspace.post("/upload", files={"file": ("a.txt", b"x", "text/plain")})).json()["id"]
    sha256 = hashlib.sha256(b"x").hexdigest()

    async def shared(deletes: bool) -> str | None:
        async with resources.sessions.begin() as session:
            scope = await open_shared_scope(session, workspace.owner.principal, workspace.project)
            key = await DocumentWriter(session, scope).hold_equal_file(sha256)
            if deletes:
                await kept.execute(LOCK, made)
            return key

    assert (await shared(deletes=False) or "").startswith(sha256)
    with pytest.raises(asyncpg.LockNotAvailableError):
        await shared(deletes=True)
    async with kept.acquire() as connection, connection.transaction():
        await connection.execute(LOCK, made)
        assert await shared(deletes=False) is None


async def test_a_replaced_file_shares_the_blob_of_an_equal_one(
    workspace: Workspace, inside: Inside, resources: Resources, settings: Settings
) -> None:
    equal, other = ({"file": ("a.txt", content, "text/plain")} for content in (b"equal", b"other"))
    await workspace.post("/upload", files=equal)
    [shared] = files(settings, workspace)
    made, replaced = [
        await workspace.post("/upload", files=each, data={"external_id": "one"}) for each in (other, equal)
    ]
    assert (made.status_code, replaced.status_code) == (201, 200)
    [job] = await inside.jobs("release_blobs")
    await release_blobs(
        JobContext(resources, uuid4(), job_id=1, attempt=1, last=False), ReleaseBlobs.model_validate(job)
    )
    assert files(settings, workspace) == [shared]
    assert (await workspace.get(f"/{made.json()['id']}/content?original=true")).content == b"equal"
