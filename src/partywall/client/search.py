from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict

from partywall.client.api import Api


class Span(BaseModel):
    model_config = ConfigDict(extra="ignore")

    start: int
    end: int


class Hit(BaseModel):
    """`start` and `end` are the text's position in the document, in characters; `highlights` count from its start.

    `page` and `section` say where it is in the file, if it has pages and headings.
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


class _Hits(BaseModel):
    items: list[Hit]


def search(api: Api, project_id: str, query: str, *, limit: int, mode: str, filter_: str | None = None) -> bytes:
    """Returns the response body unchanged; `read_hits` parses it. `filter_` is the JSON of a filter."""
    asked: dict[str, str | int] = {"q": query, "limit": limit, "mode": mode}
    if filter_ is None:
        return api.get(f"/projects/{project_id}/search", asked)
    return api.post(f"/projects/{project_id}/search", {**asked, "filter": json.loads(filter_)})


def read_hits(answer: bytes) -> list[Hit]:
    return _Hits.model_validate_json(answer).items


def place(hit: Hit) -> str:
    """Where a person finds it, such as `contracts/report.pdf, page 12, Payment terms`; empty if nothing is known."""
    page = None if hit.page is None else f"page {hit.page}"
    section = None if hit.section == hit.title else hit.section
    return ", ".join(filter(None, (hit.external_id, page, section)))


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
