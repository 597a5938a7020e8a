"""Splits documents into chunks; long texts in a separate process that can be stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from partywall.core.text_process.processes import TextProcesses
from partywall.features.documents.index_queue import ClaimedDocument
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.chunker import Chunk, chunk_text, chunks_of, cut, request
from partywall.features.search.languages import configuration_of

# In characters. Longer texts go to a separate process, which takes about 25 ms to start. The parser takes time for each
# line too.
LARGEST_INLINE_TEXT: Final = 256 * 1024
_LINE: Final = 64


@dataclass(frozen=True, slots=True)
class Cutter:
    texts: TextProcesses

    async def chunks(self, found: Sequence[ClaimedDocument]) -> list[NewChunk]:
        """All chunks of the documents. Raises TextTooCostlyError and TextProcessBusyError."""
        short = [document for document in found if _cost(document.content) <= LARGEST_INLINE_TEXT]
        cuts = await asyncio.to_thread(lambda: {each.id: chunk_text(each.content, each.media_type) for each in short})
        for document in found:
            if document.id not in cuts:
                given = request(document.content, document.media_type)
                answer = await self.texts.run(cut, given, len(given))
                cuts[document.id] = await asyncio.to_thread(chunks_of, answer)
        return await asyncio.to_thread(_new_chunks, found, cuts)


def _cost(content: str) -> int:
    return len(content) + _LINE * (content.count("\n") + content.count("\r"))


def _new_chunks(found: Sequence[ClaimedDocument], cuts: Mapping[UUID, Sequence[Chunk]]) -> list[NewChunk]:
    return [chunk for document in found for chunk in _of_document(document, cuts[document.id])]


def _of_document(document: ClaimedDocument, chunks: Sequence[Chunk]) -> Iterator[NewChunk]:
    configuration = configuration_of(document.metadata)
    for chunk in chunks:
        begins_with_heading = chunk.text.startswith(chunk.section)
        context = document.title if begins_with_heading else f"{document.title}\n{chunk.section}"
        yield NewChunk(document.id, chunk.start, chunk.end, configuration, context, chunk.text)
