from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, StrictBool, StringConstraints, field_validator
from pydantic_core import PydanticCustomError

from partywall.core.schemas import (
    NOT_BLANK,
    Instant,
    JsonObject,
    PageQuery,
    RequestModel,
    ResponseModel,
    Storable,
    in_one_line,
)
from partywall.features.documents.constants import (
    MAX_BATCH,
    MAX_EXTERNAL_ID,
    MAX_FILE_NAME,
    MAX_METADATA_BYTES,
    MAX_TITLE,
)
from partywall.features.documents.filters.grammar import FILTER, FilterText, read_filter
from partywall.features.documents.filters.tree import Filter

type Status = Literal["draft", "published"]
type TextType = Literal["text/plain", "text/markdown"]
type Concern = Literal["no_text"]
type IndexStatus = Literal["pending", "indexed", "failed"]
type Sort = Literal["-created_at", "created_at", "title", "-title", "updated_at", "-updated_at"]

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TITLE), NOT_BLANK]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_EXTERNAL_ID)]
FileName = Annotated[str, StringConstraints(max_length=MAX_FILE_NAME), AfterValidator(in_one_line)]


def metadata_json(metadata: JsonObject) -> str:
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))


def metadata_bytes(metadata: JsonObject) -> int:
    """Size of the metadata's JSON as answered, where PostgreSQL writes numbers without exponents."""
    text = metadata_json(metadata)
    return len(text.encode()) + (_longer(metadata) if "e+" in text or "e-" in text else 0)


def _longer(value: JsonValue) -> int:
    if isinstance(value, float):
        return max(0, len(format(Decimal(repr(value)), "f")) - len(repr(value)))
    items = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return sum(map(_longer, items))


def _small(metadata: JsonObject) -> JsonObject:
    if metadata and metadata_bytes(metadata) > MAX_METADATA_BYTES:
        raise PydanticCustomError("too_large", f"Metadata may have at most {MAX_METADATA_BYTES} bytes")
    return metadata


Metadata = Annotated[JsonObject, AfterValidator(_small)]


class _GivenDocument(RequestModel):
    """All fields that a caller sets."""

    title: Title
    content: str
    external_id: ExternalId | None = None
    status: Status = "draft"
    metadata: Metadata = Field(default_factory=dict)


class DocumentCreate(_GivenDocument):
    """`external_id` is unique in the project. `content` is kept exactly as sent.

    Passages of `text/markdown` are indexed and shown without its marks; of `text/plain` as they are.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Frame contract",
                    "content": "# Frame contract\n\nThe supplier delivers within ten days.",
                    "external_id": "contracts/frame.md",
                    "metadata": {"supplier": "ACME"},
                    "media_type": "text/markdown",
                }
            ]
        }
    )

    media_type: TextType = Field(default="text/plain", description="What the content is; it does not change later.")


class DocumentReplace(_GivenDocument):
    """Absent members are reset to their defaults."""


class DocumentPatch(RequestModel):
    """A JSON merge patch: absent members stay unchanged, also inside `metadata`, where null removes a member."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "published", "metadata": {"supplier": None}}]})

    title: Title = Field(default_factory=str)
    content: str = Field(default_factory=str)
    external_id: ExternalId | None = None
    status: Status = Field(default_factory=lambda: "draft")
    metadata: JsonObject | None = None


class DocumentBatch(RequestModel):
    """Either all documents are created, or none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"documents": [{"title": "One", "content": "First."}]}]})

    documents: list[DocumentCreate] = Field(min_length=1, max_length=MAX_BATCH)


class UploadFields(RequestModel):
    """The form fields of an upload and the file's name. Without a title, it is taken from the file.

    A replaced document keeps its metadata unless others are given.
    """

    file: FileName | None
    title: Title | None
    external_id: ExternalId | None
    metadata: Metadata | None


class DocumentSummary(ResponseModel):
    """A document without its content. `size` is in bytes; `revision` counts changes, `version` changes of the text.

    `index_error` says why indexing failed, or why a pending or indexed document lacks vectors: the embedding model is
    unavailable, or has embedded only the beginning. For an uploaded file it begins with a code: `reading` while
    its text is being read, or why that failed: `password_protected`, `empty`, `no_text`, `unsupported`, `damaged`,
    `too_large`, `too_costly`, and for an archive `too_many_files` or the usual reason of its files. The warning
    `no_text` means that the content is blank, like that of an empty file or of a page that only scripts fill.
    """

    id: UUID
    external_id: str | None
    title: str
    metadata: JsonObject
    status: Status
    index_status: IndexStatus
    index_error: str | None
    media_type: str
    size: int
    content_sha256: str
    revision: int
    version: int
    created_by: UUID
    created_at: Instant
    updated_at: Instant
    warnings: list[Concern]


class Document(DocumentSummary):
    content: str


class Documents(ResponseModel):
    """The created documents, in the order of the request."""

    items: list[DocumentSummary]


class VersionSummary(ResponseModel):
    number: int
    title: str
    size: int
    content_sha256: str
    created_by: UUID
    created_at: Instant


class Version(VersionSummary):
    content: str


class TrashedDocument(ResponseModel):
    """A deleted document that can be restored until `purge_at`. `external_id` is the one that it had."""

    id: UUID
    external_id: str | None
    title: str
    media_type: str
    size: int
    created_by: UUID
    created_at: Instant
    deleted_at: Instant
    purge_at: Instant


class DeletionRequest(RequestModel):
    """Which documents to delete. A filter is never empty."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"filter": {"field": "metadata.batch", "op": "eq", "value": "2027-01"}}]}
    )

    filter: JsonObject = Field(description=FILTER)
    dry_run: StrictBool = Field(default=False, description="Delete nothing, and answer how many documents match.")

    @field_validator("filter")
    @classmethod
    def _valid(cls, given: JsonObject) -> JsonObject:
        read_filter(given)
        return given

    @property
    def tree(self) -> Filter:
        return read_filter(self.filter)


class DeletionPreview(ResponseModel):
    """How many documents match, and the oldest 20 of them."""

    matching: int
    items: list[DocumentSummary]


class Deletion(ResponseModel):
    """`deleted` grows while it runs; it has ended once `finished_at` is set, and has failed if there is an `error`."""

    id: UUID
    deleted: int
    error: str | None
    created_at: Instant
    finished_at: Instant | None


class FacetValue(ResponseModel):
    value: str | int | float | bool = Field(examples=["contract"])
    count: int = Field(examples=[12])


class Facet(ResponseModel):
    """The 50 most frequent values of a field; `more` says that it has others."""

    field: str = Field(examples=["metadata.kind"])
    values: list[FacetValue]
    more: bool


class ByStatus(ResponseModel):
    draft: int
    published: int


class ByIndexStatus(ResponseModel):
    pending: int
    indexed: int
    failed: int


class Stats(ResponseModel):
    """`size` is the total of the documents' bytes, `chunks` the number of their indexed passages."""

    total: int
    by_status: ByStatus
    by_index_status: ByIndexStatus
    size: int
    chunks: int


class DocumentQuery(PageQuery):
    sort: Sort = "-created_at"
    external_id: Storable | None = Field(
        default=None, max_length=MAX_EXTERNAL_ID, description="Only the document with this `external_id`."
    )
    status: Status | None = None
    index_status: IndexStatus | None = Field(default=None, description="Only documents with this index status.")
    q_title: Storable | None = Field(
        default=None, max_length=MAX_TITLE, description="A part of the title; case is ignored."
    )
    filter: FilterText | None = Field(default=None, description=FILTER)


class VersionQuery(PageQuery):
    """Newest first."""


class TrashQuery(PageQuery):
    """The last deleted first."""
