from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from partywall.core.blobs import BlobStore
from partywall.core.db.availability import DatabaseAwayError
from partywall.core.db.scoped_write import ScopedWriter
from partywall.core.errors import ContentTooLargeError, PartywallError
from partywall.core.tenancy import ProjectScope
from partywall.core.text_process.processes import TextProcesses
from partywall.features.documents.constants import LARGEST_INLINE_PAGE, MAX_CONTENT_BYTES, PIECE_BYTES
from partywall.features.documents.creating import Original, insert, prepare
from partywall.features.documents.creating_repository import NewDocument
from partywall.features.documents.html_text import Page, read_page
from partywall.features.documents.ingest import (
    HTML,
    Extracted,
    Utf8Decoder,
    extract,
    media_type_of,
    of_page,
    of_text,
)
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
    file: UploadedFile, name: str | None, max_bytes: int, texts: TextProcesses
) -> tuple[Extracted, str]:
    """Title and text of the file, and its media type.

    Raises NotTextError and ContentTooLargeError, and what the processes do where the file is costly to read.
    """
    media_type = media_type_of(file.content_type, name)
    size = max_bytes if file.size is None else file.size
    if size > max_bytes:
        raise ContentTooLargeError(f"A file may have at most {max_bytes} bytes.")
    if media_type != HTML:
        return await _read_plain(file, size, media_type, name), media_type
    if size <= LARGEST_INLINE_PAGE:
        await file.seek(0)
        return await asyncio.to_thread(extract, await file.read(), media_type, name), media_type
    page = await texts.run(read_page, _text_pieces(file))
    return await asyncio.to_thread(lambda: of_page(Page.parse(page), name)), media_type


async def _read_plain(file: UploadedFile, size: int, media_type: str, name: str | None) -> Extracted:
    if size > MAX_CONTENT_BYTES:
        raise ContentTooLargeError(f"A document's content may have at most {MAX_CONTENT_BYTES} bytes.")
    decoder = Utf8Decoder()
    parts = [await asyncio.to_thread(decoder.decode, piece) async for piece in pieces(file)]
    parts.append(decoder.decode(b"", last=True))
    return await asyncio.to_thread(lambda: of_text("".join(parts), media_type, name))


async def _text_pieces(file: UploadedFile) -> AsyncIterator[bytes]:
    """The file's bytes; raises NotTextError as soon as they are no text."""
    decoder = Utf8Decoder()
    async for piece in pieces(file):
        await asyncio.to_thread(decoder.decode, piece)
        yield piece
    decoder.decode(b"", last=True)


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
    blobs: BlobStore,
    texts: TextProcesses,
    scope: ProjectScope,
    file: UploadedFile,
    asked: UploadFields,
    max_bytes: int,
) -> AsyncIterator[Received]:
    """Everything about an upload that takes its time, before a transaction; a blob that no row uses is taken away."""
    extracted, media_type = await read_text(file, asked.file, max_bytes, texts)
    body = DocumentCreate(
        title=asked.title or extracted.title,
        content=extracted.content,
        external_id=asked.external_id,
        metadata=asked.metadata,
    )
    stored = await blobs.put(scope, pieces(file), max_bytes=max_bytes)
    upload: Received | None = None
    try:
        original = Original(stored.key, asked.file, stored.size)
        upload = Received(await asyncio.to_thread(prepare, body, media_type, original))
        yield upload
    finally:
        if upload is None or not upload.used:
            await blobs.delete(scope, stored.key)
