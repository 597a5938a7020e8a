from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import pytest

from partywall.core.embedders import Embedder, EmbeddingError, TextVectors, Vectors
from partywall.core.jobs.queue import enqueue
from partywall.core.resources import Resources
from partywall.features.search import index_rebuild
from partywall.features.search.index_rebuild import notice_change
from partywall.features.search.jobs import EMBED_CHUNKS, EmbedChunks
from partywall.testing.conditions import until
from partywall.testing.workers import working
from tests.features.search.search_workspace import SearchWorkspace, titles, with_embedder

_MARK: Final = re.compile(r"(?<!\S)#(\d{1,2})\b")


class Marked:
    """An embedder of any dimension: the first `#number` in a text is the axis of its vector."""

    def __init__(self, name: str, dimension: int = 384, *, away: bool = False) -> None:
        self.name = name
        self.dimension = dimension
        self.away = away

    @property
    def is_quick(self) -> bool:
        return True

    def reads(self, text: str) -> bool:
        return True

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        if self.away:
            raise EmbeddingError("away")
        vectors = np.zeros((len(texts), self.dimension), dtype=np.float32)
        for row, text in enumerate(texts):
            marked = _MARK.search(text)  # documents of other tests contain Markdown headings
            axis = int(marked[1]) if marked else 0
            vectors[row, axis] = 1
        return TextVectors(vectors)

    async def embed_query(self, text: str) -> Vectors:
        made = await self.embed_documents([text])
        return np.asarray(made.vectors[0], dtype=np.float32)

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


@pytest.fixture
async def stocked(workspace: SearchWorkspace) -> SearchWorkspace:
    """Deletes the indexes of other tests, because a model change affects the whole database."""
    await workspace.users.execute("DELETE FROM search_index WHERE project_id <> $1", workspace.project)
    documents = [await workspace.put(f"Number {number}", f"#{number} text") for number in range(1, 6)]
    await workspace.index(*documents)
    return workspace


async def statuses(workspace: SearchWorkspace) -> object:
    return await workspace.value(
        "SELECT json_object_agg(model, status)::text::jsonb #>> '{}' FROM search_index WHERE project_id = $1",
        workspace.project,
    )


async def serving(workspace: SearchWorkspace) -> object:
    query = "SELECT model FROM search_index WHERE project_id = $1 AND status = 'active'"
    return await workspace.value(query, workspace.project)


async def change(workspace: SearchWorkspace, current: Embedder, *others: Embedder) -> Resources:
    """Changes the model as a restart does: the schedule notices it, then the jobs run."""
    resources = with_embedder(workspace.resources, current, *others)
    await notice_change(resources)
    await workspace.work(resources)
    return resources


async def dimensions(workspace: SearchWorkspace) -> dict[int, int]:
    """The number of vectors by dimension."""
    query = "SELECT dimension, count(*) FROM embedding WHERE project_id = $1 GROUP BY dimension"
    return {row[0]: row[1] for row in await workspace.users.fetch(query, workspace.project)}


async def test_another_model_takes_over_when_its_index_is_whole(stocked: SearchWorkspace) -> None:
    old, new = stocked.resources.embedders.current, Marked("marked@1")
    resources = await change(stocked, new, old)
    assert await serving(stocked) == "marked@1"
    assert await dimensions(stocked) == {384: 5}
    assert (await titles(stocked, resources, "#4", "vector"))[1][0] == "Number 4"


async def test_the_old_index_serves_while_the_new_one_is_built(stocked: SearchWorkspace) -> None:
    old = stocked.resources.embedders.current
    away = with_embedder(stocked.resources, Marked("marked@1", away=True), old)
    await reindex_begins(stocked, away)
    assert await serving(stocked) == old.name
    assert (await titles(stocked, away, "number three", "vector"))[0] == "vector"


async def reindex_begins(workspace: SearchWorkspace, resources: Resources) -> None:
    await notice_change(resources)
    building = "SELECT count(*) FROM search_index WHERE project_id = $1 AND status = 'building'"
    async with working(resources):

        async def begun() -> bool:
            return await workspace.value(building, workspace.project) == 1

        await until(begun)


async def test_documents_that_come_meanwhile_are_in_both(stocked: SearchWorkspace) -> None:
    old, new = stocked.resources.embedders.current, Marked("marked@1", away=True)
    resources = with_embedder(stocked.resources, new, old)
    await reindex_begins(stocked, resources)
    new.away = False
    await stocked.index(await stocked.put("Number 9", "#9 text"), resources=resources)
    assert await serving(stocked) == "marked@1"
    assert (await titles(stocked, resources, "#9", "vector"))[1][0] == "Number 9"
    assert await dimensions(stocked) == {384: 6}


async def test_without_its_model_an_index_answers_by_words_and_says_so(stocked: SearchWorkspace) -> None:
    resources = with_embedder(stocked.resources, Marked("marked@1"))
    assert await titles(stocked, resources, "number", "hybrid") == ("text", [f"Number {n}" for n in range(1, 6)])
    assert (await titles(stocked, resources, "number", "vector"))[0] == "search_model_unavailable"


async def test_a_model_that_is_away_leaves_the_words(stocked: SearchWorkspace) -> None:
    new = Marked("marked@1")
    resources = await change(stocked, new, stocked.resources.embedders.current)
    new.away = True
    assert (await titles(stocked, resources, "number", "hybrid"))[0] == "text"
    assert (await titles(stocked, resources, "number", "text"))[0] == "text"


async def test_a_change_back_abandons_the_unfinished_index(stocked: SearchWorkspace) -> None:
    old, new = stocked.resources.embedders.current, Marked("marked@1", away=True)
    await reindex_begins(stocked, with_embedder(stocked.resources, new, old))
    await stocked.work()
    assert await serving(stocked) == old.name
    assert await statuses(stocked) == f'{{"marked@1": "retired", "{old.name}": "active"}}'
    await change(stocked, Marked("marked@1"), old)
    assert await serving(stocked) == "marked@1"


async def test_a_third_model_replaces_an_unfinished_second(stocked: SearchWorkspace) -> None:
    old, second = stocked.resources.embedders.current, Marked("marked@1", away=True)
    await reindex_begins(stocked, with_embedder(stocked.resources, second, old))
    await change(stocked, Marked("marked@2", 77), old)
    assert await serving(stocked) == "marked@2"
    assert await dimensions(stocked) == {77: 5}


async def test_noticing_twice_builds_once(stocked: SearchWorkspace) -> None:
    old, new = stocked.resources.embedders.current, Marked("marked@1")
    resources = with_embedder(stocked.resources, new, old)
    await notice_change(resources)
    await change(stocked, new, old)
    assert await stocked.count("search_index") == 2


async def test_a_step_of_an_index_that_is_not_built_does_nothing(stocked: SearchWorkspace) -> None:
    index = await stocked.value("SELECT id FROM search_index WHERE project_id = $1", stocked.project)
    async with stocked.resources.sessions.begin() as session:
        payload = EmbedChunks(project_id=stocked.project, principal=f"service:{stocked.project}", index=index)  # type: ignore[arg-type]  # a uuid
        await enqueue(session, EMBED_CHUNKS, payload)
    await stocked.work()
    assert await dimensions(stocked) == {256: 5}


async def test_many_chunks_take_many_steps(stocked: SearchWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_rebuild, "CHUNKS_AT_ONCE", 2)
    monkeypatch.setattr(index_rebuild, "CLEARED_AT_ONCE", 2)
    await change(stocked, Marked("marked@1"), stocked.resources.embedders.current)
    assert await dimensions(stocked) == {384: 5}
