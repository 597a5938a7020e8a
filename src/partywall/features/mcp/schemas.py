"""The arguments and results of the tools; what is a resource elsewhere has its schema there."""

from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from pydantic import BeforeValidator, ConfigDict, Field, StrictInt, StringConstraints, model_validator

from partywall.core.schemas import MAX_LIMIT, WHOLE, RequestModel, ResponseModel
from partywall.features.agents.schemas import Run, RunStart
from partywall.features.documents.schemas import DocumentQuery, ExternalId, IndexStatus, Sort, Status
from partywall.features.mcp.constants import LONGEST_WAIT_SECONDS, MOST_CHARACTERS, PAGE_CHARACTERS, WAIT_SECONDS
from partywall.features.search.schemas import SearchHit, SearchMode, SearchQuery

# Of a list, empty for its first page.
_CURSOR: Final = BeforeValidator(lambda value: None if value == "" else value)


class ToolArguments(RequestModel):
    """What a tool takes. Many clients write null for what they leave out."""

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
    """What `GET /search` takes; in JSON a number is one already."""

    limit: Annotated[StrictInt, Field(ge=1, le=100), WHOLE] = 10


class SearchAnswer(ResponseModel):
    """`mode` is how it was searched: `text` where the embedding model of a hybrid search did not answer."""

    items: list[SearchHit]
    mode: SearchMode


class ListArguments(ToolArguments):
    limit: Annotated[StrictInt, Field(ge=1, le=MAX_LIMIT), WHOLE] = 20
    cursor: Annotated[str | None, _CURSOR] = Field(
        default=None, description="`next_cursor` of the page before, with all else the same."
    )
    sort: Sort = "-created_at"
    external_id: ExternalId | None = None
    status: Status | None = None
    index_status: IndexStatus | None = None
    q_title: str | None = Field(default=None, description="A part of the title, in any case.")

    def query(self) -> DocumentQuery:
        """Raises ValidationError, as for the arguments themselves."""
        return DocumentQuery.model_validate(self.model_dump())


class ReadArguments(ToolArguments):
    document_id: UUID
    start: Annotated[StrictInt, Field(ge=0, lt=2**31 - 1), WHOLE] = Field(
        default=0, description="The first character; a hit's `start` fits here."
    )
    length: Annotated[StrictInt, Field(ge=1, le=MOST_CHARACTERS), WHOLE] = Field(
        default=PAGE_CHARACTERS, description="In characters, at most."
    )


class TextPage(ResponseModel):
    """`next_start` is where the next page begins, null behind the last. Another `version` is another text."""

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
    """What `POST /runs` takes, and its Idempotency-Key."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"agent": "answer", "input": {"question": "When does the supplier deliver?"}}],
        }
    )

    idempotency_key: IdempotencyKey | None = Field(
        default=None, description="Repeats under the same key answer with the run that the first has started."
    )

    def wanted(self) -> RunStart:
        return RunStart(agent=self.agent, input=self.input, continues=self.continues)


class RunArguments(ToolArguments):
    run_id: UUID


class FollowArguments(RunArguments):
    wait_seconds: Annotated[StrictInt, Field(ge=1, le=LONGEST_WAIT_SECONDS), WHOLE] = WAIT_SECONDS


class FollowedRun(ResponseModel):
    """`settled`: it is over or waits for a person's decision. Until then, follow it again."""

    run: Run
    settled: bool
