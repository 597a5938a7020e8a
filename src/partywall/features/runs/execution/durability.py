"""Pydantic AI's durability interface on top of the journal: each model call and each tool call is one step."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterable, Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Final, cast

from pydantic import JsonValue
from pydantic_ai import RunContext
from pydantic_ai.capabilities import AbstractCapability
from pydantic_ai.durable_exec import (
    JSON_CODEC,
    BaseDurabilityCapability,
    CallableOperationBackend,
    DurabilityEngineSpec,
    DurableOperationId,
    EventStreamHandlerId,
    JournalOperationNamer,
    ModelCompactMessagesId,
    ModelRequestId,
    RoleBasedOperationConfig,
    ToolsetCallToolId,
    conversation_id_from_run_id,
    record_durable_unit,
)
from pydantic_ai.messages import AgentStreamEvent, ModelResponse, ToolCallPart
from pydantic_ai.models import Model
from pydantic_ai.tools import ToolDefinition

from partywall.features.agents.deps import RunDeps
from partywall.features.agents.schemas import AgentInput
from partywall.features.budgets.limits import Call
from partywall.features.budgets.pricing import cost_of, counted, has_content
from partywall.features.runs.execution.journal import Journal, StepResult, ToolCall
from partywall.features.runs.execution.journal_repository import StepUsage
from partywall.features.runs.execution.model_call import MeteredModel, ModelCall
from partywall.features.runs.execution.steps import clean_json, short

type Deps = RunDeps[AgentInput]
type StreamHandler = Callable[[RunContext[Deps], AsyncIterable[AgentStreamEvent]], Awaitable[None]]

_CALL: Final[ContextVar[ToolCall | None]] = ContextVar("partywall_tool_call", default=None)


class JournalBackend(CallableOperationBackend[None]):
    def __init__(self, journal: Journal, agent: str, model_call: ModelCall) -> None:
        nothing = RoleBasedOperationConfig[None](model=None, event=None, capability=None, tool=None)
        super().__init__(namer=JournalOperationNamer(agent), config=nothing)
        self._journal = journal
        self._model_call = model_call

    async def execute(
        self,
        *,
        operation_id: DurableOperationId,
        name: str,
        body: Callable[[], Awaitable[object]],
        cache_key: tuple[object, ...],  # noqa: ARG002 - the journal identifies steps by order, not by input
        config: None,  # noqa: ARG002
    ) -> object:
        if isinstance(operation_id, EventStreamHandlerId):
            return None  # the journal records events of tool calls, in the transaction of their rows
        if isinstance(operation_id, ModelRequestId | ModelCompactMessagesId):
            payload, done = await self._journal.step(Call.MODEL, name, _RecordedCall(body, self._model_call))
        elif isinstance(operation_id, ToolsetCallToolId):
            payload, done = await self._journal.step(Call.TOOL, name, _ToolCall(body), _CALL.get())
        else:
            return await body()
        record_durable_unit(executed=done)
        return payload


@dataclass(slots=True)
class _RecordedCall:
    """`_response` is the complete answer, if any; `_sent` means that the model may already be working on one."""

    _body: Callable[[], Awaitable[object]]
    _model_call: ModelCall
    _begun: float = 0.0
    _response: ModelResponse | None = None
    _sent: bool = False

    async def do(self) -> StepResult:
        self._begun = time.monotonic()
        self._model_call.begin()
        try:
            payload = await self._body()
        except asyncio.CancelledError:
            self._sent = True
            raise
        self._response = JSON_CODEC.load(ModelResponse, payload)
        return StepResult(payload)

    def used(self) -> StepUsage:
        """Only the time for a call that was refused or never answered.

        An answer that ended before any content counts its tokens, but not as a model call.
        """
        seconds = time.monotonic() - self._begun
        response = self._response or self._model_call.answer or (self._model_call.silence if self._sent else None)
        if response is None:
            return StepUsage(seconds=seconds)
        response = replace(response, usage=counted(response, self._model_call.asked))
        return StepUsage(
            model_calls=int(self._sent or has_content(response)),
            input_tokens=response.usage.input_tokens,
            output_tokens=response.usage.output_tokens,
            seconds=seconds,
            cost=cost_of(response),
        )


@dataclass(slots=True)
class _ToolCall:
    _body: Callable[[], Awaitable[object]]
    _begun: float = 0.0

    async def do(self) -> StepResult:
        self._begun = time.monotonic()
        payload = clean_json(cast("JsonValue", await self._body()))
        return StepResult(payload, _event_data(payload))

    def used(self) -> StepUsage:
        return StepUsage(tool_calls=1, seconds=time.monotonic() - self._begun)


def _event_data(payload: object) -> Mapping[str, JsonValue]:
    """Whether the tool succeeded, and the beginning of its answer."""
    if not isinstance(payload, dict):
        return {"ok": True, "result": short(payload)}
    ok = payload.get("kind") == "tool_return"
    return {"ok": ok, "result": short(payload.get("result" if ok else "message"))}


class JournalDurability(BaseDurabilityCapability[Deps]):
    """For one turn of a run. Uses only Pydantic AI's public interface for durability engines."""

    engine_spec = DurabilityEngineSpec(
        engine_name="Partywall",
        durable_unit_noun="step",
        durable_container_noun="run",
        codec=JSON_CODEC,
        # The order identifies steps, so tools must not run concurrently.
        sequential_tools_in_durable_context=True,
    )

    def __init__(self, journal: Journal, stream: StreamHandler, name: str) -> None:
        self._journal = journal
        self._model_call = ModelCall()
        super().__init__(event_stream_handler=stream, name=name)

    def get_wrapper_model(self, model: Model) -> Model:
        return MeteredModel(model, self._model_call)

    @property
    def in_durable_context(self) -> bool:
        return True

    def get_durable_operation_backend(self) -> JournalBackend:
        return JournalBackend(self._journal, self.name, self._model_call)

    def get_default_run_id(self) -> str:
        return f"{self._journal.payload.run_id}.{self._journal.turn}"

    def get_default_conversation_id(self, run_id: str) -> str:
        return conversation_id_from_run_id(run_id)


class ToolCalls(AbstractCapability[Deps]):
    """Remembers the name and arguments of the current tool call for the journal's events."""

    async def wrap_tool_execute(
        self,
        ctx: RunContext[Deps],  # noqa: ARG002 - the library's signature
        *,
        call: ToolCallPart,
        tool_def: ToolDefinition,  # noqa: ARG002
        args: dict[str, object],
        handler: Callable[[dict[str, object]], Awaitable[object]],
    ) -> object:
        token = _CALL.set(ToolCall(call.tool_name, call.args_as_dict()))
        try:
            return await handler(args)
        finally:
            _CALL.reset(token)
