"""Compares two versions of a document, without more than a piece of their texts in the API's memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Self
from uuid import UUID

from partywall.core.db.scoped_access import ScopedReader
from partywall.core.db.scoped_query import Value
from partywall.core.rights import require
from partywall.core.text_process.processes import TextProcesses
from partywall.features.documents import reader_repository as reads
from partywall.features.documents.constants import LARGEST_INLINE_PAGE
from partywall.features.documents.content import Text, stream_text
from partywall.features.documents.exceptions import DocumentNotFoundError, VersionNotFoundError
from partywall.features.documents.rights import DOCUMENT_READ
from partywall.features.documents.text_diff import Header, compare

MOST_CONTEXT: Final = 1000
# A text of many short lines takes several times the CPU time of a file of its size.
_COSTLY: Final = 8


@dataclass(frozen=True, slots=True)
class VersionDiff:
    reader: ScopedReader
    project_id: UUID
    header: Header
    texts: tuple[Text, Text]

    @classmethod
    async def find(
        cls, reader: ScopedReader, project_id: UUID, document_id: UUID, numbers: tuple[int, int], context: int
    ) -> Self:
        """Raises DocumentNotFoundError or VersionNotFoundError."""
        values: dict[str, Value] = {"document_id": document_id, "numbers": list(numbers)}
        scope, row = await reader.row(reads.VERSIONS, project_id, values)
        require(scope, DOCUMENT_READ)
        if row["newest"] is None:
            raise DocumentNotFoundError
        columns = [row[name] or () for name in ("numbers", "titles", "sizes", "hashes")]
        found = {
            number: (title, Text(document_id, size, sha256, b""))
            for number, title, size, sha256 in zip(*columns, strict=True)
        }
        if not found.keys() >= set(numbers):
            raise VersionNotFoundError
        (title, text), (other_title, other_text) = (found[number] for number in numbers)
        return cls(reader, project_id, Header(context, numbers, (title, other_title), text.size), (text, other_text))

    @property
    def size(self) -> int:
        return sum(text.size for text in self.texts)

    @property
    def is_small(self) -> bool:
        return self.size <= LARGEST_INLINE_PAGE

    async def compare(self, texts: TextProcesses) -> bytes:
        """The diff, made in a text process unless it is small. `texts` are not those of uploads, which would wait."""
        if not self.is_small:
            return await texts.run(compare, self._given(), self.size * _COSTLY)
        given = b"".join([piece async for piece in self._given()])
        return await asyncio.to_thread(compare, given)

    async def _given(self) -> AsyncIterator[bytes]:
        yield self.header.written()
        for text in self.texts:
            async for piece in stream_text(self.reader, self.project_id, text, 0, text.size):
                yield piece
