"""Creates documents, one or many in a request, each once."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson

from partywall.core.db.driver_errors import violations
from partywall.core.db.scoped_access import ScopedReader, ScopedWriter
from partywall.core.db.scoped_query import ScopedQuery, Value
from partywall.core.db.session import AsyncReadSession
from partywall.core.errors import ContentTooLargeError, QuotaExceededError
from partywall.core.idempotency.replay import Show
from partywall.core.ids import new_id
from partywall.core.large_answers import LARGE_ANSWER_BYTES
from partywall.core.rights import require
from partywall.core.tenancy import ProjectScope
from partywall.features.documents import reader_repository, upload_repository
from partywall.features.documents.constants import INLINE_BYTES, MAX_CONTENT_BYTES, READING
from partywall.features.documents.creation_repository import (
    CREATE,
    CREATE_BATCH,
    CREATE_LARGE,
    NewDocument,
    values_of,
    values_of_many,
)
from partywall.features.documents.exceptions import VIOLATIONS, DocumentNotFoundError, ExternalIdTakenError
from partywall.features.documents.repository import DocumentRepository
from partywall.features.documents.rights import DOCUMENT_WRITE
from partywall.features.documents.schemas import DocumentCreate, metadata_json

_MAY_WRITE: Final = list(DOCUMENT_WRITE.roles)


# Characters of a large text to encode at once, so that no second copy of the whole text is in memory.
_PIECE: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Original:
    """The blob that a document is made from. If a worker has to read it, its own title replaces `unread_title`."""

    key: str
    name: str | None
    size: int
    sha256: str
    unread_title: str | None = None


def may_write(scope: ProjectScope) -> None:
    require(scope, DOCUMENT_WRITE)


def digest(content: str) -> tuple[int, str]:
    """Size in bytes and SHA-256 of the content in UTF-8; raises ContentTooLargeError."""
    size, sha256 = 0, hashlib.sha256()
    for start in range(0, len(content), _PIECE):
        encoded = content[start : start + _PIECE].encode()
        size += len(encoded)
        sha256.update(encoded)
    if size > MAX_CONTENT_BYTES:
        raise ContentTooLargeError(f"A document's content may have at most {MAX_CONTENT_BYTES} bytes.")
    return size, sha256.hexdigest()


def prepare(body: DocumentCreate, media_type: str | None = None, original: Original | None = None) -> NewDocument:
    """A file has its own `media_type`."""
    size, sha256 = digest(body.content)
    return NewDocument(
        id=new_id(),
        external_id=body.external_id,
        title=body.title,
        content=body.content,
        metadata=metadata_json(body.metadata) if body.metadata else "{}",
        status=body.status,
        media_type=media_type or body.media_type,
        size=size,
        content_sha256=sha256,
        original_key=original.key if original else None,
        original_name=original.name if original else None,
        original_size=original.size if original else None,
        index_error=None if original is None or original.unread_title is None else READING,
        source_sha256=original.sha256 if original else None,
        unread_title=original.unread_title if original else None,
    )


async def prepared(bodies: Sequence[DocumentCreate]) -> list[NewDocument]:
    """Prepare the rows, in the order given. Call it before a transaction begins."""
    if sum(len(body.content) for body in bodies) < INLINE_BYTES:
        return [prepare(body) for body in bodies]
    return await asyncio.to_thread(lambda: [prepare(body) for body in bodies])


async def insert(writer: ScopedWriter, project_id: UUID, document: NewDocument) -> bytes:
    """Insert a document and return its JSON. A large text is not read back from the database for it."""
    is_large = document.size > LARGE_ANSWER_BYTES
    with violations(VIOLATIONS):
        row = await _write(CREATE_LARGE if is_large else CREATE, writer, project_id, values_of(document))
    return with_content(row, document.content) if is_large else row


async def insert_batch(
    writer: ScopedWriter, reader: ScopedReader, project_id: UUID, documents: Sequence[NewDocument]
) -> bytes:
    """Insert all documents or none, in one statement. Returns a JSON array of them in the same order.

    Raises ExternalIdTakenError with the index of the first conflict.
    """
    _refuse_duplicates(documents)
    try:
        with violations(VIOLATIONS):
            return await _write(CREATE_BATCH, writer, project_id, values_of_many(documents))
    except ExternalIdTakenError as error:
        # Row-level security keeps the offending key out of PostgreSQL's message.
        raise ExternalIdTakenError(await _first_taken(reader, project_id, documents)) from error


async def _write(write: ScopedQuery, writer: ScopedWriter, project_id: UUID, values: Mapping[str, Value]) -> bytes:
    scope, row = await writer.row(write, project_id, _MAY_WRITE, values)
    may_write(scope)
    body = row["body"]
    assert isinstance(body, bytes)
    return body


def with_content(row: bytes, content: str) -> bytes:
    """Add the content to the JSON of a document without it."""
    pieces = (content[start : start + _PIECE] for start in range(0, len(content), _PIECE))
    return b"".join((row[:-1], b',"content":"', *(orjson.dumps(piece)[1:-1] for piece in pieces), b'"}'))


def _refuse_duplicates(documents: Sequence[NewDocument]) -> None:
    seen: Counter[str] = Counter()
    for index, document in enumerate(documents):
        if document.external_id is not None:
            seen[document.external_id] += 1
            if seen[document.external_id] > 1:
                raise ExternalIdTakenError(index)


def show_one(scope: ProjectScope) -> Show:
    """Shows a document in its current state."""

    async def show(session: AsyncReadSession, ids: Sequence[UUID]) -> bytes:
        row = await DocumentRepository(session, scope).shown(ids[0])
        if row is None:
            raise DocumentNotFoundError
        body: bytes = row.body
        return body

    return show


def show_batch(scope: ProjectScope) -> Show:
    """Shows documents in the order in which they were created."""

    async def show(session: AsyncReadSession, ids: Sequence[UUID]) -> bytes:
        return b'{"items":%b}' % await DocumentRepository(session, scope).summaries(ids)

    return show


async def require_room(reader: ScopedReader, project_id: UUID, size: int, documents: int = 1) -> None:
    """Raises QuotaExceededError if more documents, or `size` more bytes, would exceed a quota."""
    _, row = await reader.row(upload_repository.ROOM, project_id, {})
    for quota, more in (("documents", documents), ("bytes", size)):
        used, most = row[quota], row[f"most_{quota}"]
        if most is not None and more > 0 and used + more > most:
            raise QuotaExceededError(quota, int(used), more, int(most))


async def _first_taken(reader: ScopedReader, project_id: UUID, documents: Sequence[NewDocument]) -> int | None:
    wanted = [document.external_id for document in documents]
    values = {"external_ids": [each for each in wanted if each is not None]}
    _, row = await reader.row(reader_repository.TAKEN, project_id, values)
    taken = set(row["taken"] or ())
    return next((index for index, each in enumerate(wanted) if each in taken), None)
