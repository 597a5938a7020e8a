"""Inputs, outputs and tool results of the built-in agents."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, ClassVar, Final, Literal, Self, cast
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, GetJsonSchemaHandler, StringConstraints, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from partywall.core.field_errors import FieldCode
from partywall.core.json_schema.exceptions import SchemaRefusedError
from partywall.core.json_schema.limits import refuse_unusable
from partywall.core.schemas import NOT_BLANK, JsonObject, ResponseModel
from partywall.features.agents.exceptions import AgentInputError
from partywall.features.agents.schemas import AgentInput
from partywall.features.search.schemas import QueryText

MOST_DOCUMENTS: Final = 50
MOST_CITATIONS: Final = 30
MOST_QUOTED: Final = 1_000


def _unique(ids: list[UUID]) -> list[UUID]:
    if len(set(ids)) < len(ids):
        raise PydanticCustomError("not_unique", "A document is named twice")
    return ids


def _not_blank(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "Text may not be blank")
    return text


WORDED: Final = AfterValidator(_not_blank)
# Text of a caller: stored unchanged, never blank. Optional fields must check its length before WORDED.
Words = Annotated[str, NOT_BLANK, WORDED]
DocumentIds = Annotated[list[UUID], Field(min_length=1, max_length=MOST_DOCUMENTS), AfterValidator(_unique)]
Language = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}$", max_length=35),
    Field(description="The language to write in, such as `en` or `pt-BR`; by default that of the input."),
]


class SourcesInput(AgentInput):
    """The input of an agent that reads the whole project, or only some of its documents."""

    document_ids: DocumentIds | None = Field(default=None, description="Read only these; by default all.")
    language: Language | None = None

    @property
    def readable(self) -> Collection[UUID] | None:
        """The documents that the run may read; None means the whole project."""
        return self.document_ids

    def documents(self) -> Mapping[str, UUID]:
        return {f"/document_ids/{index}": each for index, each in enumerate(self.document_ids or ())}


class CheckedOutput(ResponseModel):
    """The model never provides the fields in `server_fields`: its schema lacks them, and values for them are dropped.

    The agent's check fills them in with `model_copy(update=...)`.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)
    server_fields: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _drop_server_fields(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: each for name, each in value.items() if name not in cls.server_fields}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        properties = cast("dict[str, JsonSchemaValue]", handler.resolve_ref_schema(schema).get("properties", {}))
        for name in cls.server_fields & properties.keys():
            if handler.mode == "validation":
                del properties[name]
            else:
                properties[name].pop("default", None)
        return schema


class Passage(ResponseModel):
    document_id: UUID
    external_id: str | None = None
    revision: int | None = None
    title: str
    page: int | None = None
    section: str | None = None
    start: int
    text: str


class DocumentPage(ResponseModel):
    """`start`, `end`, `length` and `next` are in characters of the whole document."""

    document_id: UUID
    title: str
    version: int
    start: int
    end: int
    length: int
    next: int | None
    text: str


class Reading(ResponseModel):
    """How much of a document was read for the output, in characters."""

    document_id: UUID
    title: str
    version: int
    length: int
    read: int


class Question(SourcesInput):
    """The question, and the documents to answer it from."""

    question: Words = Field(min_length=1, max_length=4000, description="In any words.")


class Citation(CheckedOutput):
    """A quote that was found in the document; `start` and `end` are its position in characters."""

    server_fields: ClassVar[frozenset[str]] = frozenset({"title", "version", "start", "end", "page", "section"})

    number: int = Field(ge=1, le=999, description="The number that the answer gives it, in square brackets.")
    document_id: UUID
    quote: str = Field(min_length=1, max_length=MOST_QUOTED, description="Copied word for word from the document.")
    title: str = ""
    version: int = Field(default=0, description="Of the document, when the quote was looked up.")
    start: int = 0
    end: int = 0
    page: int | None = Field(default=None, description="Of the file, for a PDF, slides or sheets; the first is 1.")
    section: str | None = Field(default=None, description="The heading above the quote.")


class Answer(CheckedOutput):
    """`answer` is null if the documents do not say. Otherwise each of its sentences has numbers of citations."""

    answered: bool
    answer: str | None = Field(max_length=20_000)
    citations: list[Citation] = Field(max_length=MOST_CITATIONS)


class SummaryOrder(SourcesInput):
    """Either `document_ids` or `query` selects what to summarise."""

    query: QueryText | None = Field(default=None, description="Summarise what a search for this finds.")
    focus: Annotated[str, Field(max_length=2000), NOT_BLANK, WORDED] | None = Field(
        default=None, description="What matters to the reader."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.document_ids is None) == (self.query is None):
            raise PydanticCustomError("one_of", "Either document_ids or query is needed, and not both")
        return self


class KeyPoint(CheckedOutput):
    server_fields: ClassVar[frozenset[str]] = frozenset({"title"})

    text: str = Field(min_length=1, max_length=2000)
    document_id: UUID = Field(description="The document that says so, which was read.")
    title: str = Field(default="", description="The document's.")


class Summary(CheckedOutput):
    """`documents` lists the documents that were read, and how much of each."""

    server_fields: ClassVar[frozenset[str]] = frozenset({"documents"})

    title: str = Field(min_length=1, max_length=300)
    summary: str = Field(min_length=1, max_length=20_000)
    key_points: list[KeyPoint] = Field(min_length=1, max_length=50)
    documents: list[Reading] = Field(default_factory=list)


class ExtractionOrder(SourcesInput):
    """What to extract, from which documents."""

    document_ids: DocumentIds = Field(description="The documents to extract from.")
    schema_: JsonObject = Field(
        alias="schema",
        description="The JSON Schema of one object, in draft 2020-12 unless `$schema` names 2019-09, 7 or 6.",
        examples=[{"type": "object", "properties": {"iban": {"type": "string"}}, "required": ["iban"]}],
    )
    instructions: Annotated[str, Field(max_length=4000), NOT_BLANK, WORDED] | None = Field(
        default=None, description="What to look for, in words."
    )

    @property
    def is_costly(self) -> bool:
        return True

    def check_input(self) -> None:
        try:
            refuse_unusable(self.schema_)
        except SchemaRefusedError as error:
            pointer = f"/schema{error.pointer}"
            raise AgentInputError.at([pointer], FieldCode.SCHEMA_REFUSED, str(error)) from error


class Extracted(ResponseModel):
    document_id: UUID = Field(description="The document that the object is from.")
    object: JsonObject = Field(description="Fits the schema of the input.")


class Extraction(CheckedOutput):
    """`documents` says how much of each document was read."""

    server_fields: ClassVar[frozenset[str]] = frozenset({"documents"})

    items: list[Extracted] = Field(max_length=500)
    documents: list[Reading] = Field(default_factory=list)


class DraftOrder(SourcesInput):
    """What to write, from which sources, and to which document."""

    brief: Words = Field(min_length=1, max_length=10_000, description="What to write, for whom, how long.")
    document_id: UUID | None = Field(
        default=None, description="Make a new version of this document; by default a new document."
    )

    @property
    def readable(self) -> Collection[UUID] | None:
        """Includes the document to be rewritten."""
        if self.document_ids is None or self.document_id is None:
            return self.document_ids
        return [*self.document_ids, self.document_id]

    def documents(self) -> Mapping[str, UUID]:
        target = {} if self.document_id is None else {"/document_id": self.document_id}
        return {**super().documents(), **target}


class Draft(CheckedOutput):
    """`document_id`, `version` and `title` are those of the written document, null if a person rejected the draft."""

    server_fields: ClassVar[frozenset[str]] = frozenset({"status", "document_id", "version", "title", "comment"})

    status: Literal["written", "rejected"] = "rejected"
    document_id: UUID | None = None
    version: int | None = None
    title: str | None = None
    comment: str | None = Field(default=None, description="The comment of the person who rejected it, if any.")
    notes: str = Field(max_length=10_000, description="What the draft is based on, and what is missing.")
