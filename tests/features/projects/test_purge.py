"""The purge of a deleted project: in batches, through kills, and never too early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from uuid import uuid4

import pytest

from partywall.core.cache_removal import remove_keys_of
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.resources import Resources
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.projects.purge import purge_project, sweep_projects
from partywall.testing.users import Users
from tests.features.projects.purge_helpers import DOCUMENT, purge, purged, rows
from tests.text_search import in_cache


async def test_a_purge_works_in_batches_and_only_on_deleted_projects(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    for start in range(3):
        batch = [{"title": f"{start}{n}", "content": "x" * 10_000} for n in range(20)]
        assert (
            await owner.client.post(f"/api/v1/projects/{project}/documents/batch", json={"documents": batch})
        ).is_success
    full = await rows(users, project)
    assert await purge(resources, project, 5) is None
    assert await rows(users, project) == full
    await owner.client.delete(f"/api/v1/projects/{project}")
    taken = await purge(resources, project, 100, 25_000)
    assert taken == 60  # the versions, which contain no text
    assert await purge(resources, project, 5, 25_000) == 3  # documents of 10 kB each, up to the byte limit
    taken += 3
    while some := await purge(resources, project, 5):
        assert some <= 50
        taken += some
    assert (taken, await rows(users, project)) == (full, 0)
    assert await purge(resources, uuid4(), 5) == 0


async def test_a_purge_that_was_killed_goes_on(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    await owner.client.post(f"/api/v1/projects/{project}/documents", json=DOCUMENT)
    await owner.client.delete(f"/api/v1/projects/{project}")
    context = JobContext(resources, uuid4(), job_id=1, attempt=1, last=False)
    context.stopping.set()
    with pytest.raises(AnotherAttemptError):
        await purge_project(context, ProjectDeleted(project_id=project))
    assert await rows(users, project) > 0
    await purged(resources, project)
    assert await users.fetch("SELECT FROM project WHERE id = $1", project) == []


async def test_a_purge_that_was_lost_is_enqueued_again_once(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    await owner.client.delete(f"/api/v1/projects/{project}")
    waiting = "SELECT id FROM job WHERE kind = 'project_deleted' AND project_id = $1"
    assert len(await users.fetch(waiting, project)) == 1
    await users.execute("DELETE FROM job WHERE kind = 'project_deleted'")
    for _ in range(2):
        await sweep_projects(resources)
        assert len(await users.fetch(waiting, project)) == 1


async def _never_ending(first: bytes, then: asyncio.Event) -> AsyncIterator[bytes]:
    yield first
    await then.wait()
    yield first


async def test_an_upload_under_way_leaves_no_file(users: Users, resources: Resources) -> None:
    owner = await users.person()
    project = await owner.project()
    scope = await ScopedReader(resources.reads, owner.principal).scope(project)
    go_on = asyncio.Event()
    putting = asyncio.create_task(resources.blobs.put(scope, partial(_never_ending, b"x" * 10, go_on), max_bytes=100))
    directory = resources.settings.blob_directory / str(project)
    async with asyncio.timeout(60):
        while not directory.is_dir() or not any(directory.iterdir()):
            await asyncio.sleep(0.01)
    await owner.client.delete(f"/api/v1/projects/{project}")
    await purged(resources, project)
    go_on.set()
    with pytest.raises(ProjectNotFoundError):
        await putting
    assert not directory.exists()


async def test_another_projects_keys_stay(users: Users, resources: Resources) -> None:
    owner = await users.person()
    one, two = await owner.project(), await owner.project()
    for project in (one, two):
        await owner.client.post(f"/api/v1/projects/{project}/events/ticket")
    await remove_keys_of(resources.cache, one)
    assert await in_cache(resources.cache, str(one)) == []
    assert len(await in_cache(resources.cache, str(two))) == 1
