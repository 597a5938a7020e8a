"""Stores an upload as a new document, or as the next version of the document with its external id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Final
from uuid import UUID

from partywall.core.db.scoped_access import ScopedReader, ScopedWriter
from partywall.core.db.scopes import open_shared_scope
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.documents.creation import require_room
from partywall.features.documents.exceptions import ExternalIdTakenError
from partywall.features.documents.reader import DocumentJson
from partywall.features.documents.replacement import FileReplacement, SameFile, require_expected
from partywall.features.documents.schemas import UploadFields
from partywall.features.documents.upload import ReceivedUpload, UploadedFile, declared_charset, fingerprint, type_of
from partywall.features.documents.upload_repository import REPLACED

# How often another upload with the same external id, or a deletion, may come first.
_ATTEMPTS: Final = 4


class _OtherFileError(Exception):
    """The document has no longer the file that was uploaded again."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """The document with the upload's external id, before the file is read. `largest`: bytes of its largest text."""

    revision: int
    size: int | None
    sha256: str | None
    largest: int


@dataclass(frozen=True, slots=True)
class Answers[A]:
    """Make the answers."""

    created: Callable[[UUID, bytes], A]
    replaced: Callable[[DocumentJson], A]


@dataclass(frozen=True, slots=True)
class Once[A]:
    """`run` makes an answer in the writer's transaction, once for the request's Idempotency-Key if it has one."""

    principal: Principal
    project_id: UUID
    run: Callable[[ScopedWriter, Callable[[], Awaitable[A]]], Awaitable[A]]


async def find_earlier(reader: ScopedReader, project_id: UUID, external_id: str | None) -> Earlier | None:
    if external_id is None:
        return None
    _, row = await reader.row(REPLACED, project_id, {"external_id": external_id})
    if row["id"] is None:
        return None
    return Earlier(row["revision"], row["original_size"], row["source_sha256"], row["largest"] or 0)


@dataclass(frozen=True, slots=True)
class Upsert[A]:
    resources: Resources
    asked: UploadFields
    if_match: str | None
    answers: Answers[A]
    once: Once[A]

    async def require_room(self, reader: ScopedReader, size: int, earlier: Earlier | None) -> None:
        """Raises PreconditionFailedError, or QuotaExceededError before the file is read."""
        require_expected(self.if_match, None if earlier is None else earlier.revision)
        if earlier is None:
            await require_room(reader, self.once.project_id, size)
        else:
            await require_room(reader, self.once.project_id, size - (earlier.size or 0), documents=0)

    async def keep(self, file: UploadedFile, earlier: Earlier | None) -> A | None:
        """The answer if the document has this file already; otherwise None."""
        if earlier is None or earlier.sha256 is None or earlier.size != file.size:
            return None
        sha256 = (await fingerprint(file)).hex()
        if sha256 != earlier.sha256:
            return None
        type_ = await type_of(file, self.asked.file)
        charset = declared_charset(file.content_type or "") if type_.is_plain else ""
        same = SameFile(sha256, self.asked.file, type_.media_type, charset)

        async def produce(writer: ScopedWriter) -> A:
            replacement = await self._replacement(writer)
            document = await replacement.lock(str(self.asked.external_id))
            if document is None or not same.is_file_of(document):
                raise _OtherFileError
            return self.answers.replaced(await replacement.keep(document, self.asked))

        try:
            return await self._write(produce)
        except _OtherFileError:
            return None

    async def store(self, upload: ReceivedUpload) -> A:
        """The transaction ends before the claim of the key does, and before an unused blob is deleted."""
        if self.asked.external_id is None:
            return await self._create(upload)
        for _ in range(_ATTEMPTS):
            try:
                return await self._write(partial(self._store, upload))
            except ExternalIdTakenError:
                continue  # since the document was not found, another upload has created it
        raise ExternalIdTakenError

    async def _create(self, upload: ReceivedUpload) -> A:
        require_expected(self.if_match, None)
        return await self._write(partial(self._insert, upload))

    async def _write(self, produce: Callable[[ScopedWriter], Awaitable[A]]) -> A:
        async with self.resources.sessions.begin() as session:
            writer = self.resources.writer(self.once.principal, session)
            return await self.once.run(writer, partial(produce, writer))

    async def _store(self, upload: ReceivedUpload, writer: ScopedWriter) -> A:
        replacement = await self._replacement(writer)
        document = await replacement.lock(str(self.asked.external_id))
        if document is None:
            return await self._insert(upload, writer)
        await upload.share_equal_file(replacement.session, replacement.scope)
        with upload.using():
            return self.answers.replaced(await replacement.replace(document, upload.document, self.asked))

    async def _insert(self, upload: ReceivedUpload, writer: ScopedWriter) -> A:
        replacement = await self._replacement(writer)
        await upload.share_equal_file(replacement.session, replacement.scope)
        body = await upload.insert(writer, self.once.project_id)
        return self.answers.created(upload.document.id, body)

    async def _replacement(self, writer: ScopedWriter) -> FileReplacement:
        session = writer.session
        assert session is not None
        scope = await open_shared_scope(session, writer.principal, self.once.project_id, accepting=True)
        return FileReplacement(session, scope, self.if_match)
