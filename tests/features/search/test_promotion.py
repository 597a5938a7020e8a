"""A project that grows large: its vectors enter the HNSW index while others write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import pytest

from partywall.core.db.scopes import open_shared_scope
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.features.search import index_writer, promotion
from partywall.features.search.computed_vectors import ComputedVectors
from partywall.features.search.feature import feature
from partywall.features.search.index_repository import IndexReader, IndexWriter
from partywall.features.search.jobs import PROMOTE_VECTORS, PromoteVectors
from partywall.features.search.promotion import promote_vectors
from partywall.testing.engines import DatabaseUrls
from tests.features.search.search_workspace import SearchWorkspace

OTHERS = [each for each in feature.jobs if each.kind.name != PROMOTE_VECTORS.name]
CLAIM = "UPDATE job SET lease = $1 WHERE kind = 'promote_vectors' RETURNING id"


@pytest.fixture
async def large(workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch) -> SearchWorkspace:
    """Three of six vectors are still to enter the HNSW index, two per transaction; the later three are in it."""
    monkeypatch.setattr(index_writer, "EXACT_CHUNKS", 3)
    monkeypatch.setattr(promotion, "PROMOTED_AT_ONCE", 2 * 256)
    monkeypatch.setattr("partywall.features.search.vector_plan.uses_index", lambda *_: True)
    for numbers in ((0, 1, 2), (3, 4, 5)):
        await workspace.ask(*[await workspace.put(f"Number {number}", f"cats and word{number}") for number in numbers])
        await workspace.work(handlers=OTHERS)
    return workspace


async def exact(workspace: SearchWorkspace) -> object:
    """The number of vectors outside the HNSW index."""
    return await workspace.value(
        "SELECT count(*) FROM embedding WHERE project_id = $1 AND NOT approximate", workspace.project
    )


async def finished(workspace: SearchWorkspace) -> object:
    return await workspace.value("SELECT approximate FROM search_index WHERE project_id = $1", workspace.project)


async def promote(workspace: SearchWorkspace, *, stopping: bool = False) -> None:
    """Runs one attempt of the only job."""
    worker = uuid4()
    [[job]] = await workspace.users.fetch(CLAIM, worker)
    index = await workspace.value("SELECT id FROM search_index WHERE project_id = $1", workspace.project)
    assert isinstance(index, UUID)
    context = JobContext(workspace.resources, worker, job, 1, last=False)
    if stopping:
        context.stopping.set()
    payload = PromoteVectors(project_id=workspace.project, principal=f"service:{workspace.project}", index=index)
    await promote_vectors(context, payload)


async def test_a_large_project_enters_the_index_by_one_job(large: SearchWorkspace) -> None:
    assert (await exact(large), await finished(large)) == (3, False)
    assert len(await large.titles("cats", mode="vector")) == 6
    await promote(large)
    assert (await exact(large), await finished(large)) == (0, True)
    assert len(await large.titles("cats", mode="vector")) == 6
    assert (await large.titles("cats word5"))[0] == "Number 5"


async def test_a_worker_that_stops_leaves_the_rest_to_another(large: SearchWorkspace) -> None:
    with pytest.raises(AnotherAttemptError):
        await promote(large, stopping=True)
    await large.work()
    assert (await exact(large), await finished(large)) == (0, True)


@asynccontextmanager
async def removing(workspace: SearchWorkspace) -> AsyncIterator[None]:
    """An open transaction deletes the project's first passage and is then rolled back."""
    connection = await asyncpg.connect(DatabaseUrls.dsn(workspace.database.superuser))
    try:
        removal = connection.transaction()
        await removal.start()
        await connection.execute(
            "DELETE FROM chunk WHERE number = (SELECT min(number) FROM chunk WHERE project_id = $1)", workspace.project
        )
        async with asyncio.timeout(60):
            yield
        await removal.rollback()
    finally:
        await connection.close()


async def test_it_waits_for_nobody_who_removes_passages(large: SearchWorkspace) -> None:
    """Deleting a passage waits for its vector, so waiting for the deletion would be a deadlock."""
    async with removing(large):
        with pytest.raises(AnotherAttemptError):
            await promote(large)
        assert (await exact(large), await finished(large)) == (1, False)
    await promote(large)
    assert (await exact(large), await finished(large)) == (0, True)


async def test_vectors_for_passages_that_are_being_removed_wait_for_nobody(large: SearchWorkspace) -> None:
    async with removing(large), large.resources.sessions.begin() as session:
        scope = await open_shared_scope(session, large.person.principal, large.project)
        writer = IndexWriter(session, scope)
        other = await writer.open("another@1", 256, "building")
        index = next(each for each in await IndexReader(session, scope).indexes() if each.id == other)
        numbers = await large.users.fetch("SELECT number FROM chunk WHERE project_id = $1", large.project)
        vector = f"[{','.join(['1'] * 256)}]"
        await writer.add_vectors(index, ComputedVectors([row[0] for row in numbers], [vector] * 6), approximate=False)
        assert len(await IndexReader(session, scope).without_vector(index, 0, 10)) == 1


async def test_a_project_that_shrinks_stays_in_the_index(
    large: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await large.work()
    monkeypatch.setattr(index_writer, "EXACT_CHUNKS", 100)
    await large.index(await large.put("Number 7", "cats and word7"))
    assert await exact(large) == 0
    assert len(await large.titles("cats", mode="vector")) == 7
