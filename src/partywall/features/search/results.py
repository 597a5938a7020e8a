"""What a search shows: passages with their scores, best first."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from partywall.core.rerankers import Reranker
from partywall.features.search.constants import MOST_DUPLICATES
from partywall.features.search.copies import Group, Owners
from partywall.features.search.fusion import Ranked
from partywall.features.search.highlights import Span
from partywall.features.search.repository import Found
from partywall.features.search.schemas import Explanation, Half, Highlight, SearchHit, TextHalf


@dataclass(frozen=True, slots=True)
class Result:
    """`owners` have its text. `score` is the calibrated one; `rerank` is what the reranker answered."""

    group: Group
    found: Found
    owners: Owners
    score: float
    rerank: float | None = None


async def rerank(reranker: Reranker, query: str, results: Sequence[Result]) -> list[Result]:
    """Orders the first ones again, by the reranker's scores, which become theirs. Raises RerankError."""
    judged, others = results[: reranker.candidates], results[reranker.candidates :]
    scores = await reranker.score(query, [_read(each.found) for each in judged])
    ordered = sorted(
        (replace(each, score=score, rerank=score) for each, score in zip(judged, scores, strict=True)),
        key=lambda each: -each.score,
    )
    return [*ordered, *(replace(each, score=min(each.score, ordered[-1].score)) for each in others)]


def _read(found: Found) -> str:
    """What the reranker reads of a passage."""
    headings = dict.fromkeys(each for each in (found.title, found.section) if each)
    return "\n".join([*headings, found.text])


def hit(result: Result, highlights: Sequence[Span], *, explain: bool) -> SearchHit:
    found = result.found
    others = [each for each in result.owners.ids if each != found.document_id]
    return SearchHit(
        document_id=found.document_id,
        external_id=found.external_id,
        revision=found.revision,
        title=found.title,
        page=found.page,
        section=section_of(found, highlights),
        chunk_id=found.id,
        text=found.text,
        start=found.first,
        end=found.last,
        score=round(result.score, 4),
        highlights=[Highlight(start=span.start, end=span.end) for span in highlights],
        duplicates=max(0, result.owners.documents - 1),
        duplicate_ids=others[:MOST_DUPLICATES],
        explanation=_explanation(result.group.best, result.rerank) if explain else None,
    )


def section_of(found: Found, highlights: Sequence[Span]) -> str | None:
    """The heading above most of the marked words: of equal ones, and without any, the first."""
    if found.sections is None or not highlights:
        return found.section
    others: list[tuple[int, str]] = json.loads(found.sections)
    starts = [place for place, _ in others]
    [(number, _)] = Counter(bisect_right(starts, span.start) for span in highlights).most_common(1)
    return others[number - 1][1] if number else found.section


def _explanation(ranked: Ranked, rerank_score: float | None) -> Explanation:
    text, vector = ranked.text, ranked.vector
    return Explanation(
        text=None if text is None else TextHalf(rank=text.rank, score=text.score, share=text.share),
        vector=None if vector is None else Half(rank=vector.rank, score=vector.score),
        phrase=round(ranked.phrase, 4),
        fused=ranked.score,
        rerank=rerank_score,
    )
