"""Runs one turn of a run: a Pydantic AI agent whose calls go through the journal."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import BaseModel, JsonValue, TypeAdapter, ValidationError
from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults, ModelRetry, RunContext, ToolDenied
from pydantic_ai.durable_exec import replay_scope
from pydantic_ai.exceptions import ToolFailed
from pydantic_ai.messages import AgentStreamEvent, ModelMessage, ModelMessagesTypeAdapter
from pydantic_ai.toolsets import FunctionToolset, ToolsetTool
from pydantic_ai.usage import UsageLimits
from pydantic_core import PydanticCustomError

from partywall.core.errors import PartywallError
from partywall.core.events.log import EventDraft
from partywall.core.language_models import LanguageModel
from partywall.core.schemas import refuse_unstorable
from partywall.features.agents.definition import AnyAgent, Check
from partywall.features.agents.deps import RunDeps
from partywall.features.agents.exceptions import NothingToWorkOnError
from partywall.features.agents.schemas import AgentInput
from partywall.features.runs.execution.agent_code import ToolError, agent_code
from partywall.features.runs.execution.durability import Deps, JournalDurability, ToolCalls
from partywall.features.runs.execution.journal import Journal
from partywall.features.runs.execution.outcomes import Outcome, Succeeded, Waiting
from partywall.features.runs.execution.steps import clean
from partywall.features.runs.execution.tokens import TokenDelta, TokenWriter

_REQUESTS: Final = TypeAdapter(DeferredToolRequests)
# The journal enforces limits, before each call and across turns.
_UNLIMITED: Final = UsageLimits(request_limit=None)

type AnyOutput = BaseModel | DeferredToolRequests


@dataclass(frozen=True, slots=True)
class DecidedCalls:
    """The tool calls that the last turn ended with, and the decision on them."""

    requests: JsonValue
    approve: bool
    comment: str | None

    def results(self) -> DeferredToolResults:
        asked = _REQUESTS.validate_python(self.requests)
        verdict = True if self.approve else ToolDenied(self.comment or "A person has refused this.")
        return DeferredToolResults(approvals={call.tool_call_id: verdict for call in asked.approvals})


@dataclass(frozen=True, slots=True)
class AgentTurn:
    """`history` holds the messages before this turn, `answered` the decision on the last turn's tool calls."""

    definition: AnyAgent
    model: LanguageModel
    journal: Journal
    deps: RunDeps[AgentInput]
    history: Sequence[JsonValue]
    answered: DecidedCalls | None
    token_interval: float

    async def run_turn(self) -> Outcome:
        history: list[ModelMessage] = ModelMessagesTypeAdapter.validate_python(list(self.history))
        with replay_scope():
            result = await self._agent().run(
                None if self.answered else self._prompt(),
                message_history=history or None,
                deferred_tool_results=self.answered.results() if self.answered else None,
                deps=self.deps,
                usage_limits=_UNLIMITED,
            )
        messages = ModelMessagesTypeAdapter.dump_python(result.all_messages(), mode="json")
        if isinstance(result.output, DeferredToolRequests):
            return _waiting(result.output, messages)
        return Succeeded(result.output.model_dump(mode="json"), messages)

    def _prompt(self) -> str:
        with agent_code():
            return self.definition.prompt(self.deps.input)

    def _agent(self) -> Agent[Deps, AnyOutput]:
        definition = self.definition
        needs_approval = any(tool.requires_approval for tool in definition.tools)
        agent: Agent[Deps, AnyOutput] = Agent(
            self.model.model,
            name=definition.name,
            instructions=definition.instructions,
            output_type=[definition.output, DeferredToolRequests] if needs_approval else definition.output,
            deps_type=RunDeps,
            model_settings=self.model.settings,
            retries=definition.retries,
            toolsets=[ProjectTools(definition.tools, id="tools")] if definition.tools else (),
            capabilities=[ToolCalls(), JournalDurability(self.journal, self._stream, definition.name)],
        )
        agent.output_validator(_output_validator(definition.check))
        return agent

    async def _stream(self, _: RunContext[Deps], stream: AsyncIterable[AgentStreamEvent]) -> None:
        call, payload = self.journal.model_calls, self.journal.payload

        def event_drafts(deltas: Sequence[TokenDelta]) -> list[EventDraft]:
            data: list[dict[str, JsonValue]] = [
                {"text": clean(delta.text), "part": delta.part, "call": call} for delta in deltas
            ]
            return [EventDraft("run.token", "run", str(payload.run_id), each) for each in data]

        async def write(deltas: Sequence[TokenDelta]) -> None:
            await self.journal.context.record_event(payload, *event_drafts(deltas))

        self.journal.last_deltas = event_drafts(await TokenWriter(write, self.token_interval).flush_stream(stream))


class ProjectTools(FunctionToolset[Deps]):
    """Reports client errors (below 500) and invalid arguments of a tool to the model instead of failing the run."""

    async def call_tool(
        self, name: str, tool_args: dict[str, object], ctx: RunContext[Deps], tool: ToolsetTool[Deps]
    ) -> object:
        try:
            with agent_code(name):
                return await super().call_tool(name, tool_args, ctx, tool)
        except PartywallError as error:
            if error.status >= 500 or isinstance(error, NothingToWorkOnError):
                raise
            raise ToolFailed(error.detail) from error
        except ToolError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            found = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.__cause__.errors())
            raise ToolFailed(f"This cannot be asked for: {found}"[:1000]) from error


def _output_validator(
    check: Check[AgentInput, BaseModel] | None,
) -> Callable[[RunContext[Deps], AnyOutput], Awaitable[AnyOutput]]:
    """The validator for Pydantic AI. A request for approval is not an output and is not checked."""

    async def check_output(ctx: RunContext[Deps], output: AnyOutput) -> AnyOutput:
        if isinstance(output, DeferredToolRequests):
            return output
        _refuse_unstorable(output)
        if check is None:
            return output
        with agent_code():
            checked = await check(ctx, output)
        _refuse_unstorable(checked)
        return checked

    return check_output


def _refuse_unstorable(output: BaseModel) -> None:
    """Raises ModelRetry for an output that cannot be stored or sent as JSON."""
    try:
        refuse_unstorable(output.model_dump())
    except PydanticCustomError as error:
        where = (error.context or {}).get("pointer", "")
        raise ModelRetry(f"The output cannot be stored, see {where or 'its top'}: {error.message()}.") from error


def _waiting(requests: DeferredToolRequests, messages: list[JsonValue]) -> Waiting:
    pending: list[JsonValue] = [
        {"tool": call.tool_name, "arguments": call.args_as_dict()} for call in requests.approvals
    ]
    return Waiting(_REQUESTS.dump_python(requests, mode="json"), pending, messages)
