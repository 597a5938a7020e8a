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
    """`input` fits the agent's input schema; `continues` is an earlier run of the same agent, to continue from."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"agent": "answer", "input": {"question": "When does the supplier deliver?"}}]}
    )

    agent: AgentName
    input: JsonObject
    continues: UUID | None = None


PendingId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class RunDecision(RequestModel):
    """Approves or rejects the run's pending tool calls; the agent gets `comment` when they are rejected.

    `pending_id` is the one in the run's `pending`, as it was shown to the person who decides.
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
    """`cost` is null if the price of a model is unknown; `seconds` is working time, without waiting."""

    model_calls: int
    tool_calls: int
    input_tokens: int
    output_tokens: int
    seconds: float
    cost: Money | None


class RunError(ResponseModel):
    """`code` is stable; `detail` is for people."""

    code: str
    detail: str


class PendingCall(ResponseModel):
    """A tool call that waits for a decision. Calls that are decided together have the same `pending_id`."""

    pending_id: str
    tool: str
    arguments: JsonObject


class Run(ResponseModel):
    """`output` has the agent's output type once the run has succeeded; `pending` lists calls that need a decision."""

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
    agent: AgentName | None = Field(default=None, description="Only runs of this agent.")


class DollarAmount(RequestModel):
    amount: GivenAmount = Field(
        description="At most one billion, with up to six decimals; numbers are rounded to six.",
        examples=["25.00"],
    )
    currency: Literal["USD"] = "USD"


_Most = Annotated[StrictInt, Field(ge=0, le=2**53), WHOLE]


class BudgetUpdate(RequestModel):
    """What all runs of the project together may use in a calendar month (UTC); null means no limit."""

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
    """In the current month. Models without a known price count as free."""

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
    """Base class of agent inputs. Unknown fields and values that cannot be stored are rejected."""

    def documents(self) -> Mapping[str, UUID]:
        """The document ids in the input, by JSON pointer. A run does not start if one of them does not exist."""
        return {}

    @property
    def is_costly(self) -> bool:
        """Whether `check_input` does more work than validating types and sizes; it is then called last."""
        return False

    def check_input(self) -> None:
        """The costly checks, run in a thread; raises AgentInputError."""
