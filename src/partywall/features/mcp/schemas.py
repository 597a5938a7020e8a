"""Arguments and results of the tools. Schemas of resources are in their own slices."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints, model_validator

from partywall.core.schemas import MAX_LIMIT, WHOLE, RequestModel, ResponseModel
from partywall.features.documents.filters.grammar import FILTER, GivenFilter
from partywall.features.documents.schemas import DocumentQuery, ExternalId, IndexStatus, Sort, Status
from partywall.features.mcp.constants import LONGEST_WAIT_SECONDS, MOST_CHARACTERS, PAGE_CHARACTERS, WAIT_SECONDS
from partywall.features.runs.schemas import Run, RunStart
from partywall.features.search.schemas import SearchMode, SearchQuery, SearchResult

# Clients may send an empty cursor for the first page.
_CURSOR: Final = BeforeValidator(lambda value: None if value == "" else value)


class ToolArguments(RequestModel):
    """The arguments of a tool. Many clients send null for arguments that they omit."""

    @model_validator(mode="before")
    @classmethod
    def _without_nulls(cls, values: object) -> object:
        if not isinstance(values, dict):
            return values
        optional = {name for name, field in cls.model_fields.items() if not field.is_required()}
        return {name: value for name, value in values.items() if value is not None or name not in optional}


class NoArguments(ToolArguments):
    pass


class SearchArguments(ToolArguments, SearchQuery):
    """The body of `POST /search`."""


class SearchAnswer(SearchResult):
    """`mode` is the mode that was used: `text` if the embedding model of a hybrid search did not answer."""

    mode: SearchMode


class ListArguments(ToolArguments):
    limit: Annotated[StrictInt, Field(ge=1, le=MAX_LIMIT), WHOLE] = 20
    cursor: Annotated[str | None, _CURSOR] = Field(
        default=None, description="`next_cursor` of the previous page; all other arguments must be the same."
    )
    sort: Sort = "-created_at"
    external_id: ExternalId | None = None
    status: Status | None = None
    index_status: IndexStatus | None = None
    q_title: str | None = Field(default=None, description="A part of the title; upper and lower case are equal.")
    filter: GivenFilter | None = Field(default=None, description=FILTER)

    def query(self) -> DocumentQuery:
        """Raises ValidationError, as for the arguments themselves."""
        return DocumentQuery.model_validate({**self.model_dump(exclude={"filter"}), "filter": self.filter})


class ReadArguments(ToolArguments):
    document_id: UUID
    start: Annotated[StrictInt, Field(ge=0, lt=2**31 - 1), WHOLE] = Field(
        default=0, description="The first character, such as a hit's `start`."
    )
    length: Annotated[StrictInt, Field(ge=1, le=MOST_CHARACTERS), WHOLE] = Field(
        default=PAGE_CHARACTERS, description="Maximum number of characters."
    )


class TextPage(ResponseModel):
    """`next_start` is where the next page starts, null after the last. The text may differ between versions."""

    document_id: UUID
    title: str
    version: int
    text: str
    start: int
    end: int
    characters: int = Field(description="Of the whole document.")
    next_start: int | None


IdempotencyKey = Annotated[str, StringConstraints(pattern=r"^[\x21-\x7e]+$", min_length=1, max_length=255)]


class StartArguments(ToolArguments, RunStart):
    """The body of `POST /runs`, and its Idempotency-Key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"agent": "answer", "input": {"question": "When does the supplier deliver?"}}],
        }
    )

    idempotency_key: IdempotencyKey | None = Field(
        default=None, description="Calls with the same key return the run that the first one started."
    )

    def wanted(self) -> RunStart:
        return RunStart(agent=self.agent, input=self.input, continues=self.continues)


class RunArguments(ToolArguments):
    run_id: UUID


class FollowArguments(RunArguments):
    wait_seconds: Annotated[StrictInt, Field(ge=1, le=LONGEST_WAIT_SECONDS), WHOLE] = WAIT_SECONDS


class FollowedRun(ResponseModel):
    """`settled`: the run is over or waits for a person's decision. Otherwise, follow it again."""

    run: Run
    settled: bool
