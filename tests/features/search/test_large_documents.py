from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from partywall.features.search import indexing, large_documents
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.embedding import Embedded, Embedding
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.work import work
from tests.features.search.library import Shelf

MOST = 3


@pytest.fixture(autouse=True)
def bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three chunks are written at once."""
    for module in (indexing, large_documents):
        monkeypatch.setattr(module, "CHUNKS_AT_ONCE", MOST)


class Steps:
    """Stands before the embedding: what is written in one transaction is embedded before it."""

    def __init__(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shelf = shelf
        self.sizes: list[int] = []
        self.found: list[list[str]] = []
        self.broken_at: int | None = None
        original = Embedding.embed

        async def embed(embedding: Embedding, indexes: Sequence[KnownIndex], chunks: Sequence[NewChunk]) -> Embedded:
            await self.note(chunks)
            return await original(embedding, indexes, chunks)

        monkeypatch.setattr(Embedding, "embed", embed)

    async def note(self, chunks: Sequence[NewChunk]) -> None:
        if len(self.sizes) == self.broken_at:
            self.broken_at = None
            raise RuntimeError("the worker was killed")
        self.sizes.append(len(chunks))
        found = [set(await self.shelf.titles(word, mode=mode)) for word in ("former", "newer") for mode in ("text",)]
        self.found.append([*found[0], "|", *found[1]])


def text_of(word: str, chunks: int) -> str:
    return "\n\n".join(f"# Part {number}\n\n{word} number{number} " + "filler " * 200 for number in range(chunks))


async def chunks_of(shelf: Shelf, document: UUID) -> tuple[object, object]:
    """Those that are found, and those that are not."""
    where = "FROM chunk WHERE project_id = $1 AND document_id = $2 AND staged_for IS"
    return (
        await shelf.value(f"SELECT count(*) {where} NULL", shelf.project, document),
        await shelf.value(f"SELECT count(*) {where} NOT NULL", shelf.project, document),
    )


async def change(shelf: Shelf, document: UUID, content: str) -> None:
    path = f"/api/v1/projects/{shelf.project}/documents/{document}"
    assert (await shelf.person.client.patch(path, json={"content": content})).status_code == 200


async def test_it_is_written_bit_by_bit_and_found_all_at_once(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    document = await shelf.put("Large", text_of("former", 7))
    await shelf.index(document)
    steps = Steps(shelf, monkeypatch)
    await change(shelf, document, text_of("newer", 8))
    await shelf.work()
    assert steps.sizes == [3, 3, 2]
    assert steps.found == [["Large", "|"]] * 3, "the former text stays searchable, and the newer is not yet"
    for mode in ("text", "vector", "hybrid"):
        texts = (await shelf.search("newer former number1", mode=mode, group="chunk", limit=100)).json()["items"]
        assert len(texts) == 8
        assert all("newer" in hit["text"] for hit in texts), mode
    assert await shelf.titles("former", mode="text") == []
    assert await chunks_of(shelf, document) == (8, 0)
    assert await shelf.count("embedding_256") == 8
    assert await shelf.value("SELECT chunks FROM search_statistic WHERE project_id = $1", shelf.project) == 8


async def test_what_is_staged_is_found_by_no_mode(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    await shelf.index(await shelf.put("Large", text_of("former", 7)))
    await shelf.people.execute("UPDATE chunk SET staged_for = 1 WHERE project_id = $1", shelf.project)
    for mode in ("text", "vector", "hybrid"):
        for params in ({}, {"status": "draft"}):
            assert await shelf.titles("former", mode=mode, **params) == [], (mode, params)


async def test_what_was_cut_off_goes_on_where_it_was(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(shelf, monkeypatch)
    steps.broken_at = 2
    document = await shelf.put("Large", text_of("newer", 8))
    await shelf.index(document)
    assert steps.sizes == [3, 3, 2], "the first two were not done again"
    assert await chunks_of(shelf, document) == (8, 0)
    assert await shelf.count("embedding_256") == 8


async def test_what_was_staged_of_another_text_is_thrown_away(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(shelf, monkeypatch)
    document = await shelf.put("Large", text_of("newer", 5))
    await shelf.index(document)
    await shelf.people.execute("UPDATE chunk SET staged_for = 1, context = 'cut by another release'")
    await shelf.people.execute("UPDATE document SET index_status = 'pending' WHERE id = $1", document)
    await shelf.index(document)
    assert steps.sizes == [3, 2, 3, 2]
    assert await chunks_of(shelf, document) == (5, 0)


async def test_a_change_meanwhile_ends_the_old_work_early(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    document = await shelf.put("Large", text_of("former", 9))
    original, calls = Embedding.embed, list[int]()

    async def slow(embedding: Embedding, indexes: Sequence[KnownIndex], chunks: Sequence[NewChunk]) -> Embedded:
        calls.append(len(chunks))
        if len(calls) == 1:
            await change(shelf, document, text_of("newer", 4))
        return await original(embedding, indexes, chunks)

    monkeypatch.setattr(Embedding, "embed", slow)
    await shelf.index(document)
    assert calls == [3, 3, 1]
    assert await chunks_of(shelf, document) == (4, 0)
    assert await shelf.titles("newer", mode="text") == ["Large"]


async def test_what_becomes_small_is_replaced_bit_by_bit_too(shelf: Shelf) -> None:
    document = await shelf.put("Large", text_of("former", 9))
    await shelf.index(document)
    await change(shelf, document, "newer")
    await shelf.work()
    assert await chunks_of(shelf, document) == (1, 0)
    assert await shelf.titles("former", mode="text") == []


async def test_a_sweep_that_was_cut_off_is_finished_by_its_job(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    document = await shelf.put("Large", text_of("former", 4))
    await shelf.index(document)
    await change(shelf, document, text_of("newer", 5))
    await shelf.work(handlers=[each for each in work.jobs if each.kind.name != "sweep_chunks"])
    assert await chunks_of(shelf, document) == (5, 4)
    steps = Steps(shelf, monkeypatch)
    await shelf.work()
    assert steps.sizes == []
    assert await chunks_of(shelf, document) == (5, 0)
