from __future__ import annotations

import json
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Final, Literal
from uuid import UUID

from pydantic import AfterValidator, ConfigDict, Field, StrictBool, StrictInt, StringConstraints
from pydantic_core import PydanticCustomError

from partywall.core.pagination import SortedQuery
from partywall.core.schemas import Instant, JsonObject, RequestModel, ResponseModel

AgentName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class RunStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    WAITING = "waiting"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in (RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED)


class Agent(ResponseModel):
    """`available` says whether a model is configured for it. The schemas are JSON Schema."""

    name: str
    description: str
    available: bool
    input_schema: JsonObject
    output_schema: JsonObject


class Agents(ResponseModel):
    items: list[Agent]


# What a run keeps of its caller's words, for as long as there is the run.
MAX_INPUT_BYTES: Final = 256 * 1024


def _small(given: JsonObject) -> JsonObject:
    if len(json.dumps(given, ensure_ascii=False, separators=(",", ":")).encode()) > MAX_INPUT_BYTES:
        raise PydanticCustomError("too_large", f"An input may have at most {MAX_INPUT_BYTES} bytes")
    return given


class RunStart(RequestModel):
    """`input` fits the agent's input schema; `continues` is an earlier run of the same agent, whose talk goes on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"agent": "answer", "input": {"question": "When does the supplier deliver?"}}]}
    )

    agent: AgentName
    input: Annotated[JsonObject, AfterValidator(_small)]
    continues: UUID | None = None


class RunDecision(RequestModel):
    """Whether what the run asks for may be done; the agent is told `comment` where it may not."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"approve": True}]})

    approve: StrictBool
    comment: Annotated[str, StringConstraints(max_length=2000)] | None = None


class Money(ResponseModel):
    amount: str = Field(examples=["0.0125"])
    currency: Literal["USD"]


class Usage(ResponseModel):
    """`cost` is null where no price is known for a model that was used; `seconds` is time at work, waiting apart."""

    model_calls: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    seconds: float
    cost: Money | None


class RunError(ResponseModel):
    """`code` is stable, `detail` for people."""

    code: str
    detail: str


class PendingCall(ResponseModel):
    """A tool call that waits for a decision."""

    tool: str
    arguments: JsonObject


class Run(ResponseModel):
    """`output` fits the agent's output schema once the run has succeeded; `pending` is what a waiting run asks for."""

    id: UUID
    agent: str
    status: RunStatus
    input: JsonObject
    output: JsonObject | None
    error: RunError | None
    usage: Usage
    pending: list[PendingCall]
    continues: UUID | None
    created_at: Instant
    started_at: Instant | None
    finished_at: Instant | None


class RunQuery(SortedQuery):
    sort: Literal["-created_at", "created_at"] = "-created_at"
    status: RunStatus | None = None
    agent: AgentName | None = None


class DollarAmount(RequestModel):
    amount: Decimal = Field(ge=0, le=Decimal("1e9"), max_digits=18, decimal_places=6, examples=["25.00"])
    currency: Literal["USD"] = "USD"


class BudgetUpdate(RequestModel):
    """What all runs of the project may use in a calendar month (UTC) together; null is without limit."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "tokens": 2_000_000,
                    "tool_calls": None,
                    "seconds": None,
                    "cost": {"amount": "25.00", "currency": "USD"},
                }
            ]
        }
    )

    tokens: StrictInt | None = Field(default=None, ge=0, le=2**53)
    tool_calls: StrictInt | None = Field(default=None, ge=0, le=2**53)
    seconds: StrictInt | None = Field(default=None, ge=0, le=2**53)
    cost: DollarAmount | None = None


class BudgetLimits(ResponseModel):
    tokens: int | None
    tool_calls: int | None
    seconds: int | None
    cost: Money | None


class BudgetUsed(ResponseModel):
    """In the running month. Models whose price is not known cost nothing here."""

    tokens: int
    tool_calls: int
    seconds: float
    cost: Money


class Budget(ResponseModel):
    limits: BudgetLimits
    used: BudgetUsed
    month: str = Field(examples=["2026-11"])
    resets_at: Instant
