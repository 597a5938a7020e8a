"""Writes the documents of a project with COPY, as indexing leaves them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

import asyncpg
import numpy as np

from bench.scale import rows
from bench.scale.language import Language
from bench.scale.terms import Terms, postings_of
from bench.scale.texts import Texts, texts_of
from partywall.features.search.constants import EXACT_CHUNKS
from partywall.features.search.text_hash import passage_hash, text_hash

FIRST_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)
KINDS: Final = 10
CUSTOMERS: Final = 100
_AUTHOR: Final = "user:bench"
_DIMENSION: Final = 256
_DOCUMENT: Final = [
    "project_id", "id", "title", "content", "metadata", "index_status", "chunks", "size", "content_sha256", "state",
    "created_by", "created_at", "updated_at",
]  # fmt: skip
_CHUNK: Final = [
    "project_id", "number", "document_id", "first", "last", "length", "configuration", "context", "text", "text_hash",
    "passage_hash", "begins",
]  # fmt: skip


def metadata(number: int) -> dict[str, str | int]:
    """A tenth of the documents has each kind, a hundredth each customer."""
    mixed = number * 7919 % 100_003
    return {"kind": f"kind {mixed % KINDS}", "customer": mixed // KINDS % CUSTOMERS}


def document_id(project: int, number: int) -> UUID:
    """Version 7, in the order of creation."""
    moment = int(_created(number).timestamp() * 1000)
    return UUID(int=(moment << 80) | (7 << 76) | (0b10 << 62) | (project << 32) | number)


def _created(number: int) -> datetime:
    return FIRST_DAY + timedelta(seconds=number)


@dataclass(slots=True)
class Filler:
    """`next_chunk` is the number of the next passage of any project."""

    connection: asyncpg.Connection
    language: Language
    terms: Terms
    next_chunk: int = 1

    async def fill(self, project: UUID, place: int, count: int, author: str = _AUTHOR) -> None:
        """`place` is the project's among all: its texts and ids depend on it."""
        index = await self.connection.fetchval(
            "INSERT INTO search_index (project_id, model, dimension, status, approximate, activated_at)"
            " VALUES ($1, $2, $3, 'active', $4, now()) RETURNING id",
            project, self.language.model, _DIMENSION, count > EXACT_CHUNKS,
        )  # fmt: skip
        done = terms = 0
        for texts in texts_of(self.language, place, count):
            ids = [document_id(place, done + number) for number in range(len(texts))]
            await self._documents(project, texts, ids, done, author)
            terms += await self._passages(project, index, texts, ids, approximate=count > EXACT_CHUNKS)
            done += len(texts)
        await self.connection.execute(
            "INSERT INTO search_statistic VALUES ($1, $2, $3, '{english}')", project, count, terms
        )

    async def _documents(self, project: UUID, texts: Texts, ids: list[UUID], done: int, author: str) -> None:
        records = [
            (
                project, id_, title, body, json.dumps(metadata(done + number)), "indexed", 1, len(body.encode()),
                hashlib.sha256(body.encode()).hexdigest(), 1, author, _created(done + number), _created(done + number),
            )
            for number, (id_, title, body) in enumerate(zip(ids, texts.titles, texts.bodies, strict=True))
        ]  # fmt: skip
        await self.connection.copy_records_to_table("document", records=records, columns=_DOCUMENT)

    async def _passages(self, project: UUID, index: UUID, texts: Texts, ids: list[UUID], *, approximate: bool) -> int:
        """The number of terms written."""
        postings = postings_of(texts, self.terms)
        numbers = np.arange(self.next_chunk, self.next_chunk + len(texts))
        self.next_chunk += len(texts)
        given = zip(numbers.tolist(), ids, postings.lengths.tolist(), texts.titles, texts.bodies, strict=True)
        chunks = [
            (
                project,
                number,
                id_,
                0,
                len(body),
                length,
                "english",
                title,
                body,
                text_hash(body, id_),
                passage_hash(body, 0),
                True,
            )
            for number, id_, length, title, body in given
        ]
        await self.connection.copy_records_to_table("chunk", records=chunks, columns=_CHUNK)
        count = len(postings.terms)
        await self._copy("posting", rows.rows_with_text(
            [
                rows.uuid_field(project, count),
                rows.integers(numbers[postings.documents], 8),
                rows.integers(postings.frequencies, 2),
                rows.integers(postings.lengths[postings.documents], 2),
            ],
            self.terms.texts[postings.terms],
            self.terms.lengths[postings.terms],
        ), ["project_id", "chunk", "frequency", "length", "term"])  # fmt: skip
        await self._copy("embedding", rows.rows([
            rows.uuid_field(project, len(texts)),
            rows.uuid_field(index, len(texts)),
            rows.integers(numbers, 8),
            rows.integers(np.full(len(texts), _DIMENSION), 2),
            rows.constant(bytes([approximate]), len(texts)),
            rows.half_vectors(texts.vectors),
        ]), ["project_id", "index_id", "chunk", "dimension", "approximate", "embedding"])  # fmt: skip
        return int(postings.lengths.sum())

    async def _copy(self, table: str, body: bytes, columns: list[str]) -> None:
        await self.connection.copy_to_table(table, source=rows.copied(body), columns=columns, format="binary")
