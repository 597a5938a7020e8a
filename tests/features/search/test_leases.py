"""Which documents a worker takes, for how long, and what another may do meanwhile."""

from __future__ import annotations

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection

from partywall.core.db.read_pool import ReadPool
from partywall.features.documents.indexing import Due, Kind, Taken, due, take
from partywall.features.search.embedding import Embedding
from partywall.features.search.indexing import DocumentIndexer
from partywall.features.search.leasing import LASTING, MAX_ATTEMPTS, Lease
from partywall.features.search.turns import Turns
from tests.features.search.library import Shelf
from tests.features.search.test_indexing import status
from tests.isolation.work import index_once

NOBODY = UUID(int=0)


async def taken(shelf: Shelf, lease: UUID | None = None, *, most: int = 100, most_bytes: int = 10_000) -> list[Taken]:
    waiting = Due(shelf.project, Kind.SMALL, shelf.person.id)
    reads = shelf.resources.reads
    return await take(reads, waiting, lease or uuid4(), LASTING, most=most, most_bytes=most_bytes)


async def killed(shelf: Shelf) -> None:
    """The workers that have something in hand are lost with it."""
    await shelf.people.execute(
        "UPDATE indexing_attempt SET due_at = now() WHERE project_id = $1 AND lease IS NOT NULL", shelf.project
    )


async def waiting(shelf: Shelf) -> list[str]:
    found = await due(shelf.resources.reads, vectors=True, beyond=NOBODY, most=1000)
    return [each.kind for each in found if each.project == shelf.project]


async def test_a_batch_is_bounded_in_number_and_bytes(shelf: Shelf) -> None:
    documents = [await shelf.put(f"T{number}", "x" * 10) for number in range(5)]
    assert [each.id for each in await taken(shelf, most=2)] == documents[:2]
    assert [each.id for each in await taken(shelf, most_bytes=15)] == documents[2:4], "until that much is reached"
    assert [each.id for each in await taken(shelf)] == documents[4:]
    assert await taken(shelf) == []
    assert await waiting(shelf) == []


async def test_two_workers_never_take_the_same_document(shelf: Shelf) -> None:
    documents = {await shelf.put(f"T{number}", "words") for number in range(40)}
    found = await asyncio.gather(*(taken(shelf, most=10) for _ in range(4)))
    ids = [each.id for batch in found for each in batch]
    assert len(ids) == len(set(ids))
    rest = {each.id for each in await taken(shelf)}
    assert {*ids, *rest} == documents, "what one passed over another finds"


async def test_the_documents_of_a_killed_worker_come_back_one_at_a_time(shelf: Shelf) -> None:
    """One of them may have killed it, and is to be the only one that dies with the next."""
    documents = [await shelf.put(f"T{number}", "words") for number in range(3)]
    await taken(shelf)
    assert await waiting(shelf) == []
    await killed(shelf)
    assert await waiting(shelf) == ["small"]
    later = await shelf.put("Later", "words")
    assert [[each.id for each in await taken(shelf)] for _ in range(4)] == [[each] for each in documents] + [[later]]


async def test_what_kills_its_workers_is_given_up_and_can_be_asked_for_again(shelf: Shelf) -> None:
    document = await shelf.put("A title", "Some words about cats.")
    for attempt in range(1, MAX_ATTEMPTS + 1):
        assert [each.attempts for each in await taken(shelf)] == [attempt]
        await killed(shelf)
    await shelf.work()
    assert await status(shelf, document) == ("failed", "Indexing never ended")
    path = f"/api/v1/projects/{shelf.project}/documents/{document}/reindex"
    assert (await shelf.person.client.post(path)).status_code == 202
    await shelf.work()
    assert await status(shelf, document) == ("indexed", None)


async def test_a_worker_whose_lease_is_lost_writes_nothing(shelf: Shelf) -> None:
    await shelf.put("A title", "Some words about cats.")
    stale, other = uuid4(), uuid4()
    held = await taken(shelf, stale)
    await killed(shelf)
    assert len(await taken(shelf, other)) == 1
    late = Lease(shelf.resources, Embedding(shelf.resources.embedders), shelf.project, stale)
    await DocumentIndexer(late, Kind.SMALL).index(held)
    assert await shelf.count("chunk") == 0
    lease = "SELECT lease FROM indexing_attempt WHERE project_id = $1"
    assert await shelf.value(lease, shelf.project) == other
    told = "SELECT count(*) FROM event WHERE project_id = $1 AND type = 'document.indexed'"
    assert await shelf.value(told, shelf.project) == 0


async def test_a_document_that_was_edited_waits_for_no_pause(shelf: Shelf) -> None:
    document = await shelf.put("A title", "Some words about cats.")
    lease = Lease(shelf.resources, Embedding(shelf.resources.embedders), shelf.project, uuid4())
    await taken(shelf, lease.id)
    await lease.release([document], LASTING)
    assert await taken(shelf) == []
    path = f"/api/v1/projects/{shelf.project}/documents/{document}"
    assert (await shelf.person.client.patch(path, json={"content": "On dogs."})).status_code == 200
    assert [each.attempts for each in await taken(shelf, lease.id)] == [1]
    await lease.release([document], LASTING)
    assert (await shelf.person.client.post(f"{path}/reindex")).status_code == 202
    assert len(await taken(shelf)) == 1, "nor does one that somebody asks for"


async def test_a_lease_lasts_as_long_as_the_work(shelf: Shelf) -> None:
    document = await shelf.put("A title", "words")
    lease = Lease(shelf.resources, Embedding(shelf.resources.embedders), shelf.project, uuid4())
    await taken(shelf, lease.id)
    await killed(shelf)
    await lease.keep_all([document])
    assert await taken(shelf) == []
    await lease.release([document], LASTING * 0, counted=False)
    assert [each.attempts for each in await taken(shelf)] == [1], "what was given back has cost no attempt"


async def test_documents_of_a_deleted_project_wait_no_more(shelf: Shelf) -> None:
    await shelf.put("A title", "words")
    assert (await shelf.person.client.delete(f"/api/v1/projects/{shelf.project}")).status_code == 204
    assert await waiting(shelf) == []
    assert await taken(shelf) == []


async def test_a_lone_document_costs_few_statements(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    await shelf.index(await shelf.put("First", "words"))
    await shelf.put("Lone", "words about cats")
    statements = ["survey"]
    fetch, fetchrow = ReadPool.fetch, ReadPool.fetchrow

    def note(_: Connection, __: object, statement: str, *___: object) -> None:
        statements.append(statement)

    async def noted_fetch(pool: ReadPool, query: str, *args: object) -> object:
        statements.append(query)
        return await fetch(pool, query, *args)

    async def noted_row(pool: ReadPool, query: str, *args: object, timeout: float | None = None) -> object:  # noqa: ASYNC109 - asyncpg's signature
        statements.append(query)
        return await fetchrow(pool, query, *args, timeout=timeout)

    monkeypatch.setattr(ReadPool, "fetch", noted_fetch)
    monkeypatch.setattr(ReadPool, "fetchrow", noted_row)
    engine = shelf.resources.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        await index_once(shelf.resources, shelf.project, Kind.SMALL)
    finally:
        event.remove(engine, "before_cursor_execute", note)
        monkeypatch.undo()
    assert await shelf.titles("cats", mode="text") == ["Lone"]
    own = [each for each in statements if "pending_events" not in each and "number_events" not in each]
    assert len(own) + 2 <= 9, own  # with the beginning and the end of the one transaction


def test_accounts_take_turns_and_so_do_their_projects() -> None:
    busy, quiet = UUID(int=1), UUID(int=2)
    projects = [Due(UUID(int=number), Kind.SMALL, busy) for number in (10, 11)]
    lone = Due(UUID(int=20), Kind.SMALL, quiet)
    turns, served = Turns(), list[Due]()
    for found in (projects, [*projects, lone], projects, [*projects, lone]):
        for each in turns.round(found):
            turns.served(each)
            served.append(each)
    assert served == [projects[0], lone, projects[1], projects[0], lone, projects[1]]
