"""Leases: which documents a worker takes, for how long, and what another may do meanwhile."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection

from partywall.core.db.read_pool import ReadPool
from partywall.features.documents.index_queue import ClaimedDocument, DueProject, WorkKind, due, take
from partywall.features.search.document_indexer import DocumentIndexer
from partywall.features.search.indexing_lease import LASTING, MAX_ATTEMPTS, IndexingLease
from partywall.features.search.passage_vectors import PassageVectors
from partywall.features.search.project_rotation import ProjectRotation
from tests.features.search.search_workspace import SearchWorkspace
from tests.features.search.test_document_indexer import status
from tests.isolation.job_runner import index_once

NOBODY = UUID(int=0)


async def taken(
    workspace: SearchWorkspace, lease: UUID | None = None, *, most: int = 100, most_bytes: int = 10_000
) -> list[ClaimedDocument]:
    waiting = DueProject(workspace.project, WorkKind.SMALL, workspace.person.id)
    reads = workspace.resources.reads
    return await take(reads, waiting, lease or uuid4(), LASTING, most=most, most_bytes=most_bytes)


async def killed(workspace: SearchWorkspace) -> None:
    """Expires all leases, as if the workers had been killed."""
    await workspace.users.execute(
        "UPDATE indexing_attempt SET due_at = now() WHERE project_id = $1 AND lease IS NOT NULL", workspace.project
    )


async def waiting(workspace: SearchWorkspace) -> list[str]:
    found = await due(workspace.resources.reads, vectors=True, beyond=NOBODY, most=1000)
    return [each.kind for each in found if each.project == workspace.project]


async def test_a_batch_is_bounded_in_number_and_bytes(workspace: SearchWorkspace) -> None:
    documents = [await workspace.put(f"T{number}", "x" * 10) for number in range(5)]
    assert [each.id for each in await taken(workspace, most=2)] == documents[:2]
    assert [each.id for each in await taken(workspace, most_bytes=15)] == documents[2:4], (
        "documents are taken until the size is reached"
    )
    assert [each.id for each in await taken(workspace)] == documents[4:]
    assert await taken(workspace) == []
    assert await waiting(workspace) == []


async def test_two_workers_never_take_the_same_document(workspace: SearchWorkspace) -> None:
    documents = {await workspace.put(f"T{number}", "words") for number in range(40)}
    found = await asyncio.gather(*(taken(workspace, most=10) for _ in range(4)))
    ids = [each.id for batch in found for each in batch]
    assert len(ids) == len(set(ids))
    rest = {each.id for each in await taken(workspace)}
    assert {*ids, *rest} == documents, "another worker must find the rest"


async def test_the_documents_of_a_killed_worker_come_back_one_at_a_time(workspace: SearchWorkspace) -> None:
    """One of them may have killed the worker and should not take the others down again."""
    documents = [await workspace.put(f"T{number}", "words") for number in range(3)]
    await taken(workspace)
    assert await waiting(workspace) == []
    await killed(workspace)
    assert await waiting(workspace) == ["small"]
    later = await workspace.put("Later", "words")
    assert [[each.id for each in await taken(workspace)] for _ in range(4)] == [[each] for each in documents] + [
        [later]
    ]


async def test_a_document_that_kills_its_workers_fails_and_can_be_retried(workspace: SearchWorkspace) -> None:
    document = await workspace.put("A title", "Some words about cats.")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert [each.attempts for each in await taken(workspace)] == [attempt]
        await killed(workspace)
    await workspace.work()
    assert await status(workspace, document) == ("failed", "Indexing never finished")
    path = f"/api/v1/projects/{workspace.project}/documents/{document}/reindex"
    assert (await workspace.person.client.post(path)).status_code == 202
    await workspace.work()
    assert await status(workspace, document) == ("indexed", None)


async def test_a_worker_whose_lease_is_lost_writes_nothing(workspace: SearchWorkspace) -> None:
    await workspace.put("A title", "Some words about cats.")
    stale, other = uuid4(), uuid4()
    held = await taken(workspace, stale)
    await killed(workspace)
    assert len(await taken(workspace, other)) == 1
    late = IndexingLease(workspace.resources, PassageVectors(workspace.resources.embedders), workspace.project, stale)
    await DocumentIndexer(late, WorkKind.SMALL).index(held)
    assert await workspace.count("chunk") == 0
    lease = "SELECT lease FROM indexing_attempt WHERE project_id = $1"
    assert await workspace.value(lease, workspace.project) == other
    told = "SELECT count(*) FROM event WHERE project_id = $1 AND type = 'document.indexed'"
    assert await workspace.value(told, workspace.project) == 0


async def test_a_document_that_was_edited_waits_for_no_pause(workspace: SearchWorkspace) -> None:
    document = await workspace.put("A title", "Some words about cats.")
    lease = IndexingLease(
        workspace.resources, PassageVectors(workspace.resources.embedders), workspace.project, uuid4()
    )
    await taken(workspace, lease.id)
    await lease.release([document], LASTING)
    assert await taken(workspace) == []
    path = f"/api/v1/projects/{workspace.project}/documents/{document}"
    assert (await workspace.person.client.patch(path, json={"content": "On dogs."})).status_code == 200
    assert [each.attempts for each in await taken(workspace, lease.id)] == [1]
    await lease.release([document], LASTING)
    assert (await workspace.person.client.post(f"{path}/reindex")).status_code == 202
    assert len(await taken(workspace)) == 1, "a requested reindex must not wait either"


async def test_a_lease_lasts_as_long_as_the_work(workspace: SearchWorkspace) -> None:
    document = await workspace.put("A title", "words")
    lease = IndexingLease(
        workspace.resources, PassageVectors(workspace.resources.embedders), workspace.project, uuid4()
    )
    await taken(workspace, lease.id)
    await killed(workspace)
    await lease.keep_all([document])
    assert await taken(workspace) == []
    await lease.release([document], LASTING * 0, counted=False)
    assert [each.attempts for each in await taken(workspace)] == [1], "an uncounted release must not cost an attempt"


async def test_documents_of_a_deleted_project_wait_no_more(workspace: SearchWorkspace) -> None:
    await workspace.put("A title", "words")
    assert (await workspace.person.client.delete(f"/api/v1/projects/{workspace.project}")).status_code == 204
    assert await waiting(workspace) == []
    assert await taken(workspace) == []


async def test_a_lone_document_costs_few_statements(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    await workspace.index(await workspace.put("First", "words"))
    await workspace.put("Lone", "words about cats")
    statements = ["survey"]
    fetch, fetchrow, own = ReadPool.fetch, ReadPool.fetchrow, asyncio.current_task()

    def note(statement: str) -> None:
        """The application's other tasks query at times of their own."""
        if asyncio.current_task() is own:
            statements.append(statement)

    def noted(_: Connection, __: object, statement: str, *___: object) -> None:
        note(statement)

    async def noted_fetch(pool: ReadPool, query: str, *args: object) -> object:
        note(query)
        return await fetch(pool, query, *args)

    async def noted_row(pool: ReadPool, query: str, *args: object, timeout: float | None = None) -> object:  # noqa: ASYNC109 - asyncpg's signature
        note(query)
        return await fetchrow(pool, query, *args, timeout=timeout)

    monkeypatch.setattr(ReadPool, "fetch", noted_fetch)
    monkeypatch.setattr(ReadPool, "fetchrow", noted_row)
    engine = workspace.resources.engine.sync_engine
    event.listen(engine, "before_cursor_execute", noted)
    try:
        await index_once(workspace.resources, workspace.project, WorkKind.SMALL)
    finally:
        event.remove(engine, "before_cursor_execute", noted)
        monkeypatch.undo()
    assert await workspace.titles("cats", mode="text") == ["Lone"]
    assert sum("INSERT INTO chunk" in each for each in statements) == 1, statements
    assert len(statements) + 2 <= 9, statements  # plus BEGIN and COMMIT of the one transaction


def test_accounts_take_turns_and_so_do_their_projects() -> None:
    busy, quiet = UUID(int=1), UUID(int=2)
    projects = [DueProject(UUID(int=number), WorkKind.SMALL, busy) for number in (10, 11)]
    lone = DueProject(UUID(int=20), WorkKind.SMALL, quiet)
    turns, served = ProjectRotation(), list[DueProject]()
    for found in (projects, [*projects, lone], projects, [*projects, lone]):
        for each in turns.round(found):
            turns.served(each)
            served.append(each)
    assert served == [projects[0], lone, projects[1], projects[0], lone, projects[1]]
