from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from partywall.core.embedding import Embedders
from partywall.features.documents.indexing import DocumentToIndex
from partywall.features.search import index_writing, indexing, large_documents
from partywall.features.search.index_repository import NewChunk
from partywall.features.search.index_writing import Embedded
from tests.features.search.library import Shelf

MOST = 3


@pytest.fixture(autouse=True)
def bit_by_bit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever has more than 2,000 bytes is large, and three chunks are written at once."""
    monkeypatch.setattr(indexing, "BYTES_AT_ONCE", 2000)
    for module in (indexing, large_documents):
        monkeypatch.setattr(module, "CHUNKS_AT_ONCE", MOST)


class Steps:
    """Stands before the embedding: what is written in one transaction is embedded before it."""

    def __init__(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        self.shelf = shelf
        self.sizes: list[int] = []
        self.found: list[list[str]] = []
        self.broken_at: int | None = None
        monkeypatch.setattr(large_documents, "embed", self.embed)

    async def embed(self, embedders: Embedders, models: set[str], chunks: Sequence[NewChunk]) -> Embedded:
        if len(self.sizes) == self.broken_at:
            self.broken_at = None
            raise RuntimeError("the worker was killed")
        self.sizes.append(len(chunks))
        found = [set(await self.shelf.titles(word, mode=mode)) for word in ("former", "newer") for mode in ("text",)]
        self.found.append([*found[0], "|", *found[1]])
        return await index_writing.embed(embedders, models, chunks)


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


async def test_a_job_that_was_killed_goes_on_where_it_was(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
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
    embed, calls = index_writing.embed, list[int]()

    async def slow(embedders: Embedders, models: set[str], chunks: Sequence[NewChunk]) -> Embedded:
        calls.append(len(chunks))
        if len(calls) == 1:
            await change(shelf, document, text_of("newer", 4))
        return await embed(embedders, models, chunks)

    monkeypatch.setattr(large_documents, "embed", slow)
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


async def test_a_sweep_that_was_cut_off_is_finished_and_nothing_is_indexed_again(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await shelf.put("Large", text_of("former", 4))
    await shelf.index(document)
    await shelf.people.execute(
        "UPDATE chunk SET staged_for = 0 WHERE number = (SELECT min(number) FROM chunk WHERE project_id = $1)",
        shelf.project,
    )
    steps = Steps(shelf, monkeypatch)
    await shelf.index(document)
    assert steps.sizes == []
    assert await chunks_of(shelf, document) == (3, 0)


def test_groups_are_bounded_in_bytes_and_number() -> None:
    documents = [DocumentToIndex(UUID(int=size), 1, size, 0, True) for size in (5, 5, 1, 20, 1, 1, 1, 1)]
    grouped = [[each.size for each in group] for group in indexing.groups_of(documents, 10, 3)]
    assert grouped == [[5, 5], [1], [20], [1, 1, 1], [1]]
