"""Real servers on loopback that refuse or rest: no document is lost, and words never wait for vectors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from partywall.adapters.embeddings import requests
from partywall.adapters.embeddings.catalogue import open_catalogue
from partywall.adapters.embeddings.openai import OpenAiOptions
from partywall.core.embedding import EmbeddingUnavailable
from partywall.core.jobs.kinds import JobHandler
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.retrying import Retries
from partywall.core.resources import Resources
from partywall.features.search import indexing, large_documents, vector_filling
from partywall.features.search.embedding import LONGEST_ASKED, LONGEST_PAUSE, Pause
from partywall.features.search.leasing import MAX_ATTEMPTS
from partywall.features.search.reindexing import notice_change
from partywall.features.search.work import work
from tests.adapters.embeddings.endpoint import DIMENSION, Endpoint, serving
from tests.adapters.embeddings.test_refusals import Rule, at_most, no_longer_than, not_about
from tests.features.search.library import Shelf, eventually, working
from tests.features.search.test_indexing import status
from tests.features.search.test_large_documents import text_of
from tests.features.search.test_reindexing import titles

DOWN: Rule = not_about("", 503)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_MOMENT_SECONDS", 0.0)


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with serving(Endpoint()) as running:
        yield running


@pytest.fixture
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    async with open_endpoint_client(Retries(0), tls_context(None)) as opened:
        yield opened


async def using(shelf: Shelf, endpoint: Endpoint, client: httpx2.AsyncClient, model: str = "a-model") -> Resources:
    options = OpenAiOptions(endpoint.url, model, DIMENSION, batch_size=64)
    return replace(shelf.resources, embedders=await open_catalogue(options, models=Path("/nowhere"), client=client))


async def settle(shelf: Shelf, resources: Resources, handlers: Sequence[JobHandler] = work.jobs) -> None:
    """Works until no document of the project waits, for its vectors neither."""
    waiting = "SELECT count(*) = 0 FROM document WHERE project_id = $1 AND index_status = 'pending'"
    async with working(resources, shelf.database, handlers):
        await eventually(partial(is_true, shelf, waiting, shelf.project))


async def is_true(shelf: Shelf, sql: str, *values: object) -> bool:
    return await shelf.value(sql, *values) is True


async def vectors(shelf: Shelf, document: UUID) -> object:
    return await shelf.value(
        "SELECT count(*) FROM embedding_256 AS e JOIN chunk AS c ON c.number = e.chunk"
        " WHERE c.project_id = $1 AND c.document_id = $2 AND c.staged_for IS NULL", shelf.project, document,
    )  # fmt: skip


async def told(shelf: Shelf, document: UUID) -> list[str]:
    rows = await shelf.people.fetch(
        "SELECT type FROM event WHERE project_id = $1 AND subject_id = $2 ORDER BY id", shelf.project, str(document)
    )
    return [row["type"] for row in rows]


async def test_an_outage_is_waited_for_while_words_are_found(
    shelf: Shelf, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    """However often it is tried meanwhile: nothing is counted, and nothing becomes failed."""
    resources = await using(shelf, endpoint, client)
    endpoint.rule = DOWN
    first, second = await shelf.put("First", "Words about cats."), await shelf.put("Second", "On dogs.")
    async with working(resources, shelf.database):
        await eventually(lambda: asked(endpoint, MAX_ATTEMPTS + 1))
        assert await shelf.titles("cats", mode="text") == ["First"]
        waits, note = await status(shelf, first)
        assert waits == "pending"
        assert str(note).startswith("Found by its words alone until the embedding model answers: ")
        assert str(note).endswith("answered 503: no")
        assert await told(shelf, second) == []
        endpoint.rule = None
        for document in (first, second):
            await eventually(partial(has_status, shelf, document, "indexed"))
            assert await vectors(shelf, document) == 1
            assert await told(shelf, document) == ["document.indexed"]
    assert await status(shelf, first) == ("indexed", None)
    assert await shelf.value("SELECT count(*) FROM indexing_attempt WHERE project_id = $1", shelf.project) == 0


async def asked(endpoint: Endpoint, times: int) -> bool:
    return len(endpoint.requests) >= times


async def has_status(shelf: Shelf, document: UUID, wanted: str) -> bool:
    return (await status(shelf, document))[0] == wanted


async def test_a_text_that_changes_while_its_model_is_away_is_indexed_anew(
    shelf: Shelf, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    resources = await using(shelf, endpoint, client)
    endpoint.rule = DOWN
    document = await shelf.put("A title", "Words about cats.")
    await shelf.work(resources)
    path = f"/api/v1/projects/{shelf.project}/documents/{document}"
    assert (await shelf.person.client.patch(path, json={"content": "On dogs."})).status_code == 200
    await shelf.work(resources)
    assert (await shelf.titles("cats", mode="text"), await shelf.titles("dogs", mode="text")) == ([], ["A title"])
    endpoint.rule = None
    await settle(shelf, resources)
    assert await status(shelf, document) == ("indexed", None)
    assert await vectors(shelf, document) == await shelf.count("embedding_256") == 1


async def test_a_large_document_gets_its_vectors_step_by_step(
    shelf: Shelf, endpoint: Endpoint, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (indexing, large_documents, vector_filling):
        monkeypatch.setattr(module, "CHUNKS_AT_ONCE", 3)
    resources = await using(shelf, endpoint, client)
    endpoint.rule = DOWN
    document = await shelf.put("Large", text_of("newer", 8))
    await shelf.work(resources)
    assert (await status(shelf, document))[0] == "pending"
    assert await shelf.titles("newer", mode="text") == ["Large"]
    endpoint.rule = None
    async with working(resources, shelf.database):
        await eventually(lambda: has_status(shelf, document, "indexed"))
    assert await vectors(shelf, document) == 8


async def test_refusals_cost_no_document_but_the_one(
    shelf: Shelf, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    resources = await using(shelf, endpoint, client)
    few, short, poison = at_most(10), no_longer_than(1000, 400), not_about("poison", 422)
    endpoint.rule = lambda texts: few(texts) or short(texts) or poison(texts)
    good = [await shelf.put(f"Good {number}", f"common word{number}") for number in range(12)]
    bad, long = await shelf.put("Bad", "poison and common"), await shelf.put("Long", "common filler " * 100)
    await settle(shelf, resources)
    assert [await status(shelf, each) for each in good] == [("indexed", None)] * 12
    failed, reason = await status(shelf, bad)
    assert failed == "failed"
    assert reason == (
        "Found by its words alone: the embedding model refused 1 passage: the embeddings endpoint answered 422: no"
    )
    indexed, note = await status(shelf, long)
    assert indexed == "indexed"
    assert note == "Too long for the embedding model, which knows the beginning alone of 1 passage"
    path = f"/api/v1/projects/{shelf.project}/documents/{long}"
    assert (await shelf.person.client.get(path)).json()["index_error"] == note
    assert await told(shelf, bad) == ["document.failed"]
    assert len(await shelf.titles("common", mode="text", limit=100)) == 14
    endpoint.rule = None
    assert (await shelf.person.client.post(f"{path}/reindex")).json()["index_error"] is None


async def test_another_models_index_is_built_while_the_old_one_serves_from_the_same_endpoint(
    shelf: Shelf, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    await shelf.people.execute("DELETE FROM search_index WHERE project_id <> $1", shelf.project)
    old, new = await using(shelf, endpoint, client, "old"), await using(shelf, endpoint, client, "new")
    await shelf.put("First", "Words about cats.")
    await settle(shelf, old)
    await notice_change(new)
    await shelf.work(new, handlers=[each for each in work.jobs if each.kind.name == "build_index"])
    endpoint.requests.clear()
    assert await titles(shelf, new, "cats", "vector") == ("vector", ["First"])
    assert [each["model"] for each in endpoint.requests] == ["old"]
    later = await shelf.put("Second", "On dogs.")
    await settle(shelf, new, handlers=())
    assert await status(shelf, later) == ("indexed", None)
    assert await vectors(shelf, later) == 2, "one of each model"
    await shelf.work(new)
    endpoint.requests.clear()
    assert sorted((await titles(shelf, new, "cats", "vector"))[1]) == ["First", "Second"]
    assert [each["model"] for each in endpoint.requests] == ["new"]


async def test_an_index_that_is_built_waits_for_its_model(
    shelf: Shelf, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    await shelf.people.execute("DELETE FROM search_index WHERE project_id <> $1", shelf.project)
    new = await using(shelf, endpoint, client, "new")
    await shelf.index(await shelf.put("First", "Words about cats."))
    endpoint.rule = DOWN
    await notice_change(new)
    step = "SELECT count(*) FROM job WHERE kind = 'embed_chunks' AND state = 'delayed' AND attempts = 0"
    async with working(new, shelf.database):
        await eventually(lambda: is_one(shelf, step))


async def is_one(shelf: Shelf, sql: str) -> bool:
    return await shelf.value(sql) == 1


def test_a_model_that_is_away_is_left_alone_for_longer_and_longer() -> None:
    now = 1000.0
    pause = Pause(lambda: now)
    seen = []
    for _ in range(20):
        pause.begin(EmbeddingUnavailable("away"))
        pause.begin(EmbeddingUnavailable("those who had asked before count for nothing"))
        seen.append(pause.seconds / LONGEST_PAUSE)
        now += pause.seconds
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1)
    pause.begin(EmbeddingUnavailable("rest", retry_after=600))
    assert pause.seconds == pytest.approx(600)
    now += 600
    pause.begin(EmbeddingUnavailable("rest", retry_after=10**9))
    assert pause.seconds == pytest.approx(LONGEST_ASKED)
    pause.end()
    assert pause.seconds == 0
