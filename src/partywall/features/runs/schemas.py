from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StrictBool, StringConstraints

from partywall.core.schemas import Instant, JsonObject, RequestModel, ResponseModel, SortedQuery
from partywall.features.agents.schemas import AgentName
from partywall.features.budgets.schemas import Money
from partywall.features.runs.outputs import RunOutput


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
