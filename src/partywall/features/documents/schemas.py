from __future__ import annotations

import json
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, JsonValue, StringConstraints
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

type Status = Literal["draft", "published"]
type Concern = Literal["no_text"]
type IndexStatus = Literal["pending", "indexed", "failed"]
type Sort = Literal["-created_at", "created_at", "title", "-title", "updated_at", "-updated_at"]

Title = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=MAX_TITLE), NOT_BLANK]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=MAX_EXTERNAL_ID)]
FileName = Annotated[str, StringConstraints(max_length=MAX_FILE_NAME), AfterValidator(in_one_line)]


def metadata_json(metadata: JsonObject) -> str:
    return json.dumps(metadata, ensure_ascii=False, separators=(",", ":"))


def metadata_bytes(metadata: JsonObject) -> int:
    """Of its JSON as it is answered: PostgreSQL writes numbers without an exponent."""
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


class DocumentCreate(RequestModel):
    """`external_id` is unique in the project. `content` is kept exactly as sent."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "title": "Frame contract",
                    "content": "# Frame contract\n\nThe supplier delivers within ten days.",
                    "external_id": "contracts/frame.md",
                    "metadata": {"supplier": "ACME"},
                }
            ]
        }
    )

    title: Title
    content: str
    external_id: ExternalId | None = None
    status: Status = "draft"
    metadata: Metadata = Field(default_factory=dict)


class DocumentReplace(DocumentCreate):
    """The whole of what a caller sets; what is absent goes back to its default."""


class DocumentPatch(RequestModel):
    """A JSON merge patch: what is absent stays as it is, also inside `metadata`, where null removes."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"status": "published", "metadata": {"supplier": None}}]})

    title: Title = Field(default_factory=str)
    content: str = Field(default_factory=str)
    external_id: ExternalId | None = None
    status: Status = Field(default_factory=lambda: "draft")
    metadata: JsonObject | None = None


class DocumentBatch(RequestModel):
    """All of them are created, or none."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"documents": [{"title": "One", "content": "First."}]}]})

    documents: list[DocumentCreate] = Field(min_length=1, max_length=MAX_BATCH)


class UploadFields(RequestModel):
    """What may be said beside a file, and its name; a title that is not given is taken from the file."""

    file: FileName | None
    title: Title | None
    external_id: ExternalId | None
    metadata: Metadata


class DocumentSummary(ResponseModel):
    """A document without its content. `size` is in bytes; `revision` counts changes, `version` those of the text.

    `index_error` says why it failed, or what the index of one that waits or is indexed lacks: its vectors, where the
    embedding model is away or knows the beginning alone. The warning `no_text`: the content is blank, as that of an
    empty file, or of a page that only scripts fill.
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
    """What a batch has made, in the order in which it was sent."""

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


class ByStatus(ResponseModel):
    draft: int
    published: int


class ByIndexStatus(ResponseModel):
    pending: int
    indexed: int
    failed: int


class Stats(ResponseModel):
    """`size` is the sum of the documents' bytes, `chunks` the number of their indexed passages."""

    total: int
    by_status: ByStatus
    by_index_status: ByIndexStatus
    size: int
    chunks: int


class DocumentQuery(PageQuery):
    sort: Sort = "-created_at"
    external_id: Storable | None = Field(
        default=None, max_length=MAX_EXTERNAL_ID, description="The document of this `external_id` alone."
    )
    status: Status | None = None
    index_status: IndexStatus | None = Field(default=None, description="Those whose index is in this state alone.")
    q_title: Storable | None = Field(
        default=None, max_length=MAX_TITLE, description="A part of the title, in any case."
    )


class VersionQuery(PageQuery):
    """Newest first."""


class ContentQuery(ResponseModel):
    """`original` asks for the uploaded file instead of the text."""

    original: bool = False
