"""The worker's loop: when it polls, and what it releases when it stops."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from uuid import UUID

import pytest

from partywall.core.embedders import TextVectors
from partywall.features.search import indexer
from partywall.features.search.indexer import index_documents
from partywall.testing.conditions import until
from partywall.testing.workers import working
from tests.features.search.search_workspace import SearchWorkspace, with_embedder
from tests.features.search.test_document_indexer import Choosy, status


class Hanging(Choosy):
    """An embedder that never answers."""

    def __init__(self) -> None:
        super().__init__("nothing")
        self.asked = asyncio.Event()

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        self.asked.set()
        await asyncio.Event().wait()
        return await super().embed_documents(texts)


async def created(workspace: SearchWorkspace, title: str) -> UUID:
    path = f"/api/v1/projects/{workspace.project}/documents"
    answer = await workspace.person.client.post(path, json={"title": title, "content": "Words."})
    assert answer.status_code == 201, answer.text
    return UUID(answer.json()["id"])


async def is_indexed(workspace: SearchWorkspace, document: UUID) -> bool:
    return (await status(workspace, document))[0] == "indexed"


async def test_a_notification_wakes_it_long_before_its_next_poll(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SHORTEST_POLL", "LONGEST_POLL"):
        monkeypatch.setattr(indexer, name, 3600.0)
    async with working(workspace.resources):
        for title in ("First", "Second"):
            await until(partial(is_indexed, workspace, await created(workspace, title)))


async def test_documents_in_progress_are_released_when_it_stops(workspace: SearchWorkspace) -> None:
    document, stop, model = await created(workspace, "A title"), asyncio.Event(), Hanging()
    async with asyncio.TaskGroup() as group:
        group.create_task(index_documents(with_embedder(workspace.resources, model), stop))
        await model.asked.wait()
        held = "SELECT count(*) FROM indexing_attempt WHERE document_id = $1 AND lease IS NOT NULL"
        assert await workspace.value(held, document) == 1
        stop.set()
    left = "SELECT attempts = 0 AND lease IS NULL AND due_at <= now() FROM indexing_attempt WHERE document_id = $1"
    assert await workspace.value(left, document) is True
    await workspace.work()
    assert await status(workspace, document) == ("indexed", None)


async def test_a_document_of_another_account_waits_for_no_backlog(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With batches of one, another account's document is among the first, although it came last."""
    monkeypatch.setattr(indexer, "DOCUMENTS_AT_ONCE", 1)
    monkeypatch.setattr(indexer, "SMALL_AT_ONCE", 1)
    for number in range(12):
        await workspace.put(f"T{number}", "Words.")
    other = await workspace.users.person()
    path = f"/api/v1/projects/{await other.project()}/documents"
    lone = (await other.client.post(path, json={"title": "Lone", "content": "Words."})).json()["id"]
    await workspace.work()
    told = "SELECT subject_id FROM event WHERE type = 'document.indexed' ORDER BY at DESC LIMIT 13"
    order = [row["subject_id"] for row in await workspace.users.fetch(told)]
    assert order[::-1].index(lone) <= 1
