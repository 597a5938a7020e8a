from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy.exc import DBAPIError

from partywall.core.embedders import EmbeddingError, TextRefused, TextVectors, Vectors
from partywall.core.text_process.processes import TextLimits
from partywall.features.projects.jobs import ProjectDeleted
from partywall.features.search import indexer
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.chunker import chunk_text
from partywall.features.search.document_indexer import reason_of
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.passage_vectors import EmbeddedPassages, PassageVectors
from tests.features.search.search_workspace import SearchWorkspace, with_embedder
from tests.isolation.job_runner import run_job

# Less than the interpreter uses already, so every allocation fails.
MEMORY_OF_NOTHING = 1024 * 1024


class Choosy:
    """An embedder that refuses texts containing a word; stands in for an external endpoint."""

    name = "choosy@1"
    dimension = 256

    def __init__(self, refused: str, error: type[EmbeddingError] = TextRefused) -> None:
        self._refused = refused
        self._error = error

    @property
    def is_quick(self) -> bool:
        return True

    def reads(self, text: str) -> bool:
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


async def status(workspace: SearchWorkspace, document: object) -> tuple[object, object]:
    where = "FROM document WHERE project_id = $1 AND id = $2"
    return (
        await workspace.value(f"SELECT index_status {where}", workspace.project, document),
        await workspace.value(f"SELECT index_error {where}", workspace.project, document),
    )


async def test_a_document_becomes_chunks_words_and_vectors(workspace: SearchWorkspace) -> None:
    document = await workspace.put("A title", "Some words about cats.")
    await workspace.index(document)
    assert await status(workspace, document) == ("indexed", None)
    assert await workspace.count("chunk") == await workspace.count("embedding") == 1
    words = "SELECT array_agg(term ORDER BY term) FROM posting WHERE project_id = $1"
    assert await workspace.value(words, workspace.project) == ["cat", "titl", "word"]


async def test_a_long_document_is_cut_in_a_process_of_its_own(workspace: SearchWorkspace) -> None:
    document = await workspace.put("A title", "Some words about cats. " * 12_000)
    await workspace.index(document)
    assert await status(workspace, document) == ("indexed", None)
    assert await workspace.count("chunk") == len(chunk_text("Some words about cats. " * 12_000))


async def test_a_document_that_cannot_be_cut_fails_alone(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workspace.resources.texts, "_limits", TextLimits(2, cpu_seconds=60, memory=MEMORY_OF_NOTHING))
    costly, small = await workspace.put("Costly", "words " * 50_000), await workspace.put("Small", "words")
    await workspace.index(costly, small)
    assert await status(workspace, small) == ("indexed", None)
    failed, reason = await status(workspace, costly)
    assert failed == "failed"
    assert str(reason).startswith("This text takes more than")


async def test_running_again_changes_nothing(workspace: SearchWorkspace) -> None:
    document = await workspace.put("A title", "Some words about cats.")
    await workspace.index(document)
    await workspace.index(document, document)
    assert await workspace.count("chunk") == 1
    assert await workspace.count("posting") == 3
    assert await workspace.value("SELECT chunks FROM search_statistic WHERE project_id = $1", workspace.project) == 1


async def test_new_text_replaces_the_old(workspace: SearchWorkspace) -> None:
    document = await workspace.put("A title", "Some words about cats.")
    await workspace.index(document)
    await workspace.users.execute("UPDATE document SET content = 'On dogs.', version = 2 WHERE id = $1", document)
    await workspace.index(document)
    assert await workspace.titles("cats", mode="text") == []
    assert await workspace.titles("dogs", mode="text") == ["A title"]


async def test_what_changes_while_it_is_indexed_is_indexed_again(
    workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The document changes while its old text is being embedded."""
    document = await workspace.put("A title", "Some words about cats.")
    original, seen = PassageVectors.embed, list[str]()

    async def slow(
        embedding: PassageVectors, indexes: Sequence[KnownIndex], chunks: Sequence[NewChunk]
    ) -> EmbeddedPassages:
        if not seen:
            path = f"/api/v1/projects/{workspace.project}/documents/{document}"
            assert (await workspace.person.client.patch(path, json={"content": "On dogs."})).status_code == 200
        seen.extend(chunk.text for chunk in chunks)
        return await original(embedding, indexes, chunks)

    monkeypatch.setattr(PassageVectors, "embed", slow)
    await workspace.index(document)
    assert seen == ["Some words about cats.", "On dogs."]
    assert await status(workspace, document) == ("indexed", None)
    assert (await workspace.titles("cats", mode="text"), await workspace.titles("dogs", mode="text")) == (
        [],
        ["A title"],
    )


async def test_a_document_that_has_gone_is_passed_over(workspace: SearchWorkspace) -> None:
    gone, kept = await workspace.put("Gone", "words"), await workspace.put("Kept", "words")
    await workspace.ask(gone, kept)
    await workspace.users.execute("DELETE FROM document WHERE id = $1", gone)
    await workspace.work()
    assert await workspace.titles("words", mode="text") == ["Kept"]


async def test_deleting_takes_everything_along(workspace: SearchWorkspace) -> None:
    first, second = await workspace.put("One", "words " * 2000), await workspace.put("Two", "words")
    await workspace.index(first, second)
    await workspace.users.execute("DELETE FROM document WHERE id = $1", first)
    assert await workspace.count("chunk") == await workspace.count("embedding") == 1
    assert await workspace.count("posting") == 2
    counted = "SELECT (chunks, terms)::text FROM search_statistic WHERE project_id = $1"
    assert await workspace.value(counted, workspace.project) == "(1,2)"


async def test_the_end_of_a_project_is_the_end_of_its_index(workspace: SearchWorkspace) -> None:
    await workspace.index(await workspace.put("One", "words"))
    assert (await workspace.person.client.delete(f"/api/v1/projects/{workspace.project}")).status_code == 204
    await run_job(workspace.users, workspace.resources, "project_deleted", ProjectDeleted(project_id=workspace.project))
    for table in ("chunk", "posting", "embedding", "search_index", "search_statistic"):
        assert await workspace.count(table) == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [(TextRefused, "The embedding model refused the text"), (EmbeddingError, "The embedding model did not answer")],
)
async def test_one_bad_document_does_not_fail_its_neighbours(
    workspace: SearchWorkspace, error: type[EmbeddingError], reason: str
) -> None:
    """Also when a bad text looks like an outage: then it fails after the last attempt."""
    resources = with_embedder(workspace.resources, Choosy("poison", error))
    good, bad = await workspace.put("Good", "fine words"), await workspace.put("Bad", "poison")
    await workspace.index(good, bad, resources=resources)
    assert await status(workspace, good) == ("indexed", None)
    assert await status(workspace, bad) == ("failed", f"Text search only: {reason}: the endpoint answered no")
    assert await workspace.titles("poison", mode="text") == ["Bad"]
    assert await workspace.count("embedding") == 1


async def test_a_failed_document_can_be_retried(workspace: SearchWorkspace) -> None:
    bad = await workspace.put("Bad", "poison")
    await workspace.index(bad, resources=with_embedder(workspace.resources, Choosy("poison")))
    await workspace.index(bad, resources=with_embedder(workspace.resources, Choosy("nothing")))
    assert await status(workspace, bad) == ("indexed", None)


@pytest.mark.parametrize(
    "content",
    ["", "x" * 300_000, "漢" * 20_000, "a" * 5000 + " b", "\x01\x02\ufdd0 words \ufdd1", "a.b/c@d " * 5000],
    ids=["empty", "one-word", "no-spaces", "long-word", "control", "addresses"],
)
async def test_odd_content_is_indexed(workspace: SearchWorkspace, content: str) -> None:
    document = await workspace.put("Odd content", content)
    await workspace.index(document)
    assert await status(workspace, document) == ("indexed", None)
    assert await workspace.titles("odd") == ["Odd content"]


async def test_many_documents_take_several_batches(workspace: SearchWorkspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(indexer, "DOCUMENTS_AT_ONCE", 25)
    for number in range(60):
        await workspace.put(f"Document {number}", f"word{number} common")
    await workspace.work()
    assert len(await workspace.titles("common", mode="text", limit=100)) == 60
    assert (await workspace.titles("word42", mode="text"))[0] == "Document 42"


def test_reasons_tell_nothing_of_the_inside() -> None:
    error = DBAPIError("SELECT secret", {}, Exception("secret"))
    assert reason_of(error) == "The text cannot be indexed (SQLSTATE unknown)"
    assert reason_of(KeyError("secret")) == "An internal error (KeyError)"
