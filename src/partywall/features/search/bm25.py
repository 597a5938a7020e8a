"""Scores a project's chunks for a query by BM25, in PostgreSQL: the statements, and the parameters of the formula."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from partywall.features.search.constants import QUERY_TERMS
from partywall.features.search.terms import ASKED

# The usual ones; tuning on the SciFact train queries gained nothing.
_K1: Final = 1.2
_B: Final = 0.75

# Document frequencies are counted from the postings that the query reads anyway, which avoids a hot row per term.
_SCORED: Final = """
WITH asked AS (
    SELECT term COLLATE "C" AS term, greatest(max(weight), 1) AS weight
    FROM (
        SELECT term, min(number) AS number, sum(weight) AS weight FROM ({terms}) AS stem GROUP BY term, dictionary
    ) AS stem
    GROUP BY 1 ORDER BY min(number), 1 LIMIT :query_terms
), found AS (
    SELECT asked.term, asked.weight, posting.chunk,
        CAST(posting.frequency AS float8) AS frequency, CAST(posting.length AS float8) AS length
    FROM asked JOIN posting ON posting.project_id = :project_id AND posting.term = asked.term {only}
), rarity AS (
    SELECT term, ln(1 + (greatest(CAST(:chunks AS float8) - count(*), 0) + 0.5) / (count(*) + 0.5)) AS rare
    FROM found GROUP BY term
), scored AS (
    SELECT found.chunk, sum(
        weight * rare * frequency * (CAST(:k1 AS float8) + 1)
            / (frequency + CAST(:k1 AS float8) * (1 - CAST(:b AS float8) * (1 - length / CAST(:average AS float8))))
    ) AS score
    FROM found JOIN rarity ON rarity.term = found.term GROUP BY found.chunk
)
"""
_BEST: Final = """
SELECT best.chunk, chunk.document_id, best.score
FROM (SELECT scored.chunk, scored.score FROM scored ORDER BY scored.score DESC, scored.chunk LIMIT :candidates) AS best
JOIN chunk ON chunk.project_id = :project_id AND chunk.number = best.chunk
"""
_BEST_OF_DOCUMENTS: Final = """
SELECT scored.chunk, chunk.document_id, scored.score
FROM scored
JOIN chunk ON chunk.project_id = :project_id AND chunk.number = scored.chunk
JOIN document ON document.project_id = :project_id AND document.id = chunk.document_id
    AND document.status = coalesce(CAST(:status AS text), document.status)
ORDER BY scored.score DESC, scored.chunk LIMIT :candidates
"""
_NOT_STAGED: Final = """
    AND posting.chunk NOT IN (SELECT number FROM chunk WHERE project_id = :project_id AND staged_for IS NOT NULL)
"""
# Keys: whether to join the documents, and whether the project has staged chunks.
STATEMENTS: Final = {
    (documents, staged): text(_SCORED.format(terms=ASKED, only=_NOT_STAGED if staged else "") + best)
    for documents, best in ((False, _BEST), (True, _BEST_OF_DOCUMENTS))
    for staged in (False, True)
}


def parameters(chunks: int, terms: int) -> dict[str, object]:
    """For a project with so many chunks, and so many terms in all of them."""
    return {
        "query_terms": QUERY_TERMS,
        "chunks": float(chunks),
        "average": max(1.0, terms / max(1, chunks)),
        "k1": _K1,
        "b": _B,
    }
