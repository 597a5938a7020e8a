"""Uploads on a real S3 server, also while it hangs or has been killed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID, uuid4

import httpx2
import obstore
import pytest
from asgi_lifespan import LifespanManager

from partywall.adapters.blobs.s3_options import open_bucket
from partywall.adapters.blobs.s3_unfinished import unfinished_uploads
from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.core.storage_errors import WHILE_AWAY
from partywall.features.documents import upload
from partywall.features.documents.blobs import release_blobs, sweep
from partywall.features.documents.jobs import ReadFile, ReleaseBlobs
from partywall.features.documents.upload import UploadedFile
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.projects.purge import purge_project
from partywall.main import create_app
from partywall.settings import BlobSettings, Settings
from partywall.testing.engines import DatabaseUrls, Superuser
from partywall.testing.s3_server import S3Server
from partywall.testing.users import Users
from tests.features.documents.conftest import Inside, Workspace
from tests.features.documents.made_files import docx, paragraph
from tests.isolation.job_runner import HANDLERS
from tests.slow_calls import HELD

LETTER = docx(paragraph("The walrus signs on Friday.", ""))
PREFIX = "documents/"
# A PDF by its bytes; in three parts of a multipart upload.
LARGE = b"%PDF-1.7\n" + b"x" * 12 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Deployment:
    server: S3Server
    resources: Resources
    users: Users

    async def objects(self, project: UUID) -> list[str]:
        """Objects of the project, and its unfinished uploads."""
        options, prefix = self.server.options(PREFIX), f"{PREFIX}{project}/"
        found = await obstore.list(open_bucket(options), prefix).collect_async()
        signer = options.signer()
        assert signer is not None
        async with httpx2.AsyncClient() as client:
            unfinished = [each.key async for each in unfinished_uploads(client, signer, prefix)]
        return [name.removeprefix(prefix) for name in (*(each["path"] for each in found), *unfinished)]

    @property
    def context(self) -> JobContext:
        return JobContext(self.resources, uuid4(), job_id=1, attempt=1, last=False)

    @contextmanager
    def paused(self) -> Iterator[None]:
        self.server.pause()
        try:
            yield
        finally:
            self.server.resume()


@pytest.fixture(scope="module")
async def deployment(
    settings: Settings, s3_server: S3Server, database: DatabaseUrls, kept: Superuser
) -> AsyncIterator[Deployment]:
    blobs = s3_server.settings(PREFIX, timeout=timedelta(seconds=1))
    app = create_app(settings.model_copy(update={"blobs": blobs}))
    async with LifespanManager(app, startup_timeout=60, shutdown_timeout=60):
        with HELD.watch(app.state.resources.engine):
            async with Users(app, app.state.resources, database, kept) as users:
                yield Deployment(s3_server, app.state.resources, users)


@pytest.fixture
async def workspace(deployment: Deployment, empty_queue: None) -> Workspace:
    owner = await deployment.users.person()
    return Workspace(await owner.project(), owner)


@pytest.fixture
async def inside(deployment: Deployment, workspace: Workspace) -> Inside:
    return Inside(deployment.users, workspace.project)


async def uploaded(workspace: Workspace, name: str = "letter.docx", data: bytes = LETTER) -> str:
    answer = await workspace.post("/upload", files={"file": (name, data)})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def read_files(deployment: Deployment, inside: Inside) -> list[timedelta | None]:
    """What each job asked for: a pause, or nothing."""
    run, results = HANDLERS["read_file"].run, []
    for job in await inside.jobs("read_file"):
        [row] = await deployment.users.fetch(
            "UPDATE job SET state = 'running', lease = $2, heartbeat_at = now()"
            " WHERE kind = 'read_file' AND payload->>'document_id' = $1 RETURNING id, lease",
            job["document_id"], uuid4(),
        )  # fmt: skip
        context = replace(deployment.context, lease=row["lease"], job_id=row["id"])
        results.append(await run(context, ReadFile.model_validate(job)))
    return results


async def test_a_file_from_upload_to_deletion(deployment: Deployment, workspace: Workspace, inside: Inside) -> None:
    first, second = [await uploaded(workspace) for _ in range(2)]
    [key] = await deployment.objects(workspace.project)
    other = Workspace(await workspace.owner.project(), workspace.owner)
    await uploaded(other)
    assert len(await deployment.objects(other.project)) == 1, "an equal file of another project is an object of its own"
    assert await read_files(deployment, inside) == [None, None]
    assert (await workspace.get(f"/{second}")).json()["content"] == "The walrus signs on Friday."
    original = f"/{second}/content?original=true"
    assert (await workspace.get(original)).content == LETTER
    part = await workspace.get(original, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, LETTER[10:20])

    for document, left in ((first, [key]), (second, [])):
        await workspace.client.delete(f"{workspace.url}/{document}?permanent=true")
        released = ReleaseBlobs.model_validate((await inside.jobs("release_blobs"))[-1])
        assert released.keys == [key]
        assert await release_blobs(deployment.context, released) is None
        assert await deployment.objects(workspace.project) == left
    await workspace.client.delete(f"/api/v1/projects/{other.project}")
    await purge_project(deployment.context, ProjectDeleted(project_id=other.project))
    assert await deployment.objects(other.project) == []


async def test_only_what_no_document_needs_is_swept(deployment: Deployment, workspace: Workspace) -> None:
    """The objects are young: an upload in progress would look the same."""
    resources, kept = deployment.resources, await uploaded(workspace)
    [used] = await deployment.objects(workspace.project)
    scope = await resources.reader(workspace.owner.principal).scope(workspace.project)
    orphan = await resources.blobs.put(scope, lambda: _bytes(b"orphan"), max_bytes=9)
    await sweep(resources.blobs, resources.sessions, timedelta(hours=1))
    assert sorted(await deployment.objects(workspace.project)) == sorted([used, orphan.key])
    for dry_run, left in ((True, {used, orphan.key}), (False, {used})):
        swept = await sweep(resources.blobs, resources.sessions, -timedelta(hours=1), dry_run=dry_run)
        assert swept.blobs >= 1
        assert set(await deployment.objects(workspace.project)) == left
    assert (await workspace.get(f"/{kept}/content?original=true")).content == LETTER


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def test_while_the_server_hangs(deployment: Deployment, workspace: Workspace, inside: Inside) -> None:
    """Requests that need it are refused, jobs wait for it, and nothing else notices."""
    kept = await uploaded(workspace)
    gone = ProjectDeleted(project_id=await workspace.owner.project())
    await workspace.client.delete(f"/api/v1/projects/{gone.project_id}")
    with deployment.paused():
        (refused, unread, listed, ready), [pause], purged = await asyncio.gather(
            asyncio.gather(
                workspace.post("/upload", files={"file": ("other.docx", LETTER + b" ")}),
                workspace.get(f"/{kept}/content?original=true"),
                workspace.get(),
                workspace.client.get("/readyz"),
            ),
            read_files(deployment, inside),
            purge_project(deployment.context, gone),
        )
    for answer in (refused, unread):
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert int(answer.headers["retry-after"]) > 0
    assert (listed.status_code, ready.status_code, ready.json()["status"]) == (200, 200, "degraded")
    assert ready.json()["resources"]["blobs"] == "failing"
    assert pause == purged == WHILE_AWAY
    assert (await workspace.get(f"/{kept}")).json()["index_status"] == "pending"
    assert await purge_project(deployment.context, gone) is None
    assert await read_files(deployment, inside) == [None]
    assert (await workspace.get(f"/{kept}")).json()["content"] == "The walrus signs on Friday."
    assert [each["id"] for each in (await workspace.get()).json()["items"]] == [kept]
    # The server may have stored what it received before it hung.
    await sweep(deployment.resources.blobs, deployment.resources.sessions, -timedelta(hours=1))
    assert len(await deployment.objects(workspace.project)) == 1


async def test_a_server_that_is_killed_during_an_upload(
    deployment: Deployment, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = await uploaded(workspace)
    pieces, begun = upload.pieces, 0

    async def killing(file: UploadedFile) -> AsyncIterator[bytes]:
        nonlocal begun
        begun += 1
        sent = 0
        async for piece in pieces(file):
            yield piece
            sent += len(piece)
            if begun == 2 and sent > len(LARGE) // 2:
                deployment.server.kill()

    monkeypatch.setattr(upload, "pieces", killing)
    refused = await workspace.post("/upload", files={"file": ("large.pdf", LARGE)})
    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert begun == 2
    monkeypatch.undo()
    assert (await workspace.get()).status_code == 200
    assert (await workspace.get(f"/{kept}/content?original=true")).status_code == 503
    await deployment.server.start()
    assert (await workspace.get(f"/{kept}/content?original=true")).content == LETTER
    assert [each["id"] for each in (await workspace.get()).json()["items"]] == [kept]
    resources = deployment.resources
    await sweep(resources.blobs, resources.sessions, -timedelta(hours=1))
    assert len(await deployment.objects(workspace.project)) == 1
    await uploaded(workspace, "large.pdf", LARGE)


async def test_a_download_may_come_from_the_store_itself(
    settings: Settings, deployment: Deployment, workspace: Workspace, database: DatabaseUrls, kept: Superuser
) -> None:
    made = await uploaded(workspace, "Überblick.docx")
    links = deployment.server.settings(PREFIX, presigned_downloads=True)
    app = create_app(settings.model_copy(update={"blobs": links}))
    path = f"{workspace.url}/{made}/content?original=true"
    async with (
        LifespanManager(app, startup_timeout=60, shutdown_timeout=60),
        httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client,
    ):
        assert (await client.get(path)).status_code == 401
        async with Users(app, app.state.resources, database, kept) as others:
            outsider = await (await others.person()).client.get(path)
        assert (outsider.status_code, "location" in outsider.headers) == (404, False)
        client.headers["Authorization"] = f"Bearer {workspace.owner.token}"
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["cache-control"]) == (307, "no-store")
    async with httpx2.AsyncClient() as anybody:
        file = await anybody.get(answer.headers["location"])
    assert file.content == LETTER
    assert file.headers["content-disposition"].startswith('attachment; filename="_berblick.docx"')
    assert file.headers["content-type"].endswith("wordprocessingml.document")
    assert BlobSettings().presigned_downloads is False
