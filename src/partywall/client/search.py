from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict, JsonValue

from partywall.client.api import Api


class Span(BaseModel):
    model_config = ConfigDict(extra="ignore")

    start: int
    end: int


class Half(BaseModel):
    model_config = ConfigDict(extra="ignore")

    rank: int
    score: float
    share: float | None = None


class Explanation(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: Half | None
    vector: Half | None
    phrase: float = 0.0
    fused: float
    rerank: float | None


class Hit(BaseModel):
    """`start` and `end` are the text's position in the document, in characters; `highlights` count from its start.

    `page` and `section` say where it is in the file, if it has pages and headings. `duplicates` other documents have
    the same text.
    """

    model_config = ConfigDict(extra="ignore")

    document_id: str
    external_id: str | None = None
    revision: int | None = None
    title: str
    page: int | None = None
    section: str | None = None
    text: str
    start: int
    end: int
    score: float
    highlights: list[Span]
    duplicates: int = 0
    duplicate_ids: list[str] = []
    explanation: Explanation | None = None


class Hits(BaseModel):
    """`reranked` is False if the server's reranker did not answer."""

    items: list[Hit]
    reranked: bool | None = None


def search(
    api: Api,
    project_id: str,
    query: str,
    *,
    limit: int,
    mode: str,
    filter_: str | None = None,
    min_score: float | None = None,
    explain: bool = False,
) -> bytes:
    """Returns the response body unchanged; `read_hits` parses it. `filter_` is the JSON of a filter."""
    body: dict[str, JsonValue] = {"q": query, "limit": limit, "mode": mode, "explain": explain}
    if min_score is not None:
        body["min_score"] = min_score
    if filter_ is not None:
        body["filter"] = json.loads(filter_)
    return api.post(f"/projects/{project_id}/search", body)


def read_hits(answer: bytes) -> Hits:
    return Hits.model_validate_json(answer)


def place(hit: Hit) -> str:
    """Where a person finds it, such as `contracts/report.pdf, page 12, Payment terms`; empty if nothing is known."""
    page = None if hit.page is None else f"page {hit.page}"
    section = None if hit.section == hit.title else hit.section
    return ", ".join(filter(None, (hit.external_id, page, section)))


def explained(explanation: Explanation) -> str:
    """In one line: `text: rank 1, BM25 7.310, share 0.80; vector: not found; phrase: 0.50; fused: 0.700`."""
    text, vector = explanation.text, explanation.vector
    parts = [
        "text: not found" if text is None else f"text: rank {text.rank}, BM25 {text.score:.3f}, share {text.share:.2f}",
        "vector: not found" if vector is None else f"vector: rank {vector.rank}, cosine {vector.score:.3f}",
        f"phrase: {explanation.phrase:.2f}",
        f"fused: {explanation.fused:.3f}",
    ]
    return "; ".join(parts if explanation.rerank is None else [*parts, f"rerank: {explanation.rerank:.3f}"])


def excerpt(hit: Hit, width: int) -> tuple[str, list[Span]]:
    """Returns about `width` characters of the hit around most of its highlights, and the highlights in them."""
    begin = max(0, _densest(hit.highlights, width // 2) - width // 4)
    if begin:
        begin = hit.text.rfind(" ", 0, begin) + 1
    end = min(len(hit.text), begin + width)
    if end < len(hit.text):
        end = max(hit.text.rfind(" ", begin, end), begin + 1)
    within = [
        Span(start=span.start - begin, end=min(span.end, end) - begin)
        for span in hit.highlights
        if begin <= span.start < end
    ]
    return hit.text[begin:end], within


def _densest(spans: list[Span], width: int) -> int:
    """Returns the start of the first stretch of `width` characters with the most highlights."""

    def held(start: int) -> int:
        return sum(start <= span.start < start + width for span in spans)

    return max((span.start for span in spans), key=held, default=0)
