"""Makes a document of each file in an uploaded archive, and deletes those of files that it has no longer.

A job does some files and enqueues the next one, so that other projects' jobs come between. It may end at any point and
run again: what was done is recorded with each document.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import PurePosixPath
from typing import Final
from uuid import UUID

from partywall.core.blobs import StoredBlob
from partywall.core.db.scoped_access import ScopedWriter
from partywall.core.db.session import AsyncSession
from partywall.core.errors import PartywallError, QuotaExceededError, UnavailableError
from partywall.core.jobs.context import AnotherAttemptError, JobContext
from partywall.core.jobs.queue import enqueue
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.features.documents.constants import HEAD_BYTES, MAX_EXTERNAL_ID, MAX_FILE_NAME, PIECE_BYTES
from partywall.features.documents.creation import Original, insert, prepare, require_room
from partywall.features.documents.creation_repository import NewDocument
from partywall.features.documents.entry_repository import Archive, EntryRepository, EntryWriter, KnownEntry
from partywall.features.documents.exceptions import (
    DocumentNotFoundError,
    ExternalIdTakenError,
    NotInTrashError,
    NotTextError,
)
from partywall.features.documents.extraction import recognize, title_of
from partywall.features.documents.file_repository import FileToRead
from partywall.features.documents.jobs import READ_FILE, DeleteEntries, ReadFile, enqueue_reading
from partywall.features.documents.readers.archive import REPEATED, Entries, Entry
from partywall.features.documents.readers.file_text import MESSAGES, FileText, Reason, UnreadableFileError
from partywall.features.documents.replacement import FileReplacement
from partywall.features.documents.repository import DocumentWriter
from partywall.features.documents.schemas import DocumentCreate, UploadFields
from partywall.features.documents.trash import Trash

_DELETED_AT_ONCE: Final = 100


class _ReplacedError(Exception):
    """The archive was replaced or deleted meanwhile."""


async def store_entries(
    context: JobContext, payload: ReadFile, scope: ProjectScope, file: FileToRead, found: Entries
) -> FileText | None:
    """The list of the archive's files when all are done; None if another job goes on, or need not.

    Raises UnreadableFileError if no file became a document.
    """
    unpacking = _Unpacking(context, payload, scope, file)
    try:
        refused = {**payload.refused, **await unpacking.store(found)}
        if found.following is not None:
            await unpacking.go_on(found.following, refused)
            return None
        await unpacking.delete_gone()
        return await unpacking.listed(refused)
    except _ReplacedError:
        return None


async def delete_entries(context: JobContext, payload: DeleteEntries) -> None:
    """Delete the documents of an archive whose document was deleted, and not restored meanwhile."""
    while ids := await _others(context, payload, payload.archive_id, None):
        for id_ in ids:
            async with context.begin(payload) as (session, scope):
                if await EntryWriter(session, scope).is_restored(payload.archive_id):
                    return
                await _delete(context, session, scope, id_)
            context.progressed()


@dataclass(frozen=True, slots=True)
class _Unpacking:
    context: JobContext
    payload: ReadFile
    scope: ProjectScope
    file: FileToRead

    @property
    def _archive(self) -> Archive:
        return Archive(self.payload.document_id, self.file.key)

    async def store(self, found: Entries) -> dict[str, str]:
        """The paths of files that got no document, and why."""
        await self._restore([each.path for each in found.entries if each.reason is None])
        async with self.context.read(self.payload) as (session, scope):
            known = await EntryRepository(session, scope).known(self._archive, [each.path for each in found.entries])
        refused: dict[str, str] = {}
        kept: list[UUID] = []
        for entry in found.entries:
            former = known.get(entry.path)
            if reason := await self._stored(entry, former):
                refused[entry.path] = reason
            if former is not None and not former.is_seen:
                kept.append(former.document_id)
        if kept:
            async with self.context.begin(self.payload) as (session, scope):
                await self._hold(session, scope)
                await EntryWriter(session, scope).note_seen(self._archive, kept)
        return refused

    async def _restore(self, paths: Sequence[str]) -> None:
        """Restore the documents of these files from the trash, where none has taken their place."""
        async with self.context.read(self.payload) as (session, scope):
            entries = EntryRepository(session, scope)
            known = await entries.known(self._archive, paths)
            trashed = await entries.trashed(self._archive, [path for path in paths if path not in known])
        for id_ in trashed:
            with suppress(NotInTrashError, ExternalIdTakenError):
                async with self.context.begin(self.payload) as (session, scope):
                    await self._hold(session, scope)
                    await _trash(self.context, session, scope).restore(id_)

    async def go_on(self, following: int, refused: Mapping[str, str]) -> None:
        async with self.context.begin(self.payload) as (session, scope):
            await self._hold(session, scope)
            payload = self.payload.model_copy(update={"first": following, "key": self.file.key, "refused": refused})
            await enqueue(session, READ_FILE, payload)

    async def delete_gone(self) -> None:
        """Delete the documents of files that the archive has no longer."""
        archive = self._archive
        while ids := await _others(self.context, self.payload, archive.id, archive.key):
            for id_ in ids:
                async with self.context.begin(self.payload) as (session, scope):
                    await self._hold(session, scope)
                    await _delete(self.context, session, scope, id_)
                self.context.progressed()

    async def listed(self, refused: Mapping[str, str]) -> FileText:
        async with self.context.read(self.payload) as (session, scope):
            paths = await EntryRepository(session, scope).paths(self._archive)
        if not paths:
            usual = Counter(refused.values()).most_common(1)
            raise UnreadableFileError(Reason(usual[0][0]) if usual else Reason.NO_TEXT)
        return FileText(_list([path for path in paths if path not in refused], refused))

    async def _stored(self, entry: Entry, former: KnownEntry | None) -> Reason | None:
        """Make the file a document, or replace that of the `former` one; or say why not, and leave the former one."""
        if entry.reason is not None:
            return entry.reason
        if former is not None and former.sha256 == await _sha256(entry.data):
            return None
        try:
            new = await self._prepared(entry)
            await self._require_room(len(entry.data), new=former is None)
            await self._store(entry, new, former)
        except UnreadableFileError as error:
            return error.reason
        except QuotaExceededError:
            return Reason.QUOTA
        except ExternalIdTakenError:
            return Reason.EXTERNAL_ID_TAKEN
        return None

    async def _prepared(self, entry: Entry) -> NewDocument:
        """Its blob is yet to be stored. Raises UnreadableFileError."""
        name = PurePosixPath(entry.path).name
        external_id = f"{self.file.external_id or self.payload.document_id}/{entry.path}"
        if len(external_id) > MAX_EXTERNAL_ID or len(name) > MAX_FILE_NAME:
            raise UnreadableFileError(Reason.LONG_NAME)
        images = self.context.resources.settings.files.ocr
        try:
            media_type = recognize(entry.data[:HEAD_BYTES], None, name, images=images).media_type
        except NotTextError as error:
            raise UnreadableFileError(Reason.UNSUPPORTED) from error
        title = title_of("", name)
        body = DocumentCreate(
            title=title,
            content="",
            external_id=external_id,
            metadata={"archive": self.file.name or str(self.payload.document_id), "archive_path": entry.path},
        )
        original = Original("", name, len(entry.data), await _sha256(entry.data), unread_title=title)
        return prepare(body, media_type, original)

    async def _require_room(self, size: int, *, new: bool) -> None:
        reader = self.context.resources.reader(self.payload.acting)
        await require_room(reader, self.payload.project_id, size, documents=int(new))

    async def _store(self, entry: Entry, new: NewDocument, former: KnownEntry | None) -> None:
        """Store the blob first, and delete it if no document gets it."""
        blobs, scope = self.context.resources.blobs, self.scope
        blob = await blobs.put(scope, partial(_pieces, entry.data), max_bytes=len(entry.data))
        try:
            await self._write(entry, new, blob, former)
        except UnavailableError:
            raise  # the row may have been written
        except (PartywallError, _ReplacedError):
            await blobs.delete(scope, blob.key)
            raise

    async def _write(self, entry: Entry, new: NewDocument, blob: StoredBlob, former: KnownEntry | None) -> None:
        document = replace(new, original_key=blob.key)
        async with self.context.begin(self.payload) as (session, scope):
            await self._hold(session, scope)
            entries = EntryWriter(session, scope)
            documents = DocumentWriter(session, scope)
            earlier = None if former is None else await documents.lock(former.document_id)
            if earlier is None:
                await insert(ScopedWriter(scope.principal, session), scope.project_id, document)
                await enqueue_reading(session, scope.project_id, document.id)
            else:
                await FileReplacement(session, scope, None).replace(earlier, document, _asked(document))
            id_ = document.id if earlier is None else earlier.id
            await entries.note(self._archive, id_, entry.path, blob.sha256)

    async def _hold(self, session: AsyncSession, scope: SharedScope) -> None:
        if not await EntryWriter(session, scope).hold(self._archive):
            raise _ReplacedError


async def _others(
    context: JobContext, payload: ReadFile | DeleteEntries, archive_id: UUID, key: str | None
) -> list[UUID]:
    """Some documents of files that the archive with this blob does not have; without `key`, of all its files."""
    if context.stopping.is_set():
        raise AnotherAttemptError("the worker is stopping")
    async with context.read(payload) as (session, scope):
        return await EntryRepository(session, scope).others(archive_id, key, _DELETED_AT_ONCE)


async def _delete(context: JobContext, session: AsyncSession, scope: SharedScope, id_: UUID) -> None:
    with suppress(DocumentNotFoundError):
        await _trash(context, session, scope).delete(id_, None)


def _trash(context: JobContext, session: AsyncSession, scope: SharedScope) -> Trash:
    return Trash(session, scope, context.resources.settings.documents.trash_period)


def _list(paths: Sequence[str], refused: Mapping[str, str]) -> str:
    """As a person reads it. The name of a file may contain Markdown, so it stands as it is."""
    files = [f"{len(paths)} files of the archive are documents:", *(f"- {path}" for path in paths)]
    not_read = [f"- {path.partition(REPEATED)[0]}: {MESSAGES[Reason(code)]}" for path, code in sorted(refused.items())]
    return "\n".join(files + (["", f"{len(not_read)} are not:", *not_read] if not_read else []))


def _asked(document: NewDocument) -> UploadFields:
    return UploadFields(file=document.original_name, title=None, external_id=None, metadata=None)


async def _sha256(data: bytes) -> str:
    return (await asyncio.to_thread(hashlib.sha256, data)).hexdigest()


async def _pieces(data: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(data), PIECE_BYTES):
        yield data[start : start + PIECE_BYTES]
