from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import pytest

from partywall.features.search import document_indexer, large_documents
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.feature import feature
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.passage_vectors import EmbeddedPassages, PassageVectors
from tests.features.search.search_workspace import SearchWorkspace

MOST = 3


@pytest.fixture(autouse=True)
def in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a step write three chunks."""
    for module in (document_indexer, large_documents):
        monkeypatch.setattr(module, "CHUNKS_AT_ONCE", MOST)


class Steps:
    """Records each step. It wraps the embedding, which runs once before each transaction."""

    def __init__(self, workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
        self.workspace = workspace
        self.sizes: list[int] = []
        self.found: list[list[str]] = []
        self.broken_at: int | None = None
        original = PassageVectors.embed

        async def embed(
            embedding: PassageVectors, indexes: Sequence[KnownIndex], chunks: Sequence[NewChunk]
        ) -> EmbeddedPassages:
            await self.note(chunks)
            return await original(embedding, indexes, chunks)

        monkeypatch.setattr(PassageVectors, "embed", embed)

    async def note(self, chunks: Sequence[NewChunk]) -> None:
        if len(self.sizes) == self.broken_at:
            self.broken_at = None
            raise RuntimeError("the worker was killed")
        self.sizes.append(len(chunks))
        found = [
            set(await self.workspace.titles(word, mode=mode)) for word in ("former", "newer") for mode in ("text",)
        ]
        self.found.append([*found[0], "|", *found[1]])


def text_of(word: str, chunks: int) -> str:
    return "\n\n".join(f"# Part {number}\n\n{word} number{number} " + "filler " * 200 for number in range(chunks))


async def chunks_of(workspace: SearchWorkspace, document: UUID) -> tuple[object, object]:
    """The number of searchable chunks and of staged chunks."""
    where = "FROM chunk WHERE project_id = $1 AND document_id = $2 AND staged_for IS"
    return (
        await workspace.value(f"SELECT count(*) {where} NULL", workspace.project, document),
        await workspace.value(f"SELECT count(*) {where} NOT NULL", workspace.project, document),
    )


async def change(workspace: SearchWorkspace, document: UUID, content: str) -> None:
    path = f"/api/v1/projects/{workspace.project}/documents/{document}"
    assert (await workspace.person.client.patch(path, json={"content": content})).status_code == 200


async def test_it_is_written_in_steps_and_becomes_searchable_at_once(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await workspace.put("Large", text_of("former", 7))
    await workspace.index(document)
    steps = Steps(workspace, monkeypatch)
    await change(workspace, document, text_of("newer", 8))
    await workspace.work()
    assert steps.sizes == [3, 3, 2]
    assert steps.found == [["Large", "|"]] * 3, "only the former text is searchable"
    for mode in ("text", "vector", "hybrid"):
        texts = (await workspace.search("newer former number1", mode=mode, group="chunk", limit=100)).json()["items"]
        assert len(texts) == 8
        assert all("newer" in hit["text"] for hit in texts), mode
    assert await workspace.titles("former", mode="text") == []
    assert await chunks_of(workspace, document) == (8, 0)
    assert await workspace.count("embedding") == 8
    assert await workspace.value("SELECT chunks FROM search_statistic WHERE project_id = $1", workspace.project) == 8


async def test_a_step_in_chinese_writes_as_many_words_not_as_many_chunks(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A character is a word and part of another one: a chunk has as many as several chunks of English."""
    steps = Steps(workspace, monkeypatch)
    text = "".join(chr(0x4E00 + number % 3_000) for number in range(3_000))
    document = await workspace.put("Words", text)
    await workspace.index(document)
    assert len(steps.sizes) > 1
    assert set(steps.sizes) == {1}
    assert await workspace.titles(text[-5:]) == ["Words"]


async def test_what_is_staged_is_found_by_no_mode(workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    await workspace.index(await workspace.put("Large", text_of("former", 7)))
    await workspace.users.execute("UPDATE chunk SET staged_for = 1 WHERE project_id = $1", workspace.project)
    for mode in ("text", "vector", "hybrid"):
        for params in ({}, {"status": "draft"}):
            assert await workspace.titles("former", mode=mode, **params) == [], (mode, params)


async def test_what_was_cut_off_goes_on_where_it_was(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps(workspace, monkeypatch)
    steps.broken_at = 2
    document = await workspace.put("Large", text_of("newer", 8))
    await workspace.index(document)
    assert steps.sizes == [3, 3, 2], "the first two steps must not be repeated"
    assert await chunks_of(workspace, document) == (8, 0)
    assert await workspace.count("embedding") == 8


async def test_what_was_staged_of_another_text_is_thrown_away(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = Steps(workspace, monkeypatch)
    document = await workspace.put("Large", text_of("newer", 5))
    await workspace.index(document)
    await workspace.users.execute("UPDATE chunk SET staged_for = 1, context = 'cut by another release'")
    await workspace.users.execute("UPDATE document SET index_status = 'pending' WHERE id = $1", document)
    await workspace.index(document)
    assert steps.sizes == [3, 2, 3, 2]
    assert await chunks_of(workspace, document) == (5, 0)


async def test_a_change_meanwhile_ends_the_old_work_early(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await workspace.put("Large", text_of("former", 9))
    original, calls = PassageVectors.embed, list[int]()

    async def slow(
        embedding: PassageVectors, indexes: Sequence[KnownIndex], chunks: Sequence[NewChunk]
    ) -> EmbeddedPassages:
        calls.append(len(chunks))
        if len(calls) == 1:
            await change(workspace, document, text_of("newer", 4))
        return await original(embedding, indexes, chunks)

    monkeypatch.setattr(PassageVectors, "embed", slow)
    await workspace.index(document)
    assert calls == [3, 3, 1]
    assert await chunks_of(workspace, document) == (4, 0)
    assert await workspace.titles("newer", mode="text") == ["Large"]


async def test_a_document_that_becomes_small_is_replaced_in_steps_too(workspace: SearchWorkspace) -> None:
    document = await workspace.put("Large", text_of("former", 9))
    await workspace.index(document)
    await change(workspace, document, "newer")
    await workspace.work()
    assert await chunks_of(workspace, document) == (1, 0)
    assert await workspace.titles("former", mode="text") == []


async def test_a_sweep_that_was_cut_off_is_finished_by_its_job(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    document = await workspace.put("Large", text_of("former", 4))
    await workspace.index(document)
    await change(workspace, document, text_of("newer", 5))
    await workspace.work(handlers=[each for each in feature.jobs if each.kind.name != "sweep_chunks"])
    assert await chunks_of(workspace, document) == (5, 4)
    steps = Steps(workspace, monkeypatch)
    await workspace.work()
    assert steps.sizes == []
    assert await chunks_of(workspace, document) == (5, 0)
