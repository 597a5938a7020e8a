"""What the slice that indexes asks and reports. Its progress changes the entity tag, never the content's revision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Row

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.events.announcer import Announcer
from partywall.core.events.log import EventLog, News
from partywall.core.tenancy import ProjectScope
from partywall.features.documents.constants import MAX_INDEX_ERROR
from partywall.features.documents.indexing_repository import IndexingRepository
from partywall.features.documents.merging import language_of


class DocumentText(NamedTuple):
    """`content` is text or Markdown, also where `media_type` is that of an uploaded HTML page."""

    id: UUID
    title: str
    content: str
    media_type: str
    version: int
    metadata: dict[str, JsonValue]

    @property
    def language(self) -> str | None:
        return language_of(self.metadata)


class DocumentToIndex(NamedTuple):
    """`chunks` is how many of it are indexed, `waiting` whether what is newest is not."""

    id: UUID
    version: int
    size: int
    chunks: int
    waiting: bool


class Indexed(NamedTuple):
    """What of a document is in the index now: this version in this language, cut into so many chunks."""

    id: UUID
    version: int
    chunks: int
    language: str | None = None


async def documents_to_index(
    session: AsyncReadSession, scope: ProjectScope, ids: Sequence[UUID]
) -> list[DocumentToIndex]:
    """Those that still exist, in the order of their ids."""
    return [DocumentToIndex(*row) for row in await IndexingRepository(session, scope).sizes(ids)]


async def texts_to_index(session: AsyncReadSession, scope: ProjectScope, ids: Sequence[UUID]) -> list[DocumentText]:
    """The text of those that still exist, whatever their index status, in no particular order."""
    return [DocumentText(*row) for row in await IndexingRepository(session, scope).texts(ids)]


async def ids_in_project(
    session: AsyncReadSession, scope: ProjectScope, *, after: UUID | None, limit: int
) -> list[UUID]:
    """The project's documents in the order of their ids, for a walk over all of them."""
    return await IndexingRepository(session, scope).ids(after, limit)


async def mark_indexed(
    session: AsyncSession, scope: ProjectScope, announcer: Announcer, indexed: Sequence[Indexed]
) -> set[UUID]:
    """Marks those whose version and language are still the newest, and answers their ids.

    Locks those documents until the transaction ends. What is missing from the answer has changed meanwhile, which asks
    for no job of its own while a document is waiting, or is gone: keep nothing of it, and index it again if it waits.
    """
    rows = await IndexingRepository(session, scope).mark_indexed(indexed)
    _tell(session, scope, announcer, "document.indexed", rows, {})
    return {row.id for row in rows}


async def mark_failed(
    session: AsyncSession, scope: ProjectScope, announcer: Announcer, id_: UUID, version: int, reason: str
) -> bool:
    """Records why; `reason` is shown to people. False where the document has changed since."""
    reason = reason.replace("\x00", "")[:MAX_INDEX_ERROR]
    rows = await IndexingRepository(session, scope).mark_failed(id_, version, reason)
    _tell(session, scope, announcer, "document.failed", rows, {"reason": reason})
    return bool(rows)


def _tell(
    session: AsyncSession,
    scope: ProjectScope,
    announcer: Announcer,
    type_: str,
    rows: Sequence[Row[UUID, int, int]],
    data: dict[str, JsonValue],
) -> None:
    news = [
        News(type_, "document", str(row.id), {"version": row.version, "revision": row.revision, **data}) for row in rows
    ]
    if news:
        EventLog(session, scope, announcer).append(*news)
