from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictFloat, StrictInt, StringConstraints

from partywall.core.schemas import NOT_BLANK, WHOLE, RequestModel, ResponseModel
from partywall.features.documents.filters.facets import GivenFacets
from partywall.features.documents.filters.grammar import FILTER, FilterText, GivenFilter
from partywall.features.documents.filters.tree import Comparison, Filter, Operator, both
from partywall.features.documents.filters.tree import Field as Column
from partywall.features.documents.schemas import Facet
from partywall.features.search.constants import (
    MAX_QUERY_CHARACTERS,
    MOST_COUNTED,
    MOST_COUNTED_TOGETHER,
    MOST_DUPLICATES,
)

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
    limit: Annotated[StrictInt, Field(ge=1, le=100), WHOLE] = 10
    mode: SearchMode = Field(default=SearchMode.HYBRID, description="Text search (BM25), vector search, or both fused.")
    group: SearchGroup = Field(default=SearchGroup.DOCUMENT, description="One hit per document, or one per chunk.")
    status: DocumentStatus | None = Field(default=None, description="Only documents with this status.")
    min_score: StrictFloat | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="Only hits whose `score` is at least this."
    )
    explain: StrictBool = Field(default=False, description="Show in `explanation` how each hit's place comes about.")
    filter: GivenFilter | None = Field(default=None, description=FILTER)
    facets: GivenFacets = Field(
        default_factory=list,
        description="Count the values of up to 8 fields in all documents that match the filter and the status, "
        "whether or not the words are in them.",
    )

    @property
    def wanted(self) -> Filter | None:
        """The filter, which includes the status."""
        status = None if self.status is None else Comparison(Column("status"), Operator.EQ, (self.status,))
        return both(status, self.filter)


class SearchParameters(SearchQuery):
    """The same in a query string."""

    limit: int = Field(default=10, ge=1, le=100)
    min_score: float | None = Field(
        default=None, ge=0, le=1, allow_inf_nan=False, description="Only hits whose `score` is at least this."
    )
    explain: bool = Field(default=False, description="Show in `explanation` how each hit's place comes about.")
    filter: FilterText | None = Field(default=None, description=FILTER)


class Highlight(ResponseModel):
    start: int = Field(description="Offset in `text`, in characters.", examples=[4])
    end: int = Field(examples=[11])


class Half(ResponseModel):
    """A half's opinion of a passage."""

    rank: int = Field(description="Among the passages that this half found, from 1.", examples=[1])
    score: float = Field(description="BM25 for text, the cosine similarity for vectors.", examples=[7.31])


class TextHalf(Half):
    share: float = Field(
        description="The share of the query that the passage has, within 0..1: of its words, each by its rarity.",
        examples=[0.8],
    )


class Explanation(ResponseModel):
    """A half that did not find the passage among its best ones is null."""

    text: TextHalf | None
    vector: Half | None
    phrase: float = Field(
        description="The share of the query's neighbouring words that are neighbours in the passage too, within 0..1.",
        examples=[0.5],
    )
    fused: float = Field(description="What orders the hits of one answer, before reranking.", examples=[0.94])
    rerank: float | None = Field(description="The reranker's score within 0..1.", examples=[0.87])


class SearchHit(ResponseModel):
    document_id: UUID
    external_id: str | None = Field(description="The document's.", examples=["policies/refunds.pdf"])
    revision: int = Field(description="The document's.", examples=[3])
    title: str = Field(examples=["Refund policy"])
    page: int | None = Field(
        description="The number of the page, slide or sheet that the text is from, beginning with 1; null where the "
        "document has none.",
        examples=[12],
    )
    section: str | None = Field(
        description="The heading above most of the `highlights`, or without any the one that the text starts under or "
        "with, such as a slide's title or a sheet's name.",
        examples=["Payment terms"],
    )
    chunk_id: UUID
    text: str = Field(
        description="What people read of `content[start:end]`: in Markdown without its marks.",
        examples=["Our refunds reach you within ten days."],
    )
    start: int = Field(description="Where the passage begins in the document's content, in characters.", examples=[0])
    end: int = Field(examples=[38])
    score: float = Field(
        description="How well the passage fits the query, within 0..1, comparable across queries; never rises from one "
        "hit to the next.",
        examples=[0.92],
    )
    highlights: list[Highlight] = Field(description="The query's words in `text`: the first 100.")
    duplicates: int = Field(
        description="How many other documents with the same text match the filter; they are not hits of their own. Up "
        f"to {MOST_COUNTED} are counted, or {MOST_COUNTED_TOGETHER} / `limit` if that is less.",
        examples=[1],
    )
    duplicate_ids: list[UUID] = Field(description=f"These documents: the oldest {MOST_DUPLICATES}.")
    explanation: Explanation | None = Field(description="Null unless `explain` is true.")


class SearchResult(ResponseModel):
    items: list[SearchHit]
    reranked: bool | None = Field(
        description="False if the reranker did not answer: then the hits are as the search found them. Null where none "
        "is set up."
    )
    facets: list[Facet] = Field(description="In the order in which they were asked for.")
