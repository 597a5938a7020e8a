"""What a search should find: computed from all postings and all vectors, by other statements than the product's."""

from __future__ import annotations

from typing import Final
from uuid import UUID

from bench.results import Result
from bench.scale.data import Data
from bench.scale.questions import FILTERS, Json, queries
from bench.scale.search import search
from partywall.features.search.bm25 import K1, B
from partywall.features.search.vectors import vector_text

TARGET: Final = 0.98
_TOP: Final = 10
_ROUNDING: Final = 1e-9
# The filters of this benchmark, by the name and the value in the metadata; null for none.
_KEPT: Final = """
JOIN document AS d ON d.project_id = c.project_id AND d.id = c.document_id
    AND (CAST($3 AS text) IS NULL OR d.metadata ->> CAST($3 AS text) = $4)
"""
_NEAREST: Final = """
SELECT c.id FROM embedding AS e JOIN chunk AS c ON c.project_id = e.project_id AND c.number = e.chunk {kept}
WHERE e.project_id = $1 ORDER BY e.embedding <=> CAST(CAST($2 AS text) AS halfvec) LIMIT 10
"""
# Weak postings have the frequency 0: together they count as the root of their number (see docs/adr/0046).
_BM25: Final = """
WITH asked AS (
    SELECT DISTINCT lexeme FROM unnest(string_to_array($2, ' ')) AS word
    CROSS JOIN LATERAL unnest(ts_lexize('english_stem', word)) AS lexeme
), found AS (
    SELECT p.*, count(*) FILTER (WHERE frequency > 0) OVER of_term AS strong,
        sqrt(count(*) FILTER (WHERE frequency = 0) OVER of_term) AS weak
    FROM posting AS p WHERE p.project_id = $1 AND term IN (SELECT lexeme FROM asked)
    WINDOW of_term AS (PARTITION BY term)
), counted AS (
    SELECT f.*, strong + weak AS documents, CASE frequency WHEN 0 THEN 1 / weak ELSE frequency END AS times
    FROM found AS f
), scored AS (
    SELECT chunk, sum(
        ln(1 + (s.chunks - documents + 0.5) / (documents + 0.5)) * times * ({k1} + 1)
        / (times + {k1} * (1 - {b} + {b} * length * s.chunks / s.terms))
    ) AS score
    FROM counted JOIN search_statistic AS s USING (project_id) GROUP BY chunk
)
SELECT c.id, CAST(scored.score AS float8) AS score FROM scored
JOIN chunk AS c ON c.project_id = $1 AND c.number = scored.chunk {kept}
ORDER BY scored.score DESC LIMIT 200
"""


def best_by_word() -> str:
    """Of the project $1 for the words $2: the passages and their scores. For $3 and $4 see `_KEPT`."""
    return _BM25.format(kept=_KEPT, k1=K1, b=B)


async def recall(data: Data, count: int) -> list[Result]:
    """The share of the best ten that each half finds, of the projects that are not compared as a whole."""
    results = []
    for size, [project, *_] in sorted(data.projects.items()):
        asked = queries(data, project, size, count)
        for mode in ("vector", "text"):
            for name, trees in FILTERS.items():
                found = [
                    await _share(data, project, q, mode, trees[number % len(trees)]) for number, q in enumerate(asked)
                ]
                share = sum(found) / len(found)
                each = Result(
                    f"best ten, {size:,} passages, {mode}, {name}", f"{share:.3f}", f"{TARGET}", share >= TARGET
                )
                print(each.name, each.measured, flush=True)
                results.append(each)
    return results


async def _shown(data: Data, project: UUID, q: str, mode: str, tree: Json | None) -> list[UUID]:
    """The first ten passages; by word as they are before their phrases are compared, which reorders them."""
    if mode == "vector":
        hits = await search(data, project, q, mode, tree, group="chunk")
    else:
        hits = await search(data, project, q, mode, tree, group="chunk", limit=2 * _TOP, explain=True)
        hits = sorted(hits, key=_by_word)[:_TOP]
    return [UUID(str(hit["chunk_id"])) for hit in hits]


def _by_word(hit: Json) -> int:
    explanation = hit["explanation"]
    assert isinstance(explanation, dict)
    return int(explanation["text"]["rank"])


async def _share(data: Data, project: UUID, q: str, mode: str, tree: Json | None) -> float:
    shown = await _shown(data, project, q, mode, tree)
    field, value = (None, None) if tree is None else (str(tree["field"]).partition(".")[2], str(tree["value"]))
    if mode == "vector":
        vector = vector_text(await data.language.embedder.embed_query(q))
        best = {
            row["id"] for row in await data.database.fetch(_NEAREST.format(kept=_KEPT), project, vector, field, value)
        }
        return len(best.intersection(shown)) / len(best) if best else 1.0
    rows = await data.database.fetch(best_by_word(), project, q, field, value)
    if not rows:
        return 1.0
    # Passages with the score of the tenth are as good.
    wanted = min(_TOP, len(rows))
    good = {row["id"] for row in rows if row["score"] >= rows[wanted - 1]["score"] - _ROUNDING}
    return len(good.intersection(shown)) / wanted
