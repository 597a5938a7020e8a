"""What a tool is given: the input, the documents of the run's own project, and nothing else."""

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
    """Reads as the principal that started the run, whose right is looked up each time. No method names a project."""

    async def search(self, query: SearchQuery) -> list[SearchHit]: ...

    async def list(self, query: DocumentQuery) -> list[DocumentSummary]:
        """The first page; cursors are not followed."""
        ...

    async def page(self, document_id: UUID, start: int, length: int) -> TextPage:
        """At most `length` characters of the text from `start` on, without reading the rest.

        Raises DocumentNotFoundError, also for a document of another project.
        """
        ...

    def whole(self, document_id: UUID) -> AbstractAsyncContextManager[Document]:
        """The document while it is worked on: a large one waits for memory, of which each account has a share.

        Raises DocumentNotFoundError and BudgetSpentError.
        """
        ...

    async def read(self, document_id: UUID) -> Document:
        """The same, for a document that is kept: prefer `page`."""
        ...


class Effects(Protocol):
    """For a tool that changes something: a step that was cut short runs again, and its effect must not."""

    @property
    def key(self) -> str:
        """An idempotency key of the tool call at hand, the same when it is repeated; for effects elsewhere."""
        ...

    async def once(self, work: Callable[[DocumentService], Awaitable[JsonValue]]) -> JsonValue:
        """Does `work` in one transaction with the note that it is done; a repeat answers what it answered then.

        Once in each tool call.
        """
        ...


@dataclass(frozen=True, slots=True)
class RunDeps[I]:
    """The dependencies of a run. A tool finds them as `ctx.deps`.

    `threads` are for a check that takes its time: the project's account has a share of them. `comment` is what was said
    with the last decision on what the run asked for, where something was.
    """

    input: I
    documents: ProjectDocuments
    effects: Effects
    threads: SharedThreads
    comment: str | None = None
