"""Writes chunks with their postings and vectors, in few statements for any number of chunks."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from sqlalchemy import text

from partywall.core.db.session import AsyncSession
from partywall.core.tenancy import SharedScope
from partywall.features.search.copies import Wording
from partywall.features.search.exceptions import IndexesChanged
from partywall.features.search.index_repository import KnownIndex
from partywall.features.search.terms import OCCURRENCES, TERMS, CountedWords

_ADDING: Final = """
WITH serving AS MATERIALIZED (
    SELECT id, dimension, external, approximate FROM search_index
    WHERE project_id = :project_id AND status IN ('active', 'building') ORDER BY id FOR SHARE
), given AS MATERIALIZED (
    SELECT document_id, first, last, configuration, context, body, page, section, sections,
        text_hash, passage_hash, vector, place, begins
    FROM unnest(
        CAST(:document_ids AS uuid[]), CAST(:firsts AS integer[]), CAST(:lasts AS integer[]),
        CAST(:configurations AS text[]), CAST(:contexts AS text[]), CAST(:texts AS text[]),
        CAST(:pages AS integer[]), CAST(:sections AS text[]), CAST(:others AS jsonb[]),
        CAST(:text_hashes AS bigint[]), CAST(:passage_hashes AS bigint[]), CAST(:vectors AS text[]),
        CAST(:chunks AS integer[]), CAST(:begins AS boolean[])
    ) AS given (
        document_id, first, last, configuration, context, body, page, section, sections,
        text_hash, passage_hash, vector, place, begins
    )
), stem AS MATERIALIZED ({terms}
), counted AS MATERIALIZED (
    SELECT place, term, coalesce(sum(count) FILTER (WHERE NOT extra), 0) AS own,
        greatest(sum(count) FILTER (WHERE NOT extra), sum(count) FILTER (WHERE extra)) AS frequency
    FROM ({occurrences}) AS occurrence JOIN stem ON stem.number = occurrence.number
    GROUP BY place, term
), made AS (
    INSERT INTO chunk (
        project_id, document_id, first, last, length, configuration, context, text, page, section, sections, staged_for,
        text_hash, passage_hash, begins
    )
    SELECT :project_id, document_id, first, last,
        coalesce(measured.length, 0), configuration, context, body, page, section, sections,
        CAST(:staged_for AS integer), text_hash, passage_hash, begins
    FROM given LEFT JOIN (SELECT place, sum(own) AS length FROM counted GROUP BY place) AS measured
        ON measured.place = given.place
    ORDER BY given.place
    RETURNING number, document_id, first, length
), posted AS (
    INSERT INTO posting (project_id, chunk, frequency, length, term)
    SELECT :project_id, made.number, least(frequency, 32767), least(made.length, 32767), term
    FROM made JOIN given ON given.document_id = made.document_id AND given.first = made.first
        JOIN counted ON counted.place = given.place
    ORDER BY term COLLATE "C"
){embedded}
SELECT made.number, made.document_id, made.first, ARRAY(SELECT id FROM serving) AS serving FROM made
"""
_EMBEDDED: Final = """, embedded AS (
    INSERT INTO embedding (project_id, index_id, chunk, dimension, external, approximate, embedding)
    SELECT :project_id, serving.id, made.number, serving.dimension, serving.external,
        NOT serving.external AND (serving.approximate OR CAST(:large AS boolean)), CAST(vector AS halfvec)
    FROM made JOIN given ON given.document_id = made.document_id AND given.first = made.first
        JOIN serving ON serving.id = CAST(:index_id AS uuid)
)"""
_ADD: Final = text(_ADDING.format(terms=TERMS, occurrences=OCCURRENCES, embedded=""))
_ADD_EMBEDDED: Final = text(_ADDING.format(terms=TERMS, occurrences=OCCURRENCES, embedded=_EMBEDDED))

# One lookup per document: without good statistics, another plan would read all chunks of the project.
_REMOVE: Final = text("""
DELETE FROM chunk WHERE project_id = :project_id AND number = ANY (ARRAY(
    SELECT old.number FROM unnest(CAST(:document_ids AS uuid[])) AS given(id) CROSS JOIN LATERAL (
        SELECT number FROM chunk WHERE project_id = :project_id AND document_id = given.id OFFSET 0
    ) AS old
))
""")
_REMEMBER: Final = text("""
UPDATE search_statistic
SET configurations = ARRAY(SELECT DISTINCT unnest(configurations || CAST(:used AS text[])) ORDER BY 1)
WHERE project_id = :project_id AND NOT configurations @> CAST(:used AS text[])
""")


@dataclass(frozen=True, slots=True)
class NewChunk:
    """A passage, `content[first:last]`; `context` is the title and heading that are indexed before its text.

    `headings` are the headings in both, without the title. `begins`: it is the first one of its document. `sections`:
    where in the text other ones begin, as JSON.
    """

    document_id: UUID
    first: int
    last: int
    configuration: str
    context: str
    text: str
    wording: Wording
    page: int | None = None
    section: str | None = None
    headings: str = ""
    begins: bool = False
    sections: str | None = None

    @property
    def place(self) -> tuple[int, int, str, str]:
        """Distinguishes it from other chunks with the same text."""
        return self.first, self.last, self.configuration, self.context

    @property
    def indexed(self) -> str:
        return f"{self.context}\n{self.text}"


@dataclass(frozen=True, slots=True)
class IndexVectors:
    """One vector per chunk to write, in PostgreSQL's notation."""

    index: KnownIndex
    vectors: Sequence[str]


@dataclass(frozen=True, slots=True)
class ChunkWriter:
    session: AsyncSession
    scope: SharedScope

    async def remove(self, document_ids: Sequence[UUID]) -> None:
        values = {"project_id": self.scope.project_id, "document_ids": list(document_ids)}
        await self.session.execute(_REMOVE, values)

    async def add(
        self,
        chunks: Sequence[NewChunk],
        words: CountedWords,
        embedded: IndexVectors | None,
        expected: Collection[UUID],
        *,
        large: bool,
        staged_for: int | None = None,
    ) -> list[int]:
        """Stores chunks, their postings and their vectors in one index; returns their numbers in the order given.

        Chunks staged for a version cannot be found until the document switches to it. Locks the serving and building
        indexes until the transaction ends; raises IndexesChanged if they are not the `expected` ones.
        """
        values = {
            "project_id": self.scope.project_id,
            "document_ids": [chunk.document_id for chunk in chunks],
            "firsts": [chunk.first for chunk in chunks],
            "lasts": [chunk.last for chunk in chunks],
            "configurations": [chunk.configuration for chunk in chunks],
            "contexts": [chunk.context for chunk in chunks],
            "texts": [chunk.text for chunk in chunks],
            "pages": [chunk.page for chunk in chunks],
            "sections": [chunk.section for chunk in chunks],
            "others": [chunk.sections for chunk in chunks],
            "text_hashes": [chunk.wording.text_hash for chunk in chunks],
            "passage_hashes": [chunk.wording.passage_hash for chunk in chunks],
            "vectors": [] if embedded is None else embedded.vectors,
            "begins": [chunk.begins for chunk in chunks],
            "staged_for": staged_for,
            "chunks": [words.places[chunk.document_id, chunk.first] for chunk in chunks],
            **words.parameters,
        }
        statement = _ADD
        if embedded is not None:
            statement, values = _ADD_EMBEDDED, {
                **values, "index_id": embedded.index.id, "large": large,
            }  # fmt: skip
        rows = (await self.session.execute(statement, values)).all()
        if any(set(row.serving) != set(expected) for row in rows[:1]):
            raise IndexesChanged
        numbers = {(row.document_id, row.first): row.number for row in rows}
        return [numbers[chunk.document_id, chunk.first] for chunk in chunks]

    async def remember(self, configurations: Iterable[str]) -> None:
        """Stores which text search configurations the project's chunks use."""
        values = {"project_id": self.scope.project_id, "used": sorted(set(configurations))}
        await self.session.execute(_REMEMBER, values)
