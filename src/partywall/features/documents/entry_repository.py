"""The documents that were made of the files in archives."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import ARRAY, Text, Uuid, bindparam, column, exists, func, select, update
from sqlalchemy.dialects.postgresql import insert

from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.documents.models import DOCUMENT, ArchiveEntry, Document
from partywall.features.documents.trash_repository import TrashWriter

_OF_ENTRY: Final = (DOCUMENT.c.project_id == ArchiveEntry.project_id, DOCUMENT.c.id == ArchiveEntry.document_id)
_TRASHED: Final = select(
    func.wall.trashed_entries(bindparam("archive", type_=Uuid), bindparam("paths", type_=ARRAY(Text)))
    .table_valued(column("path", Text), column("document_id", Uuid), name="trashed")
    .c.document_id
)
_SEEN: Final = ("archive_key", "sha256")


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive's document, and the blob that is read."""

    id: UUID
    key: str


@dataclass(frozen=True, slots=True)
class KnownEntry:
    document_id: UUID
    sha256: str
    is_seen: bool


@dataclass(frozen=True, slots=True)
class EntryRepository:
    """Documents that have been deleted are not found."""

    session: AsyncReadSession
    scope: ProjectScope

    async def known(self, archive: Archive, paths: Collection[str]) -> dict[str, KnownEntry]:
        query = select(
            ArchiveEntry.path, ArchiveEntry.document_id, ArchiveEntry.sha256, ArchiveEntry.archive_key
        ).where(
            ArchiveEntry.project_id == self.scope.project_id, ArchiveEntry.archive_id == archive.id,
            ArchiveEntry.path.in_(paths), exists().where(*_OF_ENTRY),
        )  # fmt: skip
        rows = (await self.session.execute(query)).all()
        return {path: KnownEntry(id_, sha256, key == archive.key) for path, id_, sha256, key in rows}

    async def trashed(self, archive: Archive, paths: Collection[str]) -> list[UUID]:
        """The documents of these files that are in the trash."""
        return list(await self.session.scalars(_TRASHED, {"archive": archive.id, "paths": list(paths)}))

    async def paths(self, archive: Archive) -> list[str]:
        """The files of the archive that have a document."""
        query = select(ArchiveEntry.path).where(
            ArchiveEntry.project_id == self.scope.project_id, ArchiveEntry.archive_id == archive.id,
            ArchiveEntry.archive_key == archive.key, exists().where(*_OF_ENTRY),
        )  # fmt: skip
        return list(await self.session.scalars(query.order_by(ArchiveEntry.path)))

    async def others(self, archive_id: UUID, key: str | None, most: int) -> list[UUID]:
        """Documents of files that the archive with this blob does not have; without `key`, of all its files."""
        query = select(ArchiveEntry.document_id).where(
            ArchiveEntry.project_id == self.scope.project_id, ArchiveEntry.archive_id == archive_id,
            ArchiveEntry.archive_key.is_distinct_from(key), exists().where(*_OF_ENTRY),
        )  # fmt: skip
        return list(await self.session.scalars(query.order_by(ArchiveEntry.document_id).limit(most)))


@dataclass(frozen=True, slots=True)
class EntryWriter:
    session: AsyncSession
    scope: SharedScope

    async def hold(self, archive: Archive) -> bool:
        """Keep the archive's file from being replaced until the transaction ends; False if it has been already."""
        query = select(Document.id).where(
            Document.project_id == self.scope.project_id, Document.id == archive.id,
            Document.original_key == archive.key, Document.unread_title.is_not(None),
        )  # fmt: skip
        return await self.session.scalar(query.with_for_update(read=True)) is not None

    async def is_restored(self, archive_id: UUID) -> bool:
        """False while it is deleted. One in the trash is not restored until the transaction ends."""
        if await TrashWriter(self.session, self.scope).lock(archive_id) is not None:
            return False
        alive = select(Document.id).where(Document.project_id == self.scope.project_id, Document.id == archive_id)
        return await self.session.scalar(alive) is not None

    async def note(self, archive: Archive, document_id: UUID, path: str, sha256: str) -> None:
        """Record what file the document was made of."""
        statement = insert(ArchiveEntry).values(
            project_id=self.scope.project_id, document_id=document_id, archive_id=archive.id, path=path, sha256=sha256,
            archive_key=archive.key,
        )  # fmt: skip
        await self.session.execute(
            statement.on_conflict_do_update(
                index_elements=["project_id", "document_id"],
                set_={name: statement.excluded[name] for name in _SEEN},
            )
        )

    async def note_seen(self, archive: Archive, document_ids: Collection[UUID]) -> None:
        """Record that the archive still has these files."""
        await self.session.execute(
            update(ArchiveEntry)
            .where(
                ArchiveEntry.project_id == self.scope.project_id,
                ArchiveEntry.document_id.in_(document_ids),
            )
            .values(archive_key=archive.key)
        )
