from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from partywall.core.blobs import BlobStore
from partywall.core.budget import SharedBudget
from partywall.core.db.availability import DatabaseAwayError
from partywall.core.db.scoped_access import ScopedWriter
from partywall.core.errors import ContentTooLargeError, PartywallError
from partywall.core.http.body_memory import LARGE_BYTES, TURN_SECONDS, CharacterWidth, memory_of
from partywall.core.tenancy import ProjectScope
from partywall.core.text_process.processes import TextProcesses
from partywall.features.documents.constants import LARGEST_INLINE_PAGE, MAX_CONTENT_BYTES, PIECE_BYTES
from partywall.features.documents.creation import Original, insert, prepare
from partywall.features.documents.creation_repository import NewDocument
from partywall.features.documents.extraction import (
    HTML,
    Extracted,
    Utf8Decoder,
    extract,
    media_type_of,
    of_page,
    of_text,
)
from partywall.features.documents.html_text import Page, read_page
from partywall.features.documents.schemas import DocumentCreate, UploadFields


class UploadedFile(Protocol):
    """A received file, in memory or in a temporary file."""

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


@dataclass(frozen=True, slots=True)
class Source:
    """A received file. For a large HTML page, `page` is the text that a text process made of it."""

    file: UploadedFile
    name: str | None
    media_type: str
    size: int
    page: bytes | None

    async def memory(self) -> int:
        """The bytes of memory that processing the text takes; 0 for small texts, which are not counted."""
        size, width = self.size if self.page is None else len(self.page), CharacterWidth()
        if size <= LARGE_BYTES:
            return 0
        async for piece in pieces(self.file) if self.page is None else _one(self.page):
            await asyncio.to_thread(width.note, piece)
        return memory_of(size, width.bytes)

    async def read(self) -> Extracted:
        """Title and text; raises NotTextError."""
        page = self.page
        if page is not None:
            return await asyncio.to_thread(lambda: of_page(Page.parse(page), self.name))
        if self.media_type == HTML:
            await self.file.seek(0)
            return await asyncio.to_thread(extract, await self.file.read(), self.media_type, self.name)
        decoder = Utf8Decoder()
        parts = [await asyncio.to_thread(decoder.decode, piece) async for piece in pieces(self.file)]
        parts.append(decoder.decode(b"", last=True))
        return await asyncio.to_thread(lambda: of_text("".join(parts), self.media_type, self.name))


async def open_source(file: UploadedFile, name: str | None, max_bytes: int, texts: TextProcesses) -> Source:
    """Raises NotTextError, ContentTooLargeError, or the errors of `texts` for a large HTML page."""
    media_type = media_type_of(file.content_type, name)
    size = max_bytes if file.size is None else file.size
    if size > max_bytes:
        raise ContentTooLargeError(f"A file may have at most {max_bytes} bytes.")
    if media_type != HTML and size > MAX_CONTENT_BYTES:
        raise ContentTooLargeError(f"A document's content may have at most {MAX_CONTENT_BYTES} bytes.")
    is_large_page = media_type == HTML and size > LARGEST_INLINE_PAGE
    page = await texts.run(read_page, _text_pieces(file), size) if is_large_page else None
    return Source(file, name, media_type, size, page)


async def _one(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


async def _text_pieces(file: UploadedFile) -> AsyncIterator[bytes]:
    """Yield the file's bytes. Raises NotTextError as soon as they are not text."""
    decoder = Utf8Decoder()
    async for piece in pieces(file):
        await asyncio.to_thread(decoder.decode, piece)
        yield piece
    decoder.decode(b"", last=True)


@dataclass(slots=True)
class ReceivedUpload:
    """A file that was read and stored as a blob. `used`: a row refers to the blob, or may do so."""

    document: NewDocument
    used: bool = False

    async def insert(self, writer: ScopedWriter, project_id: UUID) -> bytes:
        """Insert the document and return its JSON."""
        self.used = True
        try:
            return await insert(writer, project_id, self.document)
        except DatabaseAwayError:
            raise  # the row may have been written
        except PartywallError:
            self.used = False
            raise


@dataclass(frozen=True, slots=True)
class Receiving:
    """Receives uploads: the blob store, the text processes, and limits of memory and size."""

    blobs: BlobStore
    texts: TextProcesses
    memory: SharedBudget[str]
    max_bytes: int

    @asynccontextmanager
    async def received(
        self, scope: ProjectScope, file: UploadedFile, asked: UploadFields
    ) -> AsyncIterator[ReceivedUpload]:
        """Do the slow part of an upload, before a transaction begins.

        Memory for a large text is reserved until the context ends. It is not needed while a text process reads a page.
        """
        source = await open_source(file, asked.file, self.max_bytes, self.texts)
        needed = await source.memory()
        taken = self.memory.take(scope.principal.tenant.name, needed, TURN_SECONDS) if needed else nullcontext()
        async with taken, self._stored(scope, source, asked) as upload:
            yield upload

    @asynccontextmanager
    async def _stored(self, scope: ProjectScope, source: Source, asked: UploadFields) -> AsyncIterator[ReceivedUpload]:
        """Store the blob, and delete it if no row uses it."""
        extracted = await source.read()
        body = DocumentCreate(
            title=asked.title or extracted.title,
            content=extracted.content,
            external_id=asked.external_id,
            metadata=asked.metadata,
        )
        stored = await self.blobs.put(scope, pieces(source.file), max_bytes=self.max_bytes)
        upload: ReceivedUpload | None = None
        try:
            original = Original(stored.key, source.name, stored.size)
            upload = ReceivedUpload(await asyncio.to_thread(prepare, body, source.media_type, original))
            yield upload
        finally:
            if upload is None or not upload.used:
                await self.blobs.delete(scope, stored.key)
