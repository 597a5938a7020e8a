from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy.exc import DBAPIError

from partywall.core.embedding import EmbeddingError, TextRefused, TextVectors, Vectors
from partywall.core.text_process.processes import TextLimits
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.search import indexer
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.chunking import chunk_text
from partywall.features.search.embedding import Embedded, Embedding
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.indexing import reason_of
from tests.features.search.library import Shelf, with_embedder
from tests.isolation.work import run_job

# Less than the interpreter holds when the limit is set: it gets no more.
MEMORY_OF_NOTHING = 1024 * 1024


class Choosy:
    """An embedder that refuses texts with a word in them: a model's endpoint is outside this machine."""

    name = "choosy@1"
    dimension = 256

    def __init__(self, refused: str, error: type[EmbeddingError] = TextRefused) -> None:
        self._refused = refused
        self._error = error

    @property
    def is_quick(self) -> bool:
        return True

    async def embed_documents(self, texts: Sequence[str]) -> TextVectors:
        if any(self._refused in text for text in texts):
            raise self._error("the endpoint answered no")
        return TextVectors(np.full((len(texts), 256), 1 / 16, dtype=np.float32))

    async def embed_query(self, text: str) -> Vectors:
        made = await self.embed_documents([text])
        return np.asarray(made.vectors[0], dtype=np.float32)

    async def ping(self) -> None: ...

    async def close(self) -> None: ...


async def status(shelf: Shelf, document: object) -> tuple[object, object]:
    where = "FROM document WHERE project_id = $1 AND id = $2"
    return (
        await shelf.value(f"SELECT index_status {where}", shelf.project, document),
        await shelf.value(f"SELECT index_error {where}", shelf.project, document),
    )


async def test_a_document_becomes_chunks_words_and_vectors(shelf: Shelf) -> None:
    document = await shelf.put("A title", "Some words about cats.")
    await shelf.index(document)
    assert await status(shelf, document) == ("indexed", None)
    assert await shelf.count("chunk") == await shelf.count("embedding_256") == 1
    words = "SELECT array_agg(term ORDER BY term) FROM posting WHERE project_id = $1"
    assert await shelf.value(words, shelf.project) == ["cat", "titl", "word"]


async def test_a_long_document_is_cut_in_a_process_of_its_own(shelf: Shelf) -> None:
    document = await shelf.put("A title", "Some words about cats. " * 12_000)
    await shelf.index(document)
    assert await status(shelf, document) == ("indexed", None)
    assert await shelf.count("chunk") == len(chunk_text("Some words about cats. " * 12_000))


async def test_a_document_that_cannot_be_cut_fails_alone(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shelf.resources.texts, "_limits", TextLimits(2, cpu_seconds=60, memory=MEMORY_OF_NOTHING))
    costly, small = await shelf.put("Costly", "words " * 50_000), await shelf.put("Small", "words")
    await shelf.index(costly, small)
    assert await status(shelf, small) == ("indexed", None)
    failed, reason = await status(shelf, costly)
    assert failed == "failed"
    assert str(reason).startswith("This text takes more than")


async def test_running_again_changes_nothing(shelf: Shelf) -> None:
    document = await shelf.put("A title", "Some words about cats.")
    await shelf.index(document)
    await shelf.index(document, document)
    assert await shelf.count("chunk") == 1
    assert await shelf.count("posting") == 3
    assert await shelf.value("SELECT chunks FROM search_statistic WHERE project_id = $1", shelf.project) == 1


async def test_new_text_replaces_the_old(shelf: Shelf) -> None:
    document = await shelf.put("A title", "Some words about cats.")
    await shelf.index(document)
    await shelf.people.execute("UPDATE document SET content = 'On dogs.', version = 2 WHERE id = $1", document)
    await shelf.index(document)
    assert await shelf.titles("cats", mode="text") == []
    assert await shelf.titles("dogs", mode="text") == ["A title"]


async def test_what_changes_while_it_is_indexed_is_indexed_again(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The document changes while its old text is being embedded."""
    document = await shelf.put("A title", "Some words about cats.")
    original, seen = Embedding.embed, list[str]()

    async def slow(embedding: Embedding, indexes: Sequence[KnownIndex], chunks: Sequence[NewChunk]) -> Embedded:
        if not seen:
            path = f"/api/v1/projects/{shelf.project}/documents/{document}"
            assert (await shelf.person.client.patch(path, json={"content": "On dogs."})).status_code == 200
        seen.extend(chunk.text for chunk in chunks)
        return await original(embedding, indexes, chunks)

    monkeypatch.setattr(Embedding, "embed", slow)
    await shelf.index(document)
    assert seen == ["Some words about cats.", "On dogs."]
    assert await status(shelf, document) == ("indexed", None)
    assert (await shelf.titles("cats", mode="text"), await shelf.titles("dogs", mode="text")) == ([], ["A title"])


async def test_a_document_that_has_gone_is_passed_over(shelf: Shelf) -> None:
    gone, kept = await shelf.put("Gone", "words"), await shelf.put("Kept", "words")
    await shelf.ask(gone, kept)
    await shelf.people.execute("DELETE FROM document WHERE id = $1", gone)
    await shelf.work()
    assert await shelf.titles("words", mode="text") == ["Kept"]


async def test_deleting_takes_everything_along(shelf: Shelf) -> None:
    first, second = await shelf.put("One", "words " * 2000), await shelf.put("Two", "words")
    await shelf.index(first, second)
    await shelf.people.execute("DELETE FROM document WHERE id = $1", first)
    assert await shelf.count("chunk") == await shelf.count("embedding_256") == 1
    assert await shelf.count("posting") == 2
    counted = "SELECT (chunks, terms)::text FROM search_statistic WHERE project_id = $1"
    assert await shelf.value(counted, shelf.project) == "(1,2)"


async def test_the_end_of_a_project_is_the_end_of_its_index(shelf: Shelf) -> None:
    await shelf.index(await shelf.put("One", "words"))
    assert (await shelf.person.client.delete(f"/api/v1/projects/{shelf.project}")).status_code == 204
    await run_job(shelf.people, shelf.resources, "project_deleted", ProjectDeleted(project_id=shelf.project))
    for table in ("chunk", "posting", "embedding_256", "search_index", "search_statistic"):
        assert await shelf.count(table) == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [(TextRefused, "The embedding model refused the text"), (EmbeddingError, "The embedding model did not answer")],
)
async def test_one_bad_document_does_not_fail_its_neighbours(
    shelf: Shelf, error: type[EmbeddingError], reason: str
) -> None:
    """Also where nothing tells a bad text from a bad moment: after the last attempt."""
    resources = with_embedder(shelf.resources, Choosy("poison", error))
    good, bad = await shelf.put("Good", "fine words"), await shelf.put("Bad", "poison")
    await shelf.index(good, bad, resources=resources)
    assert await status(shelf, good) == ("indexed", None)
    assert await status(shelf, bad) == ("failed", f"Found by its words alone: {reason}: the endpoint answered no")
    assert await shelf.titles("poison", mode="text") == ["Bad"]
    assert await shelf.count("embedding_256") == 1


async def test_a_failed_document_can_be_retried(shelf: Shelf) -> None:
    bad = await shelf.put("Bad", "poison")
    await shelf.index(bad, resources=with_embedder(shelf.resources, Choosy("poison")))
    await shelf.index(bad, resources=with_embedder(shelf.resources, Choosy("nothing")))
    assert await status(shelf, bad) == ("indexed", None)


@pytest.mark.parametrize(
    "content",
    ["", "x" * 300_000, "漢" * 20_000, "a" * 5000 + " b", "\x01\x02\ufdd0 words \ufdd1", "a.b/c@d " * 5000],
    ids=["empty", "one-word", "no-spaces", "long-word", "control", "addresses"],
)
async def test_odd_content_is_indexed(shelf: Shelf, content: str) -> None:
    document = await shelf.put("Odd content", content)
    await shelf.index(document)
    assert await status(shelf, document) == ("indexed", None)
    assert await shelf.titles("odd") == ["Odd content"]


async def test_many_documents_take_several_batches(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "DOCUMENTS_AT_ONCE", 25)
    for number in range(60):
        await shelf.put(f"Document {number}", f"word{number} common")
    await shelf.work()
    assert len(await shelf.titles("common", mode="text", limit=100)) == 60
    assert await shelf.titles("word42", mode="text") == ["Document 42"]


def test_reasons_tell_nothing_of_the_inside() -> None:
    error = DBAPIError("SELECT secret", {}, Exception("secret"))
    assert reason_of(error) == "The text cannot be indexed (SQLSTATE unknown)"
    assert reason_of(KeyError("secret")) == "An internal error (KeyError)"
