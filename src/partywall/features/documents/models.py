from __future__ import annotations

from datetime import datetime
from typing import Final, cast
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from partywall.core.db.base import Base, TableKind

_KEPT: Final = text("deleted_at IS NULL")
# Formatted as PostgreSQL prints it, because a test compares the two.
_IS_LARGE: Final = text("\nCASE\n    WHEN size > 131072 THEN 1\n    ELSE 0\nEND")


class Document(Base):
    """`revision` counts edits by callers, `state` changes by workers. Both are part of the entity tag.

    `index_status` belongs to the revision; `version` is the newest version's number. A pending document waits to be
    indexed, or only for its vectors if `index_error` says why they are missing. The `original_*` columns describe the
    uploaded file, which is stored as a blob. `source_sha256` is its hash, until the text is changed otherwise. While
    its text has not been read, `unread_title` is the title that the file's own replaces, and `unread_by` who uploaded
    it if it replaced another file; `unread_note` is the `index_error` that returns once an earlier text is indexed.
    `history_bytes` is the size of its texts in `document_text`, maintained by the database. A document with
    `deleted_at` is invisible: it is in the trash until `purge_at`, or without that deleted for good. While it is
    `purging`, its passages or all its rows are being removed.
    """

    __tablename__ = "document"
    __table_args__ = (
        CheckConstraint("status IN ('draft', 'published')", name="status"),
        CheckConstraint("index_status IN ('pending', 'indexed', 'failed')", name="index_status"),
        Index(
            "document_external_id_key",
            "project_id",
            "external_id",
            unique=True,
            postgresql_where=text("external_id IS NOT NULL"),
        ),
        Index("document_created_at_idx", "project_id", "created_at", "id", postgresql_where=_KEPT),
        Index("document_updated_at_idx", "project_id", "updated_at", "id", postgresql_where=_KEPT),
        Index("document_title_idx", "project_id", "title", "id", postgresql_where=_KEPT),
        Index("document_purging_idx", "project_id", "deleted_at", postgresql_where=text("purging")),
        Index("document_trash_idx", "project_id", "deleted_at", "id", postgresql_where=text("purge_at IS NOT NULL")),
        Index("document_purge_at_idx", "purge_at", postgresql_where=text("purge_at IS NOT NULL")),
        Index(
            "document_pending_idx",
            "project_id",
            _IS_LARGE,
            "id",
            postgresql_where=text("index_status = 'pending' AND index_error IS NULL AND deleted_at IS NULL"),
        ),
        Index(
            "document_original_key_idx", "project_id", "original_key", postgresql_where=text("original_key IS NOT NULL")
        ),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    external_id: Mapped[str | None] = mapped_column(Text)
    title: Mapped[str] = mapped_column(Text)
    content: Mapped[str] = mapped_column(Text)
    # `metadata` is reserved on declarative classes.
    attributes: Mapped[dict[str, JsonValue]] = mapped_column("metadata", JSONB, server_default="{}")
    status: Mapped[str] = mapped_column(Text, server_default="draft")
    index_status: Mapped[str] = mapped_column(Text, server_default="pending")
    index_error: Mapped[str | None] = mapped_column(Text)
    chunks: Mapped[int] = mapped_column(Integer, server_default="0")
    media_type: Mapped[str] = mapped_column(Text, server_default="text/plain")
    size: Mapped[int] = mapped_column(Integer)
    content_sha256: Mapped[str] = mapped_column(Text)
    revision: Mapped[int] = mapped_column(Integer, server_default="1")
    state: Mapped[int] = mapped_column(Integer, server_default="0")
    version: Mapped[int] = mapped_column(Integer, server_default="1")
    original_key: Mapped[str | None] = mapped_column(Text(collation="C"))
    original_name: Mapped[str | None] = mapped_column(Text)
    original_size: Mapped[int | None] = mapped_column(BigInteger)
    source_sha256: Mapped[str | None] = mapped_column(Text)
    unread_title: Mapped[str | None] = mapped_column(Text)
    unread_by: Mapped[str | None] = mapped_column(Text)
    unread_note: Mapped[str | None] = mapped_column(Text)
    history_bytes: Mapped[int] = mapped_column(BigInteger, server_default="0")
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    purge_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    purging: Mapped[bool] = mapped_column(Boolean, server_default="false")
    former_external_id: Mapped[str | None] = mapped_column(Text)


class DocumentVersion(Base):
    """Title and content after a change; the newest version equals the document.

    Each text is stored once, by hash: in the document if it is the current text, otherwise in `document_text`.
    """

    __tablename__ = "document_version"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "document_id"], ["document.project_id", "document.id"], ondelete="CASCADE"),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    document_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    size: Mapped[int] = mapped_column(Integer)
    content_sha256: Mapped[str] = mapped_column(Text)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class DocumentText(Base):
    """A former text of a document. It is deleted with the last version that refers to it."""

    __tablename__ = "document_text"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "document_id"], ["document.project_id", "document.id"], ondelete="CASCADE"),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    document_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    content_sha256: Mapped[str] = mapped_column(Text, primary_key=True)
    size: Mapped[int] = mapped_column(Integer)
    content: Mapped[str] = mapped_column(Text)


class ArchiveEntry(Base):
    """A document that was made of a file in an archive.

    It may outlive the archive's document. `sha256` is that of the file, `archive_key` the blob of the newest archive
    that has it.
    """

    __tablename__ = "archive_entry"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "document_id"], ["document.project_id", "document.id"], ondelete="CASCADE"),
        Index("archive_entry_path_idx", "project_id", "archive_id", "path"),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    document_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    archive_id: Mapped[UUID] = mapped_column(Uuid)
    path: Mapped[str] = mapped_column(Text)
    sha256: Mapped[str] = mapped_column(Text)
    archive_key: Mapped[str] = mapped_column(Text)


class IndexingAttempt(Base):
    """An attempt to index a document. While `revision` is current, it cannot be leased again before `due_at`.

    `words`: its words are indexed, but its vectors are missing.
    """

    __tablename__ = "indexing_attempt"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "document_id"], ["document.project_id", "document.id"], ondelete="CASCADE"),
        Index("indexing_attempt_words_idx", "project_id", "document_id", postgresql_where=text("words")),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    document_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    revision: Mapped[int] = mapped_column(Integer)
    attempts: Mapped[int] = mapped_column(Integer)
    due_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    lease: Mapped[UUID | None] = mapped_column(Uuid)
    words: Mapped[bool] = mapped_column(Boolean, server_default="false")


class DocumentValue(Base):
    """A value in a document's metadata; see `sql/filters.sql` for how it is written."""

    __tablename__ = "document_value"
    __table_args__ = (
        ForeignKeyConstraint(["project_id", "document_id"], ["document.project_id", "document.id"], ondelete="CASCADE"),
        Index("document_value_project_id_document_id_idx", "project_id", "document_id"),
        {"info": {"kind": TableKind.PROJECT}},
    )

    project_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)
    name: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    value: Mapped[str] = mapped_column(Text(collation="C"), primary_key=True)
    document_id: Mapped[UUID] = mapped_column(Uuid, primary_key=True)


class DocumentDeletion(Base):
    """A deletion of all documents that match a filter. `last_document` is how far it has come, in the order of ids."""

    __tablename__ = "document_deletion"
    __table_args__ = ({"info": {"kind": TableKind.PROJECT}},)

    project_id: Mapped[UUID] = mapped_column(Uuid, ForeignKey("project.id", ondelete="CASCADE"), primary_key=True)
    id: Mapped[UUID] = mapped_column(Uuid, primary_key=True, server_default=func.uuidv7())
    filter: Mapped[dict[str, JsonValue]] = mapped_column(JSONB)
    created_by: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    last_document: Mapped[UUID | None] = mapped_column(Uuid)
    deleted: Mapped[int] = mapped_column(Integer, server_default="0")
    finished_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    error: Mapped[str | None] = mapped_column(Text)


# For statements without the ORM. `cast`, because declarative classes type `__table__` as FromClause.
DOCUMENT: Final = cast("Table", Document.__table__)
DOCUMENT_VERSION: Final = cast("Table", DocumentVersion.__table__)
INDEXING_ATTEMPT: Final = cast("Table", IndexingAttempt.__table__)
DOCUMENT_TEXT: Final = cast("Table", DocumentText.__table__)
DOCUMENT_DELETION: Final = cast("Table", DocumentDeletion.__table__)
DOCUMENT_VALUE: Final = cast("Table", DocumentValue.__table__)
