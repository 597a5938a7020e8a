from __future__ import annotations

from uuid import uuid4

from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.features.documents.blobs import release_blobs
from partywall.features.documents.jobs import ReleaseBlobs
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.projects.purge import purge_project
from partywall.settings import Settings
from tests.features.documents.conftest import Inside, Workspace, files


async def test_a_released_blob_goes_unless_it_is_used(
    workspace: Workspace, inside: Inside, resources: Resources, settings: Settings
) -> None:
    sent = {"file": ("a.txt", b"x", "text/plain")}
    made, kept = [(await workspace.post("/upload", files=sent)).json()["id"] for _ in range(2)]
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
