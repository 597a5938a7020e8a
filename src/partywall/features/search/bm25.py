"""Scores a project's chunks for a query by BM25, in PostgreSQL: the statements, and the parameters of the formula."""

from __future__ import annotations

from functools import cache
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Float, Integer, Select, TextClause, bindparam, column, select, text, true

from partywall.features.documents.filters.tree import Filter
from partywall.features.search.constants import LONGEST_TERM, QUERY_TERMS, visible
from partywall.features.search.kept_passages import document_of

# The usual ones; tuning on the SciFact train queries gained nothing.
_K1: Final = 1.2
_B: Final = 0.75

# Document frequencies are counted from the postings that the query reads anyway, which avoids a hot row per term.
_SCORED: Final = """
WITH asked AS (
    SELECT lexeme COLLATE "C" AS term, CAST(max(cardinality(positions)) AS float8) AS weight
    FROM unnest(CAST(:configurations AS text[])) AS configuration,
        unnest(to_tsvector(CAST(configuration AS regconfig), {query}))
    WHERE octet_length(lexeme) <= :longest_term
    GROUP BY 1 ORDER BY 1 LIMIT :query_terms
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
    FROM found JOIN rarity ON rarity.term = found.term {kept} GROUP BY found.chunk
)
"""
_SCORES: Final = "SELECT * FROM scored"
_BEST: Final = """
SELECT best.chunk, chunk.document_id, best.score
FROM (SELECT scored.chunk, scored.score FROM scored ORDER BY scored.score DESC, scored.chunk LIMIT :candidates) AS best
JOIN chunk ON chunk.project_id = :project_id AND chunk.number = best.chunk
"""
_NOT_STAGED: Final = """
    AND posting.chunk NOT IN (SELECT number FROM chunk WHERE project_id = :project_id AND staged_for IS NOT NULL)
"""
_KEPT: Final = "WHERE found.chunk IN (SELECT unnest(CAST(:kept AS bigint[])))"


@cache
def best(*, staged: bool = False, kept: bool = False) -> TextClause:
    """The best passages. `staged`: some are staged, and not found. `kept`: only those with the numbers `kept`."""
    return text(_scored(staged=staged, kept=kept) + _BEST)


def best_of_matching(tree: Filter | None, *, staged: bool) -> Select[int, UUID, float]:
    """The best passages of documents that match, looked up in the order of the scores."""
    scored = text(_scored(staged=staged) + _SCORES).columns(column("chunk", BigInteger), column("score", Float))
    scores = scored.subquery("scored")
    order = (scores.c.score.desc(), scores.c.chunk)
    first = select(scores).order_by(*order).subquery("first")
    its = document_of(tree, first.c.chunk)
    return (
        select(first.c.chunk, its.c.document_id, first.c.score)
        .join_from(first, its, true())
        .order_by(first.c.score.desc(), first.c.chunk)
        .limit(bindparam("candidates", type_=Integer))
    )


def _scored(*, staged: bool, kept: bool = False) -> str:
    return _SCORED.format(query=visible(":query"), only=_NOT_STAGED if staged else "", kept=_KEPT if kept else "")


def parameters(chunks: int, terms: int) -> dict[str, object]:
    """For a project with so many chunks, and so many terms in all of them."""
    return {
        "longest_term": LONGEST_TERM,
        "query_terms": QUERY_TERMS,
        "chunks": float(chunks),
        "average": max(1.0, terms / max(1, chunks)),
        "k1": _K1,
        "b": _B,
    }
