from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from partywall.core.schemas import WHOLE, Instant, JsonObject, RequestModel, ResponseModel, SortedQuery
from partywall.features.agents.amounts import GivenAmount
from partywall.features.agents.outputs import RunOutput

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


class RunStart(RequestModel):
    """`input` fits the agent's input schema; `continues` is an earlier run of the same agent, whose talk goes on."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"agent": "answer", "input": {"question": "When does the supplier deliver?"}}]}
    )

    agent: AgentName
    input: JsonObject
    continues: UUID | None = None


PendingId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class RunDecision(RequestModel):
    """Whether what the run asks for may be done; the agent is told `comment` where it may not.

    `pending_id` is that of the run's `pending`, as it was shown to the person who decides.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [{"pending_id": "pending_5f0c2a9be1d34c8796a0d5b7e2f14c3d8a90b6e7", "approve": True}]
        }
    )

    pending_id: PendingId
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
    """A tool call that waits for a decision. Calls that are decided together have the same `pending_id`."""

    pending_id: str
    tool: str
    arguments: JsonObject


class Run(ResponseModel):
    """`output` is of the agent's output type once the run has succeeded; `pending` is what a waiting run asks for."""

    id: UUID
    agent: str
    status: RunStatus
    input: JsonObject
    output: RunOutput | None
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
    agent: AgentName | None = Field(default=None, description="Runs of this agent alone.")


class DollarAmount(RequestModel):
    amount: GivenAmount = Field(
        description="At most a billion, in digits with up to six decimals; a number is rounded to six.",
        examples=["25.00"],
    )
    currency: Literal["USD"] = "USD"


_Most = Annotated[StrictInt, Field(ge=0, le=2**53), WHOLE]


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

    tokens: _Most | None = None
    tool_calls: _Most | None = None
    seconds: _Most | None = None
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


class AgentInput(RequestModel):
    """What a caller gives an agent: unknown fields are refused, and so is what could not be stored."""

    def documents(self) -> Mapping[str, UUID]:
        """The documents that it names, by pointers to them. A run that names one that does not exist is not begun."""
        return {}

    @property
    def is_costly(self) -> bool:
        """Whether there is more to judge than the types and sizes of its fields; it is asked for last."""
        return False

    def check_input(self) -> None:
        """What is costly, on a thread; raises AgentInputError."""
