"""The worker's loop: when it looks, and what it leaves when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from uuid import UUID

import pytest

from partywall.core.embedding import TextVectors
from partywall.features.search import indexer
from partywall.features.search.indexer import index_documents
from tests.features.search.library import Shelf, eventually, with_embedder, working
from tests.features.search.test_indexing import Choosy, status


class Hanging(Choosy):
    """Answers nobody."""

    def __init__(self) -> None:
        super().__init__("nothing")
        self.asked = asyncio.Event()

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        self.asked.set()
        await asyncio.Event().wait()
        return await super().embed_documents(texts)


async def created(shelf: Shelf, title: str) -> UUID:
    path = f"/api/v1/projects/{shelf.project}/documents"
    answer = await shelf.person.client.post(path, json={"title": title, "content": "Words."})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def is_indexed(shelf: Shelf, document: UUID) -> bool:
    return (await status(shelf, document))[0] == "indexed"


async def test_a_word_wakes_it_long_before_it_would_look(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SHORTEST_POLL", "LONGEST_POLL"):
        monkeypatch.setattr(indexer, name, 3600.0)
    async with working(shelf.resources, shelf.database):
        for title in ("First", "Second"):
            await eventually(partial(is_indexed, shelf, await created(shelf, title)))


async def test_what_it_has_in_hand_when_it_stops_is_given_back(shelf: Shelf) -> None:
    document, stop, model = await created(shelf, "A title"), asyncio.Event(), Hanging()
    async with asyncio.TaskGroup() as group:
        group.create_task(index_documents(with_embedder(shelf.resources, model), stop))
        await model.asked.wait()
        held = "SELECT count(*) FROM indexing_attempt WHERE document_id = $1 AND lease IS NOT NULL"
        assert await shelf.value(held, document) == 1
        stop.set()
    left = "SELECT attempts = 0 AND lease IS NULL AND due_at <= now() FROM indexing_attempt WHERE document_id = $1"
    assert await shelf.value(left, document) is True
    await shelf.work()
    assert await status(shelf, document) == ("indexed", None)


async def test_one_document_of_another_waits_for_no_backlog(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches of one, one at a time: the other's is among the first, though it came last."""
    monkeypatch.setattr(indexer, "DOCUMENTS_AT_ONCE", 1)
    monkeypatch.setattr(indexer, "SMALL_AT_ONCE", 1)
    for number in range(12):
        await shelf.put(f"T{number}", "Words.")
    other = await shelf.people.person()
    path = f"/api/v1/projects/{await other.project()}/documents"
    lone = (await other.client.post(path, json={"title": "Lone", "content": "Words."})).json()["id"]
    await shelf.work()
    told = "SELECT subject_id FROM event WHERE type = 'document.indexed' ORDER BY at DESC LIMIT 13"
    order = [row["subject_id"] for row in await shelf.people.fetch(told)]
    assert order[::-1].index(lone) <= 1
