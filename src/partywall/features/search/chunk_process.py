"""Splits documents into chunks; long texts in a separate process that can be stopped."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from partywall.core.text_process.processes import TextProcesses
from partywall.features.documents.index_queue import ClaimedDocument
from partywall.features.search.beginning_repository import EXAMINED_CHUNKS, beginning
from partywall.features.search.chunk_repository import NewChunk
from partywall.features.search.chunker import Chunk
from partywall.features.search.copies import Wording
from partywall.features.search.languages import configuration_of, language_of
from partywall.features.search.page_chunks import chunk_document, chunks_of, cut, request
from partywall.features.search.text_hash import passage_hash, text_hash
from partywall.formats.language_tag import language_code

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
        cuts = await asyncio.to_thread(
            lambda: {each.id: chunk_document(each.content, each.media_type) for each in short}
        )
        for document in found:
            if document.id not in cuts:
                given = request(document.content, document.media_type)
                answer = await self.texts.run(cut, given, len(given))
                cuts[document.id] = await asyncio.to_thread(chunks_of, answer)
        return await asyncio.to_thread(_new_chunks, found, cuts)


def _cost(content: str) -> int:
    return len(content) + _LINE * (content.count("\n") + content.count("\r"))


def _new_chunks(found: Sequence[ClaimedDocument], cuts: Mapping[UUID, Sequence[Chunk]]) -> list[NewChunk]:
    """A document whose language is unknown gets the project's, or else that of most others claimed with it."""
    languages = {
        each.id: language_of(
            each.metadata, beginning(each.title, [chunk.text for chunk in cuts[each.id][:EXAMINED_CHUNKS]])
        )
        for each in found
    }
    usual = _usual(found, languages.values())
    return [
        chunk
        for document in found
        for chunk in _of_document(document, cuts[document.id], configuration_of(languages[document.id] or usual))
    ]


def _usual(found: Sequence[ClaimedDocument], languages: Iterable[str | None]) -> str | None:
    """All are of one project."""
    if found and (language := language_code(found[0].usual_language or "")):
        return language
    known = Counter(filter(None, languages)).most_common(1)
    return known[0][0] if known else None


def _of_document(document: ClaimedDocument, chunks: Sequence[Chunk], configuration: str) -> Iterator[NewChunk]:
    of_text = text_hash(document.content, document.id)
    for ordinal, chunk in enumerate(chunks):
        begins_with_heading = chunk.text.startswith(chunk.section)
        context = document.title if begins_with_heading else f"{document.title}\n{chunk.section}"
        headings = chunk.headings if begins_with_heading else f"{chunk.section}\n{chunk.headings}"
        wording = Wording(of_text, passage_hash(chunk.text, ordinal))
        yield NewChunk(
            document.id, chunk.start, chunk.end, configuration, context, chunk.text, wording, chunk.page,
            chunk.section or None, headings, begins=ordinal == 0,
            sections=json.dumps(chunk.sections) if chunk.sections else None,
        )  # fmt: skip
