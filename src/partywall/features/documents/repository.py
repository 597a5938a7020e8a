"""Changes documents; `creation_repository.py` creates them, `reader_repository.py` reads them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

from sqlalchemy import ColumnElement, Row, Text, and_, bindparam, case, delete, func, insert, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import defer

from partywall.core.db.json_rows import json_bytes, json_row, json_rows
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.schemas import JsonObject
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.documents.columns import document_columns
from partywall.features.documents.constants import READING
from partywall.features.documents.jobs import enqueue_reading
from partywall.features.documents.models import (
    DOCUMENT,
    DOCUMENT_VERSION,
    INDEXING_ATTEMPT,
    Document,
    DocumentText,
    DocumentVersion,
)

WAITING: Final = "pending"

_GIVEN_KEYS: Final = bindparam("keys", type_=ARRAY(Text))
_USED: Final = select(func.wall.used_blobs(_GIVEN_KEYS).table_valued("key", name="used").c.key)
# A worker has not read the text of the uploaded file.
_IS_UNREAD: Final = DOCUMENT.c.unread_title.is_not(None)
# An unread file may have replaced a text.
_HAS_TEXT: Final = (
    select(DOCUMENT_VERSION.c.number)
    .where(
        DOCUMENT_VERSION.c.project_id == DOCUMENT.c.project_id,
        DOCUMENT_VERSION.c.document_id == DOCUMENT.c.id,
        DOCUMENT_VERSION.c.number == DOCUMENT.c.version,
    )
    .exists()
)
# Another title does not end the wait for the text of a file.
_STILL_READING: Final = case((DOCUMENT.c.index_error == READING, READING), else_=None)
_BODY: Final = json_bytes(json_row(document_columns(DOCUMENT, content=True), DOCUMENT))
_BODY_BUT_CONTENT: Final = json_bytes(json_row(document_columns(DOCUMENT, content=False), DOCUMENT))


class Fields(Protocol):
    """All fields that callers set on a document."""

    @property
    def title(self) -> str: ...

    @property
    def content(self) -> str | None: ...

    @property
    def external_id(self) -> str | None: ...

    @property
    def status(self) -> str: ...

    @property
    def metadata(self) -> JsonObject: ...


@dataclass(frozen=True, slots=True)
class DocumentChange:
    """The `fields` of `wanted` to write: only those that differ, because writing a text stores its predecessor.

    `digest` is size and SHA-256 of a changed content, which then is no longer that of a file. `version` is the number
    of the version that the change makes.
    """

    wanted: Fields
    fields: Collection[str]
    digest: tuple[int, str] | None
    version: int | None
    awaits_index: bool


def _columns(change: DocumentChange) -> dict[str, str | int | JsonObject | None]:
    wanted = change.wanted
    columns: dict[str, str | int | JsonObject | None] = {
        "title": wanted.title, "content": wanted.content, "external_id": wanted.external_id, "status": wanted.status,
        "metadata": wanted.metadata,
    }  # fmt: skip
    values = {name: columns[name] for name in change.fields}
    if change.digest is not None:
        values["size"], values["content_sha256"] = change.digest
        values |= {"source_sha256": None, "unread_title": None, "unread_by": None, "unread_note": None}
    if change.version is not None:
        values["version"] = change.version
    if change.awaits_index:
        values |= {"index_status": WAITING, "index_error": None}
    return values


@dataclass(frozen=True, slots=True)
class DocumentRepository:
    session: AsyncReadSession
    scope: ProjectScope

    async def content(self, id_: UUID) -> str:
        query = select(DOCUMENT.c.content).where(DOCUMENT.c.project_id == self.scope.project_id, DOCUMENT.c.id == id_)
        found: str = (await self.session.execute(query)).scalar_one()
        return found

    async def shown(self, id_: UUID, *, content: bool = True) -> Row[bytes, int, int] | None:
        """The document's JSON, revision and state; None when it is gone."""
        columns = ((_BODY if content else _BODY_BUT_CONTENT).label("body"), DOCUMENT.c.revision, DOCUMENT.c.state)
        query = select(*columns).where(DOCUMENT.c.project_id == self.scope.project_id, DOCUMENT.c.id == id_)
        return (await self.session.execute(query)).one_or_none()

    async def summaries(self, ids: Sequence[UUID]) -> bytes:
        """A JSON array of documents without content, sorted by id."""
        columns, rows = DOCUMENT.c, document_columns(DOCUMENT, content=False)
        chosen = (
            select(*rows).where(columns.project_id == self.scope.project_id, columns.id.in_(ids)).order_by(columns.id)
        ).subquery("chosen")
        found: bytes | None = await self.session.scalar(
            select(json_bytes(json_rows(list(chosen.c), chosen))).select_from(chosen)
        )
        return found or b"[]"

    async def existing(self, ids: Collection[UUID]) -> set[UUID]:
        """The ids that exist."""
        query = select(Document.id).where(Document.project_id == self.scope.project_id, Document.id.in_(ids))
        return set(await self.session.scalars(query))

    async def version(self, id_: UUID, number: int) -> Row[str, str] | None:
        """Title and content of a version, or None."""
        current = and_(
            Document.project_id == DocumentVersion.project_id,
            Document.id == DocumentVersion.document_id,
            Document.content_sha256 == DocumentVersion.content_sha256,
        )
        earlier = and_(
            DocumentText.project_id == DocumentVersion.project_id,
            DocumentText.document_id == DocumentVersion.document_id,
            DocumentText.content_sha256 == DocumentVersion.content_sha256,
        )
        query = (
            select(DocumentVersion.title, func.coalesce(Document.content, DocumentText.content).label("content"))
            .outerjoin(Document, current)
            .outerjoin(DocumentText, earlier)
            .where(
                DocumentVersion.project_id == self.scope.project_id,
                DocumentVersion.document_id == id_,
                DocumentVersion.number == number,
            )
        )
        return (await self.session.execute(query)).one_or_none()

    async def used(self, keys: Sequence[str]) -> set[str]:
        """The blob keys that documents still refer to, also those in the trash."""
        return set(await self.session.scalars(_USED, {"keys": list(keys)}))


@dataclass(frozen=True, slots=True)
class DocumentWriter:
    session: AsyncSession
    scope: SharedScope

    async def lock(self, id_: UUID) -> Document | None:
        """Lock the document for a change. The content is not read, because it may be large."""
        return await self._lock(Document.id == id_)

    async def lock_named(self, external_id: str) -> Document | None:
        """The same for the document with this external id."""
        return await self._lock(Document.external_id == external_id)

    async def _lock(self, wanted: ColumnElement[bool]) -> Document | None:
        query = (
            select(Document)
            .options(defer(Document.content))
            .where(Document.project_id == self.scope.project_id, wanted)
        )
        found = await self.session.scalars(query.with_for_update(), execution_options={"populate_existing": True})
        return found.one_or_none()

    async def hold_equal_file(self, sha256: str) -> str | None:
        """The blob key of a document with an equal file, which cannot be deleted before this transaction ends.

        A deletion of blobs looks for documents first, and finds that one, or the new one.
        """
        key = DOCUMENT.c.original_key
        equal = (DOCUMENT.c.project_id == self.scope.project_id, key >= f"{sha256}-", key < f"{sha256}.")
        query = select(key).where(*equal, DOCUMENT.c.deleted_at.is_(None)).limit(1)
        return await self.session.scalar(query.with_for_update(read=True, skip_locked=True))

    async def lock_to_delete(self, id_: UUID) -> Row[int, str, str | None, str | None, str] | None:
        """Lock the document, and return its revision, title, external id, blob key and media type."""
        names = ("revision", "title", "external_id", "original_key", "media_type")
        wanted = (DOCUMENT.c.project_id == self.scope.project_id, DOCUMENT.c.id == id_, DOCUMENT.c.deleted_at.is_(None))
        columns = (DOCUMENT.c[name] for name in names)
        return (await self.session.execute(select(*columns).where(*wanted).with_for_update())).one_or_none()

    async def write(self, id_: UUID, change: DocumentChange) -> int:
        """Write the change and return the new revision. A database trigger keeps the replaced text.

        Values are passed as parameters, because SQLAlchemy's cache of compiled statements would keep inline values.
        """
        values = _columns(change)
        given: dict[str, ColumnElement[object]] = {
            name: bindparam(f"new_{name}", type_=DOCUMENT.c[name].type) for name in values
        }
        if change.awaits_index and change.digest is None:
            given["index_error"] = _STILL_READING
            del values["index_error"]
        statement = (
            update(DOCUMENT)
            .where(DOCUMENT.c.project_id == self.scope.project_id, DOCUMENT.c.id == id_)
            .values(**given, revision=DOCUMENT.c.revision + 1, updated_at=func.clock_timestamp())
            .returning(DOCUMENT.c.revision)
        )
        bound = {f"new_{name}": value for name, value in values.items()}
        revision: int = (await self.session.execute(statement, bound)).scalar_one()
        return revision

    async def add_version(self, id_: UUID) -> None:
        """Store the current title and content as a version. The database drops the oldest versions above the quota."""
        names = ("title", "size", "content_sha256")
        current = select(
            DOCUMENT.c.project_id, DOCUMENT.c.id, DOCUMENT.c.version, *(DOCUMENT.c[name] for name in names),
            literal(str(self.scope.principal)), DOCUMENT.c.updated_at,
        ).where(DOCUMENT.c.project_id == self.scope.project_id, DOCUMENT.c.id == id_)  # fmt: skip
        columns = ["project_id", "document_id", "number", *names, "created_by", "created_at"]
        await self.session.execute(insert(DOCUMENT_VERSION).from_select(columns, current))

    async def mark_unread(self, id_: UUID) -> None:
        """Have the file of the document read again. The title stays."""
        await self.session.execute(
            update(DOCUMENT)
            .where(
                DOCUMENT.c.project_id == self.scope.project_id,
                DOCUMENT.c.id == id_,
                DOCUMENT.c.unread_title.is_(None),
            )
            .values(unread_title="", unread_note=None, index_status=WAITING, index_error=READING)
        )

    async def await_index(self, ids: Sequence[UUID]) -> list[UUID]:
        """Mark documents as pending, without the pause after an earlier attempt.

        Returns the documents whose text has to be read from their file; until then their earlier text is indexed.
        """
        await self.session.execute(
            update(DOCUMENT)
            .where(
                DOCUMENT.c.project_id == self.scope.project_id,
                DOCUMENT.c.id.in_(ids),
                (DOCUMENT.c.index_status != WAITING) | DOCUMENT.c.index_error.is_not(None),
            )
            .values(
                index_status=WAITING,
                index_error=case((_IS_UNREAD & ~_HAS_TEXT, READING), else_=None),
                unread_note=case((_IS_UNREAD, READING), else_=None),
                state=DOCUMENT.c.state + 1,
            )
        )
        await self.session.execute(
            delete(INDEXING_ATTEMPT).where(
                INDEXING_ATTEMPT.c.project_id == self.scope.project_id,
                INDEXING_ATTEMPT.c.document_id.in_(ids),
                INDEXING_ATTEMPT.c.lease.is_(None),
            )
        )
        unread = select(DOCUMENT.c.id).where(
            DOCUMENT.c.project_id == self.scope.project_id, DOCUMENT.c.id.in_(ids), _IS_UNREAD
        )
        return list(await self.session.scalars(unread))

    async def await_index_of(self, status: str | None, note: str | None, after: UUID, limit: int) -> list[UUID]:
        """Call `await_index` for up to `limit` documents with ids above `after`, and return their ids in order.

        `status` and a part of the `note` select them; None matches all. They are locked in the order of their ids.
        """
        chosen = (
            select(DOCUMENT.c.id)
            .where(DOCUMENT.c.project_id == self.scope.project_id, DOCUMENT.c.id > after)
            .order_by(DOCUMENT.c.id)
        )
        if status is not None:
            chosen = chosen.where(DOCUMENT.c.index_status == status)
        if note is not None:
            chosen = chosen.where(DOCUMENT.c.index_error.contains(note, autoescape=True))
        ids = list(await self.session.scalars(chosen.limit(limit).with_for_update()))
        for id_ in await self.await_index(ids):
            await enqueue_reading(self.session, self.scope.project_id, id_)
        return ids
