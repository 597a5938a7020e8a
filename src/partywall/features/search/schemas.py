from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from partywall.core.schemas import NOT_BLANK, RequestModel, ResponseModel
from partywall.features.search.constants import MAX_QUERY_CHARACTERS

DocumentStatus = Literal["draft", "published"]


class SearchMode(StrEnum):
    HYBRID = "hybrid"
    TEXT = "text"
    VECTOR = "vector"


class SearchGroup(StrEnum):
    DOCUMENT = "document"
    CHUNK = "chunk"


QueryText = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_QUERY_CHARACTERS), NOT_BLANK
]


class SearchQuery(RequestModel):
    q: QueryText = Field(description="What to look for: words, a question, or a whole passage.", examples=["refunds"])
    limit: int = Field(default=10, ge=1, le=100)
    mode: SearchMode = Field(default=SearchMode.HYBRID, description="Text search (BM25), vector search, or both fused.")
    group: SearchGroup = Field(default=SearchGroup.DOCUMENT, description="One hit per document, or one per chunk.")
    status: DocumentStatus | None = Field(default=None, description="Only documents with this status.")


class Highlight(ResponseModel):
    start: int = Field(description="Offset in `text`, in characters.", examples=[4])
    end: int = Field(examples=[11])


class SearchHit(ResponseModel):
    document_id: UUID
    title: str = Field(examples=["Refund policy"])
    chunk_id: UUID
    text: str = Field(
        description="What people read of `content[start:end]`: in Markdown without its marks.",
        examples=["Our refunds reach you within ten days."],
    )
    start: int = Field(description="Where the passage begins in the document's content, in characters.", examples=[0])
    end: int = Field(examples=[38])
    score: float = Field(
        description="Comparable within one response only: BM25, cosine similarity, or their fusion within 0..1.",
        examples=[0.92],
    )
    highlights: list[Highlight] = Field(description="The query's words in `text`: the first 100.")


class SearchResult(ResponseModel):
    items: list[SearchHit]
