"""The messages, and the arguments and results of the tools; what is a resource elsewhere has its schema there."""

from __future__ import annotations

from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    PrivateAttr,
    StrictInt,
    StrictStr,
    StringConstraints,
    ValidationError,
    model_validator,
)

from partywall.core.schemas import MAX_LIMIT, UNSTORABLE, JsonObject, RequestModel, ResponseModel
from partywall.features.agents.schemas import Run, RunStart
from partywall.features.documents.schemas import DocumentQuery, ExternalId, IndexStatus, Sort, Status
from partywall.features.mcp.constants import LONGEST_WAIT_SECONDS, MOST_CHARACTERS, PAGE_CHARACTERS, WAIT_SECONDS
from partywall.features.search.schemas import SearchHit, SearchMode, SearchQuery


class McpMessage(RequestModel):
    """One request or notification of JSON-RPC 2.0. A notification has no `id`, and no answer but 202."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}]}
    )

    jsonrpc: Literal["2.0"]
    id: StrictInt | StrictStr = Field(default_factory=str)
    method: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    params: JsonObject = Field(default_factory=dict)
    _arguments: dict[str, object] | None = PrivateAttr(default=None)

    @property
    def unsendable_arguments(self) -> dict[str, object] | None:
        """A tool's arguments with text or numbers that nothing of ours carries on; `params` is without them then."""
        return self._arguments

    @model_validator(mode="wrap")
    @classmethod
    def _apart(cls, values: object, judge: ModelWrapValidatorHandler[Self]) -> Self:
        """Of such arguments the message is none the worse: the tool refuses them, in its own words."""
        try:
            return judge(values)
        except ValidationError as error:
            arguments = _arguments_of(values)
            if arguments is None or not isinstance(values, dict) or not _is_about_arguments(error):
                raise
        message = judge({**values, "params": {**values["params"], "arguments": {}}})
        message._arguments = arguments
        return message


def _arguments_of(values: object) -> dict[str, object] | None:
    params = values.get("params") if isinstance(values, dict) else None
    arguments = params.get("arguments") if isinstance(params, dict) else None
    return arguments if isinstance(arguments, dict) else None


def _is_about_arguments(error: ValidationError) -> bool:
    return all(
        item["type"] in UNSTORABLE and f"{item.get('ctx', {}).get('pointer', '')}/".startswith("/params/arguments/")
        for item in error.errors()
    )


class NoArguments(RequestModel):
    pass


class SearchArguments(SearchQuery):
    """What `GET /search` takes; in JSON a number is one already."""

    limit: StrictInt = Field(default=10, ge=1, le=100)


class SearchAnswer(ResponseModel):
    """`mode` is how it was searched: `text` where the embedding model of a hybrid search did not answer."""

    items: list[SearchHit]
    mode: SearchMode


class ListArguments(RequestModel):
    limit: StrictInt = Field(default=20, ge=1, le=MAX_LIMIT)
    cursor: str | None = Field(default=None, description="`next_cursor` of the page before, with all else the same.")
    sort: Sort = "-created_at"
    external_id: ExternalId | None = None
    status: Status | None = None
    index_status: IndexStatus | None = None
    q_title: str | None = Field(default=None, description="A part of the title, in any case.")

    def query(self) -> DocumentQuery:
        """Raises ValidationError, as for the arguments themselves."""
        return DocumentQuery.model_validate(self.model_dump())


class ReadArguments(RequestModel):
    document_id: UUID
    start: StrictInt = Field(
        default=0, ge=0, lt=2**31 - 1, description="The first character; a hit's `start` fits here."
    )
    length: StrictInt = Field(default=PAGE_CHARACTERS, ge=1, le=MOST_CHARACTERS, description="In characters, at most.")


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


class StartArguments(RunStart):
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


class RunArguments(RequestModel):
    run_id: UUID


class FollowArguments(RunArguments):
    wait_seconds: StrictInt = Field(default=WAIT_SECONDS, ge=1, le=LONGEST_WAIT_SECONDS)


class FollowedRun(ResponseModel):
    """`settled`: it is over or waits for a person's decision. Until then, follow it again."""

    run: Run
    settled: bool
