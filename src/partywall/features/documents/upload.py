"""Receives a file, stores it, and makes a document of it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol
from uuid import UUID

from python_multipart.multipart import parse_options_header

from partywall.core.blobs import BlobStore, StoredBlob
from partywall.core.budget import SharedBudget
from partywall.core.db.driver_errors import DatabaseAwayError
from partywall.core.db.scoped_access import ScopedWriter
from partywall.core.db.session import AsyncSession
from partywall.core.errors import ContentTooLargeError, PartywallError
from partywall.core.http.body_memory import COUNTED_BYTES, TURN_SECONDS, CharacterWidth, memory_of
from partywall.core.schemas import JsonObject
from partywall.core.storage_errors import StorageAwayError
from partywall.core.tenancy import ProjectScope, SharedScope
from partywall.core.text_process.processes import TextProcesses
from partywall.features.documents.constants import (
    CHARSET,
    HEAD_BYTES,
    LARGEST_INLINE_PAGE,
    MAX_CONTENT_BYTES,
    MAX_METADATA_BYTES,
    PIECE_BYTES,
    PLAIN_TEXT,
)
from partywall.features.documents.creation import Original, insert, prepare
from partywall.features.documents.creation_repository import NewDocument
from partywall.features.documents.exceptions import NotUtf8Error
from partywall.features.documents.extraction import (
    HTML,
    Extracted,
    FileType,
    Utf8Decoder,
    extract,
    of_page,
    of_text,
    recognize,
)
from partywall.features.documents.html_text import Page, read_page
from partywall.features.documents.jobs import enqueue_reading
from partywall.features.documents.readers.charsets import known
from partywall.features.documents.repository import DocumentWriter
from partywall.features.documents.schemas import DocumentCreate, UploadFields, metadata_bytes


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
    """A received file. For a large HTML page, `page` is the text that a text process made of it.

    `is_read`: its text is read here, and not by a worker. `charset` is what was declared for a text, unless UTF-8.
    """

    file: UploadedFile
    name: str | None
    media_type: str
    size: int
    page: bytes | None
    is_read: bool = True
    charset: str = ""

    async def memory(self) -> int:
        """The bytes of memory that processing the text takes; 0 for small texts, which are not counted."""
        size, width = self.size if self.page is None else len(self.page), CharacterWidth()
        if size <= COUNTED_BYTES or not self.is_read:
            return 0
        async for piece in pieces(self.file) if self.page is None else _one(self.page):
            await asyncio.to_thread(width.note, piece)
        return memory_of(size, width.bytes)

    async def read(self) -> Extracted:
        """Title and text; raises NotTextError. A file that a worker will read has its name as title, and no text."""
        if not self.is_read:
            said: JsonObject = {CHARSET: self.charset} if self.charset else {}
            return replace(of_text("", PLAIN_TEXT, self.name), metadata=said)
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


async def open_source(
    file: UploadedFile, name: str | None, max_bytes: int, texts: TextProcesses, *, images: bool = False
) -> Source:
    """Raises NotTextError, ContentTooLargeError, or the errors of `texts` for a large HTML page.

    An empty file goes to the worker, which says what is wrong with it as for every kind.
    """
    size = max_bytes if file.size is None else file.size
    if size > max_bytes:
        raise ContentTooLargeError(f"A file may have at most {max_bytes} bytes.")
    type_ = recognize(await _head(file), file.content_type, name, images=images)
    media_type = type_.media_type
    charset = declared_charset(file.content_type or "") if type_.is_plain else ""
    if charset or not size or not type_.may_be_read_at_once:
        return Source(file, name, media_type, size, None, is_read=False, charset=charset)
    if media_type != HTML and size > MAX_CONTENT_BYTES:
        raise ContentTooLargeError(f"A document's content may have at most {MAX_CONTENT_BYTES} bytes.")
    if not await _is_utf8(file):
        return Source(file, name, media_type, size, None, is_read=False)
    is_large_page = media_type == HTML and size > LARGEST_INLINE_PAGE
    page = await texts.run(read_page, pieces(file), size) if is_large_page else None
    return Source(file, name, media_type, size, page)


def declared_charset(content_type: str) -> str:
    """The encoding that a part names; empty for UTF-8, and for what is none."""
    name = parse_options_header(content_type)[1].get(b"charset", b"").decode("latin-1")
    return name if known(name) not in ("", "utf-8", "ascii") else ""


async def type_of(file: UploadedFile, name: str | None) -> FileType:
    return recognize(await _head(file), file.content_type, name, images=True)


def with_metadata(found: JsonObject, given: JsonObject) -> JsonObject:
    """The caller's metadata, and what the file says besides, if there is room for it."""
    merged = {**found, **given}
    return merged if metadata_bytes(merged) <= MAX_METADATA_BYTES else given


async def _head(file: UploadedFile) -> bytes:
    await file.seek(0)
    return await file.read(HEAD_BYTES)


async def _is_utf8(file: UploadedFile) -> bool:
    """Raises NotTextError if the text contains NUL."""
    decoder = Utf8Decoder()
    try:
        async for piece in pieces(file):
            await asyncio.to_thread(decoder.decode, piece)
        decoder.decode(b"", last=True)
    except NotUtf8Error:
        return False
    return True


async def _one(piece: bytes) -> AsyncIterator[bytes]:
    yield piece


@dataclass(slots=True)
class ReceivedUpload:
    """A file that was read and stored as a blob. `used`: a row refers to this blob, or may do so."""

    document: NewDocument
    blob: StoredBlob
    used: bool = False

    @property
    def is_read(self) -> bool:
        return self.document.unread_title is None

    async def share_equal_file(self, session: AsyncSession, scope: SharedScope) -> None:
        """Refer, in this transaction, to the blob of a document with an equal file, if the project has one."""
        equal = await DocumentWriter(session, scope).hold_equal_file(self.blob.sha256)
        self.document = replace(self.document, original_key=equal or self.blob.key)

    @contextmanager
    def using(self) -> Iterator[None]:
        """A row refers to the blob from now on, unless it shares another one, or a refusal is raised."""
        self.used = self.document.original_key == self.blob.key
        try:
            yield
        except DatabaseAwayError:
            raise  # the row may have been written
        except PartywallError:
            self.used = False
            raise

    async def insert(self, writer: ScopedWriter, project_id: UUID) -> bytes:
        """Insert the document and return its JSON. If a worker has to read its text, `writer` needs a session."""
        with self.using():
            answer = await insert(writer, project_id, self.document)
            if not self.is_read:
                assert writer.session is not None
                await enqueue_reading(writer.session, project_id, self.document.id)
            return answer


@dataclass(frozen=True, slots=True)
class Receiving:
    """Receives uploads: the blob store, the text processes, and limits of memory and size. `images` are read by OCR."""

    blobs: BlobStore
    texts: TextProcesses
    memory: SharedBudget[str]
    max_bytes: int
    images: bool

    @asynccontextmanager
    async def received(
        self, scope: ProjectScope, file: UploadedFile, asked: UploadFields
    ) -> AsyncIterator[ReceivedUpload]:
        """Do the slow part of an upload, before a transaction begins.

        Memory for a large text is reserved until the context ends. It is not needed while a text process reads a page.
        """
        source = await open_source(file, asked.file, self.max_bytes, self.texts, images=self.images)
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
            metadata=with_metadata(extracted.metadata, asked.metadata or {}),
        )
        stored = await self.blobs.put(scope, partial(pieces, source.file), max_bytes=self.max_bytes)
        upload: ReceivedUpload | None = None
        try:
            unread_title = None if source.is_read else "" if asked.title else body.title
            original = Original(stored.key, source.name, stored.size, stored.sha256, unread_title)
            document = await asyncio.to_thread(prepare, body, source.media_type, original)
            upload = ReceivedUpload(replace(document, charset=source.charset), stored)
            yield upload
        finally:
            if upload is None or not upload.used:
                with suppress(StorageAwayError, OSError):  # then the sweep deletes it
                    await self.blobs.delete(scope, stored.key)
