"""Scores a project's chunks for a query by BM25, in PostgreSQL: the statements, and the parameters of the formula."""

from __future__ import annotations

from functools import cache
from typing import Final
from uuid import UUID

from sqlalchemy import BigInteger, Float, Integer, Select, TextClause, bindparam, column, func, select, text, true

from partywall.features.documents.filters.tree import Filter
from partywall.features.search.constants import QUERY_TERMS
from partywall.features.search.kept_passages import document_of
from partywall.features.search.terms import ASKED

# `b` was chosen with the fusion's constant; see docs/adr/0046.
_K1: Final = 1.2
_B: Final = 0.6

# A term with a digit, such as a code or a year, counts twice: who gives one wants no other.
# Document frequencies are counted from the postings that the query reads anyway, which avoids a hot row per term.
# A frequency of 0 is that of a weak term: one that a passage has only in headings or in parts of compounds. The more
# passages have it so, the less each counts: together as much as the root of their number.
_SCORED: Final = """
WITH asked AS (
    SELECT term COLLATE "C" AS term, greatest(max(weight), 1) AS weight,
        array_agg(DISTINCT configuration) AS configurations
    FROM (
        SELECT term, min(number) AS number, sum(weight) AS weight, array_agg(number) AS numbers
        FROM ({terms}) AS stem GROUP BY term, dictionary
    ) AS stem JOIN unnest(CAST(:word_numbers AS bigint[]), CAST(:word_configurations AS text[]))
        AS used (word, configuration) ON used.word = ANY (stem.numbers)
    GROUP BY 1 ORDER BY min(number), 1 LIMIT :query_terms
), found AS (
    SELECT asked.term, asked.weight, posting.chunk,
        CAST(posting.frequency AS float8) AS frequency, CAST(posting.length AS float8) AS length
    FROM asked JOIN posting ON posting.project_id = :project_id AND posting.term = asked.term {only}
), rarity AS (
    SELECT asked.term, asked.weight, asked.configurations,
        ln(1 + (greatest(CAST(:chunks AS float8) - times, 0) + 0.5) / (times + 0.5))
            * CASE WHEN asked.term ~ '[0-9]' AND length(asked.term) > 2 THEN 2 ELSE 1 END AS rare,
        1 / sqrt(greatest(weak, 1)) AS lowest
    FROM asked
    LEFT JOIN (
        SELECT term, count(*), count(*) FILTER (WHERE frequency = 0) FROM found GROUP BY term
    ) AS counted (term, all_of_them, weak_ones) ON counted.term = asked.term
    CROSS JOIN LATERAL (
        SELECT coalesce(weak_ones, 0), coalesce(all_of_them - weak_ones, 0) + sqrt(coalesce(weak_ones, 0))
    ) AS used (weak, times)
), whole AS (
    SELECT min(information) AS information FROM (
        SELECT sum(weight * rare ORDER BY term)
        FROM rarity, unnest(configurations) AS configuration GROUP BY configuration
    ) AS asked_in (information)
), scored AS (
    SELECT found.chunk, sum(
        found.weight * rare * counted * (CAST(:k1 AS float8) + 1)
            / (counted + CAST(:k1 AS float8) * (1 - CAST(:b AS float8) * (1 - length / CAST(:average AS float8))))
    ) AS score, sum(found.weight * rare) AS information
    FROM found JOIN rarity ON rarity.term = found.term
    CROSS JOIN LATERAL (SELECT greatest(frequency, lowest)) AS times (counted) {kept} GROUP BY found.chunk
)
"""
_KEPT: Final = "WHERE found.chunk IN (SELECT unnest(CAST(:kept AS bigint[])))"
_NOT_STAGED: Final = """
    AND posting.chunk NOT IN (SELECT number FROM chunk WHERE project_id = :project_id AND staged_for IS NOT NULL)
"""
_SCORES: Final = """
SELECT scored.*, whole.information AS asked FROM scored, whole
"""
_BEST: Final = """, best AS (
    SELECT near.chunk, chunk.document_id, near.score, near.information
    FROM (SELECT * FROM scored ORDER BY score DESC, chunk LIMIT :looked_at) AS near
    JOIN chunk ON chunk.project_id = :project_id AND chunk.number = near.chunk
)
SELECT chunk, document_id, score, least(1, placed.information / whole.information), whole.information
FROM (
    SELECT best.*, row_number() OVER (PARTITION BY document_id ORDER BY score DESC, chunk) AS place FROM best
) AS placed, whole
WHERE place <= :of_document ORDER BY score DESC, chunk LIMIT :candidates
"""

type Best = Select[int, UUID, float, float, float]


@cache
def best(*, staged: bool = False, kept: bool = False) -> TextClause:
    """The best passages, at most `of_document` of each document, which must not fill the candidates alone.

    `staged`: some are staged, and not found. `kept`: only those with the numbers `kept`.
    """
    return text(_scored(staged=staged, kept=kept) + _BEST)


def best_of_matching(tree: Filter | None, *, staged: bool) -> Best:
    """The best passages of documents that match, looked up in the order of the scores."""
    numbers = (column(name, Float) for name in ("score", "information", "asked"))
    scored = text(_scored(staged=staged) + _SCORES).columns(column("chunk", BigInteger), *numbers).subquery("scored")
    first = select(scored).order_by(scored.c.score.desc(), scored.c.chunk).subquery("first")
    its = document_of(tree, first.c.chunk)
    near = (
        select(first, its.c.document_id)
        .join_from(first, its, true())
        .order_by(first.c.score.desc(), first.c.chunk)
        .limit(bindparam("looked_at", type_=Integer))
        .subquery("near")
    )
    order = (near.c.score.desc(), near.c.chunk)
    place = func.row_number().over(partition_by=near.c.document_id, order_by=order).label("place")
    placed = select(near, place).subquery("placed")
    return (
        select(
            placed.c.chunk, placed.c.document_id, placed.c.score,
            func.least(1, placed.c.information / placed.c.asked), placed.c.asked,
        )
        .where(placed.c.place <= bindparam("of_document", type_=Integer))
        .order_by(placed.c.score.desc(), placed.c.chunk)
        .limit(bindparam("candidates", type_=Integer))
    )  # fmt: skip


def _scored(*, staged: bool, kept: bool = False) -> str:
    return _SCORED.format(terms=ASKED, only=_NOT_STAGED if staged else "", kept=_KEPT if kept else "")


def parameters(chunks: int, terms: int) -> dict[str, object]:
    """For a project with so many chunks, and so many terms in all of them."""
    return {
        "query_terms": QUERY_TERMS,
        "chunks": float(chunks),
        "average": max(1.0, terms / max(1, chunks)),
        "k1": _K1,
        "b": _B,
    }
