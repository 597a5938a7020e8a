from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from anyio import fail_after, to_process

from partywall.core.blobs import BlobStore
from partywall.core.db.availability import DatabaseAwayError
from partywall.core.db.scoped_write import ScopedWriter
from partywall.core.errors import ContentTooLargeError, PartywallError
from partywall.core.fairness import FairGate
from partywall.core.tenancy import ProjectScope
from partywall.features.documents.constants import LARGEST_INLINE_PAGE, PAGE_SECONDS, PIECE_BYTES
from partywall.features.documents.creating import Original, insert, prepare
from partywall.features.documents.creating_repository import NewDocument
from partywall.features.documents.exceptions import NotTextError
from partywall.features.documents.ingest import HTML, Extracted, extract, media_type_of, plain_name
from partywall.features.documents.schemas import DocumentCreate, UploadFields


class UploadedFile(Protocol):
    """A file that the server has received, in memory or in a temporary file."""

    @property
    def filename(self) -> str | None: ...

    @property
    def content_type(self) -> str | None: ...

    @property
    def size(self) -> int | None: ...

    async def read(self, size: int = -1) -> bytes: ...

    async def seek(self, offset: int) -> None: ...


async def pieces(file: UploadedFile) -> AsyncIterator[bytes]:
    await file.seek(0)
    while piece := await file.read(PIECE_BYTES):
        yield piece


async def fingerprint(file: UploadedFile) -> bytes:
    digest = hashlib.sha256()
    async for piece in pieces(file):
        await asyncio.to_thread(digest.update, piece)
    return digest.digest()


async def read_text(
    file: UploadedFile, name: str | None, max_bytes: int, turn: AbstractAsyncContextManager[None]
) -> tuple[Extracted, str]:
    """Title and text of the file, and its media type; raises NotTextError and ContentTooLargeError.

    `turn` is waited for where the file is costly to read.
    """
    media_type = media_type_of(file.content_type, name)
    if file.size is not None and file.size > max_bytes:
        raise ContentTooLargeError(f"A file may have at most {max_bytes} bytes.")
    data = b"".join([piece async for piece in pieces(file)])
    if media_type != HTML or len(data) <= LARGEST_INLINE_PAGE:
        return await asyncio.to_thread(extract, data, media_type, name), media_type
    async with turn:
        return await _extract_apart(data, name), media_type


async def _extract_apart(data: bytes, name: str | None) -> Extracted:
    """In a process of its own: deep nesting costs a parser of HTML quadratic time, and a thread cannot be stopped."""
    try:
        with fail_after(PAGE_SECONDS):
            return await to_process.run_sync(extract, data, HTML, name, cancellable=True)
    except TimeoutError as error:
        raise NotTextError(f"This page takes longer than {PAGE_SECONDS} seconds to read.") from error


@dataclass(slots=True)
class Received:
    """A file that was read and stored as a blob, for a row to be written; `used` says that there is one, or may be."""

    document: NewDocument
    used: bool = False

    async def insert(self, writer: ScopedWriter, project_id: UUID) -> bytes:
        """The JSON of the new document."""
        self.used = True
        try:
            return await insert(writer, project_id, self.document)
        except DatabaseAwayError:
            raise  # the row may have been written
        except PartywallError:
            self.used = False
            raise


@asynccontextmanager
async def received(
    blobs: BlobStore, pages: FairGate, scope: ProjectScope, file: UploadedFile, asked: UploadFields, max_bytes: int
) -> AsyncIterator[Received]:
    """Everything about an upload that takes its time, before a transaction; a blob that no row uses is taken away."""
    name = plain_name(file.filename)
    extracted, media_type = await read_text(file, name, max_bytes, pages.enter(scope))
    body = DocumentCreate(
        title=asked.title or extracted.title,
        content=extracted.content,
        external_id=asked.external_id,
        metadata=asked.metadata,
    )
    stored = await blobs.put(scope, pieces(file), max_bytes=max_bytes)
    upload: Received | None = None
    try:
        original = Original(stored.key, name, stored.size)
        upload = Received(await asyncio.to_thread(prepare, body, media_type, original))
        yield upload
    finally:
        if upload is None or not upload.used:
            await blobs.delete(scope, stored.key)
