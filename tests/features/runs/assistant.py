"""A test agent: reads documents, publishes after approval, and can be slow or fail."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field
from pydantic_ai import RunContext, Tool

from partywall.core.schemas import ResponseModel
from partywall.features.agents.definition import AgentDefinition, Limits
from partywall.features.agents.deps import RunDeps
from partywall.features.agents.exceptions import TryAgainError
from partywall.features.agents.schemas import AgentInput
from partywall.features.documents.schemas import DocumentPatch
from partywall.features.documents.service import DocumentService
from partywall.features.search.schemas import SearchQuery

WAYS_OUT = (SystemExit, KeyboardInterrupt, GeneratorExit, asyncio.CancelledError, MemoryError, RecursionError)


def _leaving(when: str) -> str:
    """Raises SystemExit if the question asks for it."""
    if when == "leave as you read":
        sys.exit(3)
    return when


class Question(AgentInput):
    question: Annotated[str, AfterValidator(_leaving)] = Field(min_length=1, max_length=2000)


def _prompt(given: Question) -> str:
    if given.question == "leave as you ask":
        sys.exit(3)
    return given.question


def _unsaid(answer: str) -> str:
    if answer == "leave as you answer":
        sys.exit(3)
    return answer


class Answer(ResponseModel):
    answer: Annotated[str, AfterValidator(_unsaid)]
    sources: list[UUID]


Context = RunContext[RunDeps[Question]]


async def search(ctx: Context, query: str) -> list[dict[str, str]]:
    """Searches the documents."""
    hits = await ctx.deps.documents.search(SearchQuery(q=query))
    return [{"id": str(hit.document_id), "title": hit.title, "text": hit.text} for hit in hits]


async def read(ctx: Context, document_id: UUID) -> str:
    """The text of a document."""
    return (await ctx.deps.documents.read(document_id)).content


async def publish(ctx: Context, document_id: UUID) -> str:
    """Publishes a document."""

    async def work(documents: DocumentService) -> str:
        locked = await documents.lock(document_id)
        await documents.patch(locked, DocumentPatch(status="published"))
        return "published"

    return str(await ctx.deps.effects.once(work))


async def append(ctx: Context, document_id: UUID, text: str) -> str:
    """Adds a line to a document."""

    async def work(documents: DocumentService) -> str:
        locked = await documents.lock(document_id)
        await documents.patch(locked, DocumentPatch(content=f"{await documents.content(locked)}{text}\n"))
        return ctx.deps.effects.key

    key = await ctx.deps.effects.once(work)
    await asyncio.sleep(float(os.environ.get("ASSISTANT_PAUSE", "0")))
    return str(key)


async def character(ctx: Context, code: int) -> dict[str, list[str]]:
    """The character with this code point, which may be a lone surrogate."""
    return {"found": [f"<{chr(code)}>"]}


async def note(ctx: Context, text: str) -> str:
    """Writes a line to the file `ASSISTANT_NOTES`: an effect outside any transaction."""
    with Path(os.environ["ASSISTANT_NOTES"]).open("a") as notes:
        notes.write(f"{ctx.deps.effects.key} {text}\n")
    await asyncio.sleep(float(os.environ.get("ASSISTANT_PAUSE", "0")))
    return "noted"


async def crash(_: Context) -> str:
    """Kills its worker, like running out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)
    await asyncio.Event().wait()
    return "never"


async def fail(_: Context, again: bool) -> str:
    """Always fails."""
    if again:
        raise TryAgainError("The scales are being calibrated.", after=timedelta(seconds=0.2))
    raise RuntimeError("the password of the scales is 0000")


async def leave(_: Context, way: str) -> str:
    """Raises the named exception from WAYS_OUT."""
    raise next(each for each in WAYS_OUT if each.__name__ == way)


def leave_thread(_: Context) -> str:
    """Raises SystemExit in a thread."""
    sys.exit(3)


async def leave_task(ctx: Context) -> str:
    """Raises SystemExit in its own task."""
    return await asyncio.create_task(leave(ctx, "SystemExit"))


agent = AgentDefinition(
    name="assistant",
    description="Answers questions, for tests.",
    instructions="Answer from the documents.",
    input=Question,
    output=Answer,
    prompt=_prompt,
    tools=(
        Tool(search),
        Tool(read),
        Tool(append),
        Tool(note),
        Tool(character),
        Tool(crash),
        Tool(fail),
        Tool(leave),
        Tool(leave_thread),
        Tool(leave_task),
        Tool(publish, requires_approval=True),
    ),
    limits=Limits(model_calls=10, tool_calls=20, tokens=50_000),
)
