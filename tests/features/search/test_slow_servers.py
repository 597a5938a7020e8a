"""Loopback servers that are slow or fail at one text: text search and other accounts do not wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial

import httpx2
import pytest

from partywall.adapters.embeddings import requests
from partywall.features.documents import index_queue as documents
from partywall.features.documents.index_queue import ClaimedDocument, DueProject
from partywall.features.search import index_rebuild, missing_vectors, vector_filler
from partywall.features.search.index_rebuild import notice_change
from partywall.features.search.indexer import VECTORS_OF_ACCOUNT, Indexer, index_documents
from partywall.features.search.indexing_lease import MAX_ATTEMPTS, IndexingLease
from partywall.testing.conditions import until
from partywall.testing.workers import working
from tests.adapters.embeddings.endpoint import Endpoint, serving
from tests.adapters.embeddings.test_errors import not_about
from tests.adapters.embeddings.test_poison import FAULTS
from tests.features.search.search_workspace import SearchWorkspace
from tests.features.search.test_document_indexer import status
from tests.features.search.test_embedding_servers import has_status, is_true, settle, told, using, vectors


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_RETRY_SECONDS", 0.0)
    for module, name in (
        (missing_vectors, "FIRST_PAUSE"),
        (missing_vectors, "_SHORTLY"),
        (index_rebuild, "_FIRST_PAUSE"),
    ):
        monkeypatch.setattr(module, name, timedelta(milliseconds=1))


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with serving(Endpoint()) as running:
        yield running
        if running.hold is not None:
            running.hold.set()


async def is_found(workspace: SearchWorkspace, q: str, titles: list[str]) -> bool:
    return await workspace.titles(q, mode="text") == titles


async def test_words_are_found_while_the_server_has_not_answered(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    """However many documents came before. Vectors follow later, with one event."""
    resources = await using(workspace, endpoint, client)
    endpoint.hold = asyncio.Event()
    async with working(resources):
        for word in ("cats", "lions", "pumas"):
            await workspace.put(word, f"Words about {word}.")
            await until(partial(is_found, workspace, word, [word]))
        document = await workspace.put("Last", "Words about dogs.")
        await until(partial(is_found, workspace, "dogs", ["Last"]))
        assert (await status(workspace, document))[0] == "pending"
        assert await told(workspace, document) == []
        endpoint.hold.set()
        await until(partial(has_status, workspace, document, "indexed"))
    assert await vectors(workspace, document) == 1
    assert await told(workspace, document) == ["document.indexed"]


async def test_an_account_does_not_wait_for_requests_of_others(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    """More projects of one account wait for the server than may send requests at once."""
    resources = await using(workspace, endpoint, client)
    endpoint.hold, endpoint.slow = asyncio.Event(), "slow"
    hanging = [
        SearchWorkspace(workspace.users, workspace.person, workspace.project, workspace.resources, workspace.database)
    ]
    for _ in range(VECTORS_OF_ACCOUNT):
        project = await workspace.person.project()
        hanging.append(
            SearchWorkspace(workspace.users, workspace.person, project, workspace.resources, workspace.database)
        )
    slow = [(each, await each.put("Slow", "slow text")) for each in hanging]
    person = await workspace.users.person()
    other = SearchWorkspace(workspace.users, person, await person.project(), workspace.resources, workspace.database)
    async with working(resources):

        async def both_hang() -> bool:
            return sum("slow" in str(body["input"]) for body in endpoint.requests) == VECTORS_OF_ACCOUNT

        await until(both_hang)
        quick = await other.put("Quick", "quick text")
        await until(partial(has_status, other, quick, "indexed"))
        assert [(await status(each, document))[0] for each, document in slow] == ["pending"] * len(slow)
        endpoint.hold.set()
        for each, document in slow:
            await until(partial(has_status, each, document, "indexed"))


async def test_one_bad_document_is_tried_and_failed_and_no_other(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    resources = await using(workspace, endpoint, client)
    endpoint.rule = not_about("poison", 503)
    good = [await workspace.put(f"Good {number}", f"common word{number}") for number in range(12)]
    bad = await workspace.put("Bad", "poison and common")
    await settle(workspace, resources)
    assert [await status(workspace, each) for each in good] == [("indexed", None)] * 12
    assert [await vectors(workspace, each) for each in (*good, bad)] == [1] * 13, "zeros stand for the bad one"
    assert await status(workspace, bad) == (
        "failed",
        "Text search only: the embedding model fails at 1 passage: the embeddings endpoint answered 503: no",
    )
    alone = [body for body in endpoint.requests if body["input"] == ["Bad\npoison and common"]]
    assert MAX_ATTEMPTS <= len(alone) <= 2 * MAX_ATTEMPTS
    assert await told(workspace, bad) == ["document.failed"]
    assert len(await workspace.titles("common", mode="text", limit=100)) == 13
    endpoint.rule = None
    await workspace.ask(bad)
    await settle(workspace, resources)
    assert await status(workspace, bad) == ("indexed", None)


async def test_a_document_that_is_put_aside_says_so(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(missing_vectors, "FIRST_PAUSE", timedelta(hours=1))
    resources = await using(workspace, endpoint, client)
    endpoint.rule = FAULTS["NaN"]
    good, bad = await workspace.put("Good", "common"), await workspace.put("Bad", "poison and common")
    said = "Text search only: the embedding model fails at 1 passage: the embeddings endpoint answered a vector"
    async with working(resources):
        await until(partial(has_status, workspace, good, "indexed"))
        waits = "SELECT starts_with(index_error, $2) AND index_status = 'pending' FROM document WHERE id = $1"
        await until(partial(is_true, workspace, waits, bad, said))
        aside = "SELECT attempts = 1 AND lease IS NULL AND due_at > now() FROM indexing_attempt WHERE document_id = $1"
        await until(partial(is_true, workspace, aside, bad))


async def test_a_turn_that_is_over_leaves_the_rest_to_the_next(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time slice suffices for one step."""
    monkeypatch.setattr(vector_filler, "CHUNKS_AT_ONCE", 2)
    turns = iter(range(1000))
    monkeypatch.setattr(vector_filler.TimeSlice, "is_over", property(lambda _: next(turns) % 3 == 2))
    resources = await using(workspace, endpoint, client)
    documents = [await workspace.put(f"T{number}", "words") for number in range(7)]
    await settle(workspace, resources)
    assert [await vectors(workspace, each) for each in documents] == [1] * 7
    assert await workspace.value("SELECT count(*) FROM indexing_attempt WHERE project_id = $1", workspace.project) == 0


async def test_a_bad_text_does_not_keep_another_models_index_from_serving(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    await workspace.users.execute("DELETE FROM search_index WHERE project_id <> $1", workspace.project)
    old, new = await using(workspace, endpoint, client, "old"), await using(workspace, endpoint, client, "new")
    for title in ("Good", "poison"):
        await workspace.put(title, "words")
    await settle(workspace, old)
    endpoint.rule = not_about("poison", 503)
    await notice_change(new)
    serves = "SELECT count(*) = 1 FROM search_index WHERE project_id = $1 AND model = $2 AND status = 'active'"
    async with working(new):
        await until(partial(is_true, workspace, serves, workspace.project, new.embedders.current.name))


async def test_documents_leased_during_a_shutdown_are_released(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    document, stop = await workspace.put("A title", "words"), asyncio.Event()
    leased, answered = asyncio.Event(), asyncio.Event()
    tasks = list[asyncio.Task[object]]()
    take, begin = documents.take, Indexer._take

    async def late(*args: object, **limits: int) -> list[ClaimedDocument]:
        found = await take(*args, **limits)  # type: ignore[arg-type]  # as they were given
        leased.set()
        await answered.wait()
        return found

    async def noted(indexer: Indexer, due: DueProject, lease: IndexingLease) -> list[ClaimedDocument]:
        tasks.append(running := asyncio.current_task())  # type: ignore[arg-type]  # there is one
        assert running
        return await begin(indexer, due, lease)

    async def is_cancelled() -> bool:
        return tasks[0].cancelling() > 0

    monkeypatch.setattr(documents, "take", late)
    monkeypatch.setattr(Indexer, "_take", noted)
    async with asyncio.TaskGroup() as group:
        group.create_task(index_documents(workspace.resources, stop))
        await leased.wait()
        stop.set()
        await until(is_cancelled)
        answered.set()
    left = "SELECT attempts = 0 AND lease IS NULL FROM indexing_attempt WHERE document_id = $1"
    assert await workspace.value(left, document) is True
