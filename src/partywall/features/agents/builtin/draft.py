"""Drafts a document from a brief and sources. Nothing is written before a person has approved the whole text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, cast
from uuid import UUID

from pydantic import AfterValidator, JsonValue, StringConstraints
from pydantic_ai import ModelRetry, RunContext, Tool
from pydantic_ai.messages import ModelMessage, ModelRequest, ModelResponse, ToolCallPart, ToolReturnPart
from pydantic_ai.tools import ToolDefinition

from partywall.core.schemas import storable
from partywall.features.agents.builtin.document_pages import MATERIAL, asked_in, existing, listed, page_of, read, search
from partywall.features.agents.builtin.schemas import Draft, DraftOrder
from partywall.features.agents.definition import AgentDefinition, Limits
from partywall.features.agents.deps import RunDeps
from partywall.features.agents.exceptions import DocumentGoneError, DraftOutdatedError, DraftTwiceError
from partywall.features.documents.exceptions import DocumentNotFoundError
from partywall.features.documents.schemas import DocumentCreate, DocumentPatch, Title
from partywall.features.documents.service import DocumentService

MOST_CONTENT: Final = 100_000

INSTRUCTIONS: Final = f"""\
Draft a document as the brief asks, from the project's documents. Search and read what you need first; where the draft
is a new version of a document, read that document to its end.
{MATERIAL}

Then call `write` once, with the title and the whole text. A person reads both and decides; nothing is written before.
Where they refuse, stop: do not propose another. At the end say in `notes` what the draft rests on and what is
missing."""


Context = RunContext[RunDeps[DraftOrder]]
StorableTitle = Annotated[Title, AfterValidator(storable)]
Content = Annotated[str, StringConstraints(min_length=1, max_length=MOST_CONTENT), AfterValidator(storable)]


@dataclass(frozen=True, slots=True)
class DraftState:
    """The state of the draft; `base` is the last version read of the document to be rewritten."""

    base: int | None = None
    written: Mapping[str, JsonValue] | None = None
    refused: bool = False

    def after(self, part: ToolReturnPart, target: UUID | None, *, mine: bool) -> DraftState:
        """The state after a tool result; `mine` says whether it is of this run, not of an earlier one it continues."""
        if part.tool_name == "read":
            page = page_of(part)
            return replace(self, base=page.version) if page and page.document_id == target else self
        if part.tool_name != "write" or not mine:
            return self
        if part.outcome == "denied":
            return replace(self, refused=True)
        if part.outcome == "success":
            return replace(self, written=cast("Mapping[str, JsonValue]", part.content))
        return replace(self, base=None)  # outdated: the document must be read again


def _draft_state(ctx: Context) -> DraftState:
    """The state before the answer that makes the current tool call, from the conversation."""
    draft_state = DraftState()
    for message in _before(ctx.messages, ctx.tool_call_id):
        mine = _run_of(message.run_id) == _run_of(ctx.run_id)
        for part in message.parts if isinstance(message, ModelRequest) else ():
            if isinstance(part, ToolReturnPart):
                draft_state = draft_state.after(part, ctx.deps.input.document_id, mine=mine)
    return draft_state


def _before(messages: Sequence[ModelMessage], call_id: str | None) -> Sequence[ModelMessage]:
    for index, message in enumerate(messages):
        if call_id is not None and call_id in {call.tool_call_id for call in _calls(message)}:
            return messages[:index]
    return messages


def _calls(message: ModelMessage) -> list[ToolCallPart]:
    parts = message.parts if isinstance(message, ModelResponse) else ()
    return [part for part in parts if isinstance(part, ToolCallPart)]


def _run_of(turn: str | None) -> str:
    """The run id in a turn id, which is `{run_id}.{turn}`."""
    return (turn or "").rpartition(".")[0]


async def _offered(ctx: Context, tool: ToolDefinition) -> ToolDefinition | None:
    """Offers `write` once the document to be rewritten was read, and no longer after a person's decision."""
    draft_state = _draft_state(ctx)
    if draft_state.written is not None or draft_state.refused:
        return None
    return tool if ctx.deps.input.document_id is None or draft_state.base is not None else None


async def write(ctx: Context, title: StorableTitle, content: Content) -> dict[str, str | int]:
    """Writes the draft, once a person has approved it.

    Args:
        ctx: The run.
        title: The document's title.
        content: The document's whole text.
    """
    target = ctx.deps.input.document_id
    _refuse_two(ctx)
    base = _draft_state(ctx).base

    async def work(documents: DocumentService) -> JsonValue:
        if target is None:
            made = await documents.create(DocumentCreate(title=title, content=content))
            return {"document_id": str(made), "version": 1, "title": title}
        try:
            locked = await documents.lock(target)
        except DocumentNotFoundError as error:
            raise DocumentGoneError(target) from error
        if locked.version != base:
            raise DraftOutdatedError(base, locked.version)
        await documents.patch(locked, DocumentPatch(title=title, content=content))
        changed = not locked.has_text(title, content)
        return {"document_id": str(target), "version": locked.version + changed, "title": title}

    return cast("dict[str, str | int]", await ctx.deps.effects.once(work))


def _refuse_two(ctx: Context) -> None:
    """Raises DraftTwiceError for two `write` calls in one answer: one decision would apply to both."""
    for message in ctx.messages:
        calls = [call for call in _calls(message) if call.tool_name == "write"]
        if len(calls) > 1 and ctx.tool_call_id in {call.tool_call_id for call in calls}:
            raise DraftTwiceError


def _prompt(given: DraftOrder) -> str:
    target = [] if given.document_id is None else [f"Write a new version of the document {given.document_id}."]
    only = [] if given.document_ids is None else [f"Use these documents alone:\n{listed(given.document_ids)}"]
    return "\n\n".join([given.brief, *target, *only, *asked_in(given.language)])


async def _check(ctx: Context, output: Draft) -> Draft:
    draft_state = _draft_state(ctx)
    if draft_state.written is not None:
        written = draft_state.written
        written_fields = {"document_id": UUID(str(written["document_id"])), "version": written["version"]}
        return output.model_copy(update={"status": "written", "title": written["title"], **written_fields})
    if draft_state.refused:
        return output.model_copy(update={"status": "rejected", "comment": ctx.deps.comment})
    if ctx.deps.input.document_id is not None:
        async with existing(ctx, ctx.deps.input.document_id):
            await ctx.deps.documents.page(ctx.deps.input.document_id, 0, 0)
    raise ModelRetry("Nothing is written yet. Call `write` with the title and the whole text.")


agent = AgentDefinition(
    name="draft",
    description="Drafts a new document, or a new version of one, from a brief and the project's documents. Waits for "
    "a person to approve the title and the text before it writes them.",
    instructions=INSTRUCTIONS,
    input=DraftOrder,
    output=Draft,
    prompt=_prompt,
    tools=(Tool(search), Tool(read), Tool(write, requires_approval=True, prepare=_offered)),
    check=_check,
    limits=Limits(model_calls=30, tool_calls=60, tokens=800_000),
    retries=3,
)
