"""The services for tools: bound to one project and to the principal that started the run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy.exc import SQLAlchemyError

from partywall.core.db.driver_errors import DatabaseAwayError, session_is_away
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.jobs.context import JobContext
from partywall.core.pagination import Cursors
from partywall.core.schemas import Page
from partywall.core.tenant import current_tenant
from partywall.features.agents.deps import Effects, ProjectDocuments
from partywall.features.documents import reader as reader_module
from partywall.features.documents.reader import DocumentJson, TextPage
from partywall.features.documents.schemas import Document, DocumentQuery, DocumentSummary
from partywall.features.documents.service import DocumentService
from partywall.features.runs.execution.journal import Journal, current_step, idempotency_key
from partywall.features.runs.execution.journal_repository import JournalReader, JournalWriter
from partywall.features.search.schemas import SearchHit, SearchQuery
from partywall.features.search.service import SearchService

_CURSORS: Final = "cursors"
# PostgreSQL counts characters in 32 bits.
_BEYOND_EVERY_TEXT: Final = 2**30


class ScopedDocuments(ProjectDocuments):
    """Checks the principal's access on every call."""

    def __init__(self, context: JobContext, reader: ScopedReader, project_id: UUID) -> None:
        resources = context.resources
        self._answers = resources.answers
        self._reader = reader
        self._project_id = project_id
        self._search = SearchService.of(reader, resources)
        self._cursors = Cursors(resources.secrets.signer(_CURSORS))

    async def search(self, query: SearchQuery) -> list[SearchHit]:
        return (await self._search.search(self._project_id, query)).result.items

    async def list(self, query: DocumentQuery) -> list[DocumentSummary]:
        first = query.model_copy(update={"cursor": None})
        page = await reader_module.list_documents(self._reader, self._project_id, first, self._cursors)
        return Page[DocumentSummary].model_validate_json(page).items

    async def page(self, document_id: UUID, start: int, length: int) -> TextPage:
        first = min(start, _BEYOND_EVERY_TEXT)
        return await reader_module.get_text(self._reader, self._project_id, document_id, first, length)

    @asynccontextmanager
    async def whole(self, document_id: UUID) -> AsyncIterator[Document]:
        found = await reader_module.get(self._reader, self._project_id, document_id)
        if isinstance(found, DocumentJson):
            yield Document.model_validate_json(found.body)
            return
        async with self._answers.room(current_tenant().name, found.size):
            whole = await reader_module.get_whole(self._reader, self._project_id, document_id)
            yield Document.model_validate_json(whole.body)

    async def read(self, document_id: UUID) -> Document:
        async with self.whole(document_id) as document:
            return document


class JournalEffects(Effects):
    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @property
    def key(self) -> str:
        return idempotency_key(current_step())

    async def once(self, work: Callable[[DocumentService], Awaitable[JsonValue]]) -> JsonValue:
        """Raises DatabaseAwayError if the database is unavailable, which is not the tool's fault."""
        try:
            return await self._once(work)
        except (SQLAlchemyError, OSError) as error:
            if session_is_away(error):
                raise DatabaseAwayError from error
            raise

    async def _once(self, work: Callable[[DocumentService], Awaitable[JsonValue]]) -> JsonValue:
        step = current_step()
        async with self._journal.transaction() as (session, scope):
            done = await JournalReader(session, scope).effect(step)
            if isinstance(done, list):
                return done[0]
            answer = await work(DocumentService(session, scope))
            await JournalWriter(session, scope).note_effect(step, answer)
            return answer
