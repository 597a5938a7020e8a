"""What tools get: the input and the documents of the run's own project, nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from pydantic import JsonValue

from partywall.core.shared_threads import SharedThreads
from partywall.features.documents.reader import TextPage
from partywall.features.documents.schemas import Document, DocumentQuery, DocumentSummary
from partywall.features.documents.service import DocumentService
from partywall.features.search.schemas import SearchHit, SearchQuery


class ProjectDocuments(Protocol):
    """Reads as the principal that started the run; its right is checked on every call. No method takes a project."""

    async def search(self, query: SearchQuery) -> list[SearchHit]: ...

    async def list(self, query: DocumentQuery) -> list[DocumentSummary]:
        """The first page only; the query's cursor is ignored."""
        ...

    async def page(self, document_id: UUID, start: int, length: int) -> TextPage:
        """At most `length` characters of the text from `start`, without loading the rest.

        Raises DocumentNotFoundError, also for a document of another project.
        """
        ...

    def whole(self, document_id: UUID) -> AbstractAsyncContextManager[Document]:
        """The whole document inside a context. Large ones wait for their account's share of memory.

        Raises DocumentNotFoundError and BudgetSpentError.
        """
        ...

    async def read(self, document_id: UUID) -> Document:
        """The whole document, for callers that keep it; prefer `page`."""
        ...


class Effects(Protocol):
    """For tools that change something: an interrupted step runs again, but its effect must happen once."""

    @property
    def key(self) -> str:
        """An idempotency key for effects in other systems; the same when the tool call is repeated."""
        ...

    async def once(self, work: Callable[[DocumentService], Awaitable[JsonValue]]) -> JsonValue:
        """Runs `work` in the transaction that records its completion; a repeat returns the first result.

        May be called once in each tool call.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunDeps[I]:
    """The dependencies of a run; tools use them as `ctx.deps`.

    `threads` run slow checks; each account has a share of them. `comment` is the comment of the last decision, if any.
    """

    input: I
    documents: ProjectDocuments
    effects: Effects
    threads: SharedThreads
    comment: str | None = None
