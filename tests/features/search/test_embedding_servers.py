"""Loopback servers that refuse or are down: no document is lost, and text search never waits for vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx2
import pytest

from partywall.adapters.embeddings import requests
from partywall.adapters.embeddings.catalogue import open_catalogue
from partywall.adapters.embeddings.openai import OpenAiOptions
from partywall.core.embedders import EmbeddingUnavailable
from partywall.core.jobs.kinds import JobHandler
from partywall.core.resources import Resources
from partywall.features.search import document_indexer, large_documents, vector_filler
from partywall.features.search.feature import feature
from partywall.features.search.index_rebuild import notice_change
from partywall.features.search.indexing_lease import MAX_ATTEMPTS
from partywall.features.search.passage_vectors import LONGEST_ASKED, LONGEST_PAUSE, ModelBackoff
from partywall.testing.conditions import until
from partywall.testing.workers import working
from tests.adapters.embeddings.endpoint import DIMENSION, Endpoint
from tests.adapters.embeddings.test_errors import Rule, at_most, no_longer_than, not_about
from tests.features.search.search_workspace import SearchWorkspace, titles
from tests.features.search.test_document_indexer import status
from tests.features.search.test_large_documents import text_of

DOWN: Rule = not_about("", 503)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "_RETRY_SECONDS", 0.0)


async def using(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient, model: str = "a-model"
) -> Resources:
    options = OpenAiOptions(endpoint.url, model, DIMENSION, batch_size=64)
    return replace(workspace.resources, embedders=await open_catalogue(options, models=Path("/nowhere"), client=client))


async def settle(
    workspace: SearchWorkspace, resources: Resources, handlers: Sequence[JobHandler] = feature.jobs
) -> None:
    """Runs a worker until no document of the project waits, not even for vectors."""
    waiting = "SELECT count(*) = 0 FROM document WHERE project_id = $1 AND index_status = 'pending'"
    async with working(resources, handlers):
        await until(partial(is_true, workspace, waiting, workspace.project))


async def is_true(workspace: SearchWorkspace, sql: str, *values: object) -> bool:
    return await workspace.value(sql, *values) is True


async def vectors(workspace: SearchWorkspace, document: UUID) -> object:
    return await workspace.value(
        "SELECT count(*) FROM embedding AS e JOIN chunk AS c ON c.number = e.chunk"
        " WHERE c.project_id = $1 AND c.document_id = $2 AND c.staged_for IS NULL", workspace.project, document,
    )  # fmt: skip


async def told(workspace: SearchWorkspace, document: UUID) -> list[str]:
    rows = await workspace.users.fetch(
        "SELECT type FROM event WHERE project_id = $1 AND subject_id = $2 ORDER BY id", workspace.project, str(document)
    )
    return [row["type"] for row in rows]


async def test_text_search_works_while_indexing_waits_for_an_outage(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    """Retries during an outage do not count, and no document fails."""
    resources = await using(workspace, endpoint, client)
    endpoint.rule = DOWN
    first, second = await workspace.put("First", "Words about cats."), await workspace.put("Second", "On dogs.")
    async with working(resources):
        await until(lambda: asked(endpoint, MAX_ATTEMPTS + 1))
        assert await workspace.titles("cats", mode="text") == ["First"]
        waits, note = await status(workspace, first)
        assert waits == "pending"
        assert str(note).startswith("Text search only until the embedding model answers: ")
        assert str(note).endswith("answered 503: no")
        assert await told(workspace, second) == []
        endpoint.rule = None
        for document in (first, second):
            await until(partial(has_status, workspace, document, "indexed"))
            assert await vectors(workspace, document) == 1
            assert await told(workspace, document) == ["document.indexed"]
    assert await status(workspace, first) == ("indexed", None)
    assert await workspace.value("SELECT count(*) FROM indexing_attempt WHERE project_id = $1", workspace.project) == 0


async def asked(endpoint: Endpoint, times: int) -> bool:
    return len(endpoint.requests) >= times


async def has_status(workspace: SearchWorkspace, document: UUID, wanted: str) -> bool:
    return (await status(workspace, document))[0] == wanted


async def test_a_text_that_changes_while_its_model_is_away_is_indexed_anew(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    resources = await using(workspace, endpoint, client)
    endpoint.rule = DOWN
    document = await workspace.put("A title", "Words about cats.")
    await workspace.work(resources)
    path = f"/api/v1/projects/{workspace.project}/documents/{document}"
    assert (await workspace.person.client.patch(path, json={"content": "On dogs."})).status_code == 200
    await workspace.work(resources)
    assert (await workspace.titles("cats", mode="text"), await workspace.titles("dogs", mode="text")) == (
        [],
        ["A title"],
    )
    endpoint.rule = None
    await settle(workspace, resources)
    assert await status(workspace, document) == ("indexed", None)
    assert await vectors(workspace, document) == await workspace.count("embedding") == 1


async def test_a_large_document_gets_its_vectors_step_by_step(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (document_indexer, large_documents, vector_filler):
        monkeypatch.setattr(module, "CHUNKS_AT_ONCE", 3)
    resources = await using(workspace, endpoint, client)
    endpoint.rule = DOWN
    document = await workspace.put("Large", text_of("newer", 8))
    await workspace.work(resources)
    assert (await status(workspace, document))[0] == "pending"
    assert await workspace.titles("newer", mode="text") == ["Large"]
    endpoint.rule = None
    async with working(resources):
        await until(lambda: has_status(workspace, document, "indexed"))
    assert await vectors(workspace, document) == 8


async def test_errors_cost_no_document_but_the_one(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    resources = await using(workspace, endpoint, client)
    few, short, poison = at_most(10), no_longer_than(1000, 400), not_about("poison", 422)
    endpoint.rule = lambda texts: few(texts) or short(texts) or poison(texts)
    good = [await workspace.put(f"Good {number}", f"common word{number}") for number in range(12)]
    bad, long = await workspace.put("Bad", "poison and common"), await workspace.put("Long", "common filler " * 100)
    await settle(workspace, resources)
    assert [await status(workspace, each) for each in good] == [("indexed", None)] * 12
    failed, reason = await status(workspace, bad)
    assert failed == "failed"
    assert reason == (
        "Text search only: the embedding model refused 1 passage: the embeddings endpoint answered 422: no"
    )
    indexed, note = await status(workspace, long)
    assert indexed == "indexed"
    assert note == "Too long for the embedding model: it read only the beginning of 1 passage"
    path = f"/api/v1/projects/{workspace.project}/documents/{long}"
    assert (await workspace.person.client.get(path)).json()["index_error"] == note
    assert await told(workspace, bad) == ["document.failed"]
    assert len(await workspace.titles("common", mode="text", limit=100)) == 14
    endpoint.rule = None
    assert (await workspace.person.client.post(f"{path}/reindex")).json()["index_error"] is None


async def test_a_new_index_is_built_while_the_old_one_serves_from_one_endpoint(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    await workspace.users.execute("DELETE FROM search_index WHERE project_id <> $1", workspace.project)
    old, new = await using(workspace, endpoint, client, "old"), await using(workspace, endpoint, client, "new")
    await workspace.put("First", "Words about cats.")
    await settle(workspace, old)
    await notice_change(new)
    await workspace.work(new, handlers=[each for each in feature.jobs if each.kind.name == "build_index"])
    endpoint.requests.clear()
    assert await titles(workspace, new, "cats", "vector") == ("vector", ["First"])
    assert {each["model"] for each in endpoint.requests} == {"old"}
    later = await workspace.put("Second", "On dogs.")
    await settle(workspace, new, handlers=())
    assert await status(workspace, later) == ("indexed", None)
    assert await vectors(workspace, later) == 2, "one vector for each model"
    await workspace.work(new)
    endpoint.requests.clear()
    assert sorted((await titles(workspace, new, "cats", "vector"))[1]) == ["First", "Second"]
    assert {each["model"] for each in endpoint.requests} == {"new"}


async def test_an_index_that_is_built_waits_for_its_model(
    workspace: SearchWorkspace, endpoint: Endpoint, client: httpx2.AsyncClient
) -> None:
    await workspace.users.execute("DELETE FROM search_index WHERE project_id <> $1", workspace.project)
    new = await using(workspace, endpoint, client, "new")
    await workspace.index(await workspace.put("First", "Words about cats."))
    endpoint.rule = DOWN
    await notice_change(new)
    step = "SELECT count(*) FROM job WHERE kind = 'embed_chunks' AND state = 'delayed' AND attempts = 0"
    async with working(new):
        await until(lambda: is_one(workspace, step))


async def is_one(workspace: SearchWorkspace, sql: str) -> bool:
    return await workspace.value(sql) == 1


def test_a_model_that_is_away_is_left_alone_for_longer_and_longer() -> None:
    now = 1000.0
    pause = ModelBackoff(lambda: now)
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
