"""Streams the text or the uploaded file of a document, whole or in part, with one piece in memory at a time."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from partywall.core.blobs import BlobStore
from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import Value
from partywall.core.rights import require
from partywall.core.tenancy import ProjectScope
from partywall.features.documents import reader_repository as reads
from partywall.features.documents.constants import HEAD_BYTES, PIECE_BYTES
from partywall.features.documents.exceptions import DocumentNotFoundError, OriginalNotFoundError
from partywall.features.documents.extraction import READ_AT_ONCE
from partywall.features.documents.rights import DOCUMENT_READ

_CHARSET: Final = re.compile(r"[A-Za-z0-9_.:-]{1,40}")


@dataclass(frozen=True, slots=True)
class Text:
    """A document's text at the time of the request; `head` is its beginning."""

    document_id: UUID
    size: int
    sha256: str
    head: bytes


@dataclass(frozen=True, slots=True)
class OriginalFile:
    """`key` names the blob, so it changes with the bytes."""

    scope: ProjectScope
    key: str
    name: str | None
    size: int
    media_type: str
    charset: str | None

    @property
    def content_type(self) -> str:
        """Text is UTF-8, unless the document's metadata name another charset."""
        if self.media_type not in READ_AT_ONCE:
            return self.media_type
        known = self.charset if self.charset and _CHARSET.fullmatch(self.charset) else "utf-8"
        return f"{self.media_type}; charset={known}"


async def find_text(reader: ScopedReader, project_id: UUID, document_id: UUID) -> Text:
    """Raises DocumentNotFoundError."""
    values: dict[str, Value] = {"document_id": document_id, "start": 0, "length": HEAD_BYTES}
    scope, row = await reader.row(reads.CONTENT, project_id, values)
    require(scope, DOCUMENT_READ)
    if row["version"] is None:
        raise DocumentNotFoundError
    return Text(document_id, row["size"], row["content_sha256"], row["piece"])


async def find_original(reader: ScopedReader, project_id: UUID, document_id: UUID) -> OriginalFile:
    """Raises DocumentNotFoundError, or OriginalNotFoundError if the document was not uploaded."""
    values: dict[str, Value] = {"document_id": document_id, "start": 0, "length": 0}
    scope, row = await reader.row(reads.CONTENT, project_id, values)
    require(scope, DOCUMENT_READ)
    if row["version"] is None:
        raise DocumentNotFoundError
    if row["original_key"] is None:
        raise OriginalNotFoundError
    names = ("original_key", "original_name", "original_size", "media_type", "charset")
    return OriginalFile(scope, *(row[name] for name in names))


async def stream_text(reader: ScopedReader, project_id: UUID, text: Text, start: int, end: int) -> AsyncIterator[bytes]:
    """Yield the bytes of the found text, even if the document gets another text meanwhile."""
    while start < end:
        if start < len(text.head):
            piece = text.head[start:end]
        else:
            piece = await _piece(reader, project_id, text, start, min(PIECE_BYTES, end - start))
        if not piece:
            raise DocumentNotFoundError  # deleted meanwhile: the answer ends before its Content-Length
        start += len(piece)
        yield piece


async def _piece(reader: ScopedReader, project_id: UUID, text: Text, start: int, length: int) -> bytes:
    values: dict[str, Value] = {
        "document_id": text.document_id,
        "sha256": text.sha256,
        "start": start,
        "length": length,
    }
    _, row = await reader.row(reads.CONTENT_PIECE, project_id, values)
    return row["piece"] or b""


def link_to(blobs: BlobStore, original: OriginalFile, headers: Mapping[str, str]) -> str | None:
    """An address of the file in the store, if it gives out any; the answer there has these headers."""
    return blobs.link(
        original.scope,
        original.key,
        content_type=headers["Content-Type"],
        disposition=headers["Content-Disposition"],
    )


def stream_original(blobs: BlobStore, original: OriginalFile, start: int, end: int) -> AsyncIterator[bytes]:
    return blobs.open(original.scope, original.key, start, end)
