"""Scores a project's chunks for a query by BM25, in PostgreSQL: the statements, and the parameters of the formula."""

from __future__ import annotations

from functools import cache
from typing import Final
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    Float,
    Integer,
    Select,
    TextClause,
    bindparam,
    column,
    func,
    select,
    text,
    true,
)

from partywall.features.documents.filters.tree import Filter
from partywall.features.search.constants import QUERY_TERMS
from partywall.features.search.different_texts import different
from partywall.features.search.kept_passages import Kept, document_of
from partywall.features.search.term_plan import TermPlan
from partywall.features.search.terms import ASKED

# `b` was chosen with the fusion's constant; see docs/adr/0046.
K1: Final = 1.2
B: Final = 0.6

# Document frequencies are counted in the indexes when a query reads them, which avoids a hot row per term.
# A frequency of 0 is that of a weak term: one that a passage has only in headings or in parts of compounds and numbers.
_COUNTED: Final = """
WITH asked AS (
    SELECT term COLLATE "C" AS term, greatest(max(weight), 1) AS weight,
        array_agg(DISTINCT configuration) AS configurations, array_agg(DISTINCT word) AS words
    FROM (
        SELECT term, min(number) AS number, sum(weight) AS weight, array_agg(number) AS numbers
        FROM ({terms}) AS stem GROUP BY term, dictionary
    ) AS stem JOIN unnest(CAST(:word_numbers AS bigint[]), CAST(:word_configurations AS text[]))
        AS used (word, configuration) ON used.word = ANY (stem.numbers)
    GROUP BY 1 ORDER BY min(number), 1 LIMIT :query_terms
)
SELECT asked.term, asked.weight, asked.configurations, counted.times, weak.times, asked.words
FROM asked CROSS JOIN LATERAL (
    SELECT count(*) AS times FROM posting WHERE project_id = :project_id AND term = asked.term {only}
) AS counted CROSS JOIN LATERAL (
    SELECT count(*) AS times FROM posting
    WHERE project_id = :project_id AND term = asked.term AND frequency = 0 {only}
) AS weak
"""
_SCORED: Final = """
    SELECT posting.chunk, sum(
        given.information * frequency * (CAST(:k1 AS float8) + 1)
            / (frequency + CAST(:k1 AS float8) * (1 - CAST(:b AS float8) * (1 - length / CAST(:average AS float8))))
    ) AS score, sum(given.information) AS information
    FROM unnest(CAST(:{terms} AS text[]), CAST(:{terms}_information AS float8[]), CAST(:{terms}_lowest AS float8[]))
        AS given (term, information, lowest)
    CROSS JOIN LATERAL (
        SELECT chunk, greatest(CAST(frequency AS float8), given.lowest) AS frequency, CAST(length AS float8) AS length
        FROM posting WHERE project_id = :project_id AND term = given.term COLLATE "C" {only} OFFSET 0
    ) AS posting GROUP BY posting.chunk
"""
# The best of the passages with the choosing terms, with the scores of the other terms.
# lint: allow project-filter - the parts that are filled in name the project
_PRUNED: Final = """
WITH chosen AS MATERIALIZED ({chosen} ORDER BY score DESC, posting.chunk LIMIT :completed
), completed AS ({completed}
), scored AS (
    SELECT chunk, sum(score) AS score, sum(information) AS information
    FROM (SELECT * FROM chosen UNION ALL SELECT * FROM completed) AS part GROUP BY chunk
)
"""
# `IS TRUE` keeps PostgreSQL from looking up all terms of each passage instead: it has a hash table of the passages.
_KEPT: Final = "AND (chunk IN (SELECT unnest(CAST(:kept AS bigint[])))) IS TRUE"
_CHOSEN: Final = "AND (chunk IN (SELECT chosen.chunk FROM chosen)) IS TRUE"
_NOT_STAGED: Final = (
    "AND chunk NOT IN (SELECT number FROM chunk WHERE project_id = :project_id AND staged_for IS NOT NULL)"
)
_SCORES: Final = "SELECT * FROM scored"
_BEST: Final = """, best AS (
    SELECT near.chunk, chunk.document_id, near.score, near.information
    FROM (SELECT * FROM scored ORDER BY score DESC, chunk LIMIT :looked_at) AS near
    JOIN chunk ON chunk.project_id = :project_id AND chunk.number = near.chunk
)
SELECT chunk, document_id, score, least(1, information / CAST(:whole AS float8)) AS share,
    CAST(:whole AS float8) AS whole
FROM (
    SELECT best.*, row_number() OVER (PARTITION BY document_id ORDER BY score DESC, chunk) AS place FROM best
) AS placed
WHERE place <= :of_document ORDER BY score DESC, chunk LIMIT :candidates
"""

type Best = Select[int, UUID, float, float, float]


@cache
def counted(*, staged: bool = False) -> TextClause:
    """The terms of the query, and how many passages have each. `staged`: some passages are staged, and not found."""
    return text(_COUNTED.format(terms=ASKED, only=_NOT_STAGED if staged else ""))


@cache
def best(*, pruned: bool, staged: bool = False, kept: bool = False) -> TextClause:
    """The best passages, at most `of_document` of each document, which must not fill the candidates alone.

    `kept`: only those with the numbers `kept`.
    """
    return text(_scored(pruned=pruned, staged=staged, kept=kept) + _BEST)


def best_of_matching(tree: Filter | None, *, pruned: bool, staged: bool) -> Best:
    """The best passages of documents that match, looked up in the order of the scores."""
    numbers = (column(name, Float) for name in ("score", "information"))
    scores = text(_scored(pruned=pruned, staged=staged) + _SCORES)
    scored = scores.columns(column("chunk", BigInteger), *numbers).subquery("scored")
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
    whole = bindparam("whole", type_=Float)
    return (
        select(
            placed.c.chunk, placed.c.document_id, placed.c.score,
            func.least(1, placed.c.information / whole).label("share"), whole.label("whole"),
        )
        .where(placed.c.place <= bindparam("of_document", type_=Integer))
        .order_by(placed.c.score.desc(), placed.c.chunk)
        .limit(bindparam("candidates", type_=Integer))
    )  # fmt: skip


def without_copies(kept: Kept | None, *, staged: bool) -> Select[*tuple[object, ...]]:
    """The best of all passages that may be found, without copies."""
    few = kept is not None and kept.numbers is not None
    scores = text(_scored(pruned=False, staged=staged and not few, kept=few) + _SCORES)
    numbers = (column(name, Float) for name in ("score", "information"))
    scored = scores.columns(column("chunk", BigInteger), *numbers).subquery("scored")
    whole = bindparam("whole", type_=Float)
    share = func.least(1, scored.c.information / whole)
    found = select(scored.c.chunk, scored.c.score, share.label("share"), whole.label("whole")).subquery("found")
    return different(found, lambda given: given.c.score.desc(), kept)


def _scored(*, pruned: bool, staged: bool, kept: bool = False) -> str:
    only = (_NOT_STAGED if staged else "") + (_KEPT if kept else "")
    choosing = _SCORED.format(terms="choosing", only=only)
    if not pruned:
        return f"WITH scored AS ({choosing})"
    return _PRUNED.format(chosen=choosing, completed=_SCORED.format(terms="rest", only=_CHOSEN))


def asked_parameters() -> dict[str, object]:
    return {"query_terms": QUERY_TERMS}


def parameters(plan: TermPlan, chunks: int, terms: int) -> dict[str, object]:
    """For a project with so many chunks, and so many terms in all of them."""
    values: dict[str, object] = {
        "average": max(1.0, terms / max(1, chunks)),
        "k1": K1,
        "b": B,
        "whole": plan.whole,
        "choosing": [each.term for each in plan.choosing],
        "choosing_information": [each.information for each in plan.choosing],
        "choosing_lowest": [each.lowest for each in plan.choosing],
    }
    if plan.rest:
        values |= {
            "rest": [each.term for each in plan.rest],
            "rest_information": [each.information for each in plan.rest],
            "rest_lowest": [each.lowest for each in plan.rest],
            "completed": plan.completed,
        }
    return values
