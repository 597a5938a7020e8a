"""The agent `bench` of the run benchmarks, loaded through `AGENTS__MODULES`."""

from __future__ import annotations

import asyncio
import json
import os
import time
from datetime import timedelta
from uuid import UUID

from pydantic_ai import RunContext, Tool

from partywall.core.schemas import ResponseModel
from partywall.features.agents.definition import AgentDefinition, Limits
from partywall.features.agents.deps import RunDeps
from partywall.features.agents.schemas import AgentInput
from partywall.features.documents.schemas import DocumentPatch
from partywall.features.documents.service import DocumentService

INSTRUCTIONS = "Do what the task says."


class Task(AgentInput):
    task: str


class Report(ResponseModel):
    report: str


Context = RunContext[RunDeps[Task]]


async def look(ctx: Context) -> str:  # noqa: ARG001 - every tool takes a context
    """Returns the time of the call."""
    return f"{time.perf_counter():.6f}"


async def wait(ctx: Context, seconds: float) -> str:  # noqa: ARG001
    """Waits."""
    await asyncio.sleep(seconds)
    return "waited"


async def append(ctx: Context, document_id: UUID, line: str, seconds: float) -> str:
    """Adds a line to a document in the transaction that records the step, then waits."""

    async def work(documents: DocumentService) -> str:
        locked = await documents.lock(document_id)
        await documents.patch(locked, DocumentPatch(content=f"{await documents.content(locked)}{line}\n"))
        return "appended"

    answer = str(await ctx.deps.effects.once(work))
    await asyncio.sleep(seconds)
    return answer


async def send(ctx: Context, letter: str, seconds: float) -> str:
    """Appends a letter to the file `BENCH_OUTBOX` outside any transaction, then waits."""
    sent = {"key": ctx.deps.effects.key, "letter": letter, "at": time.time(), "by": os.getpid()}
    file = os.open(os.environ["BENCH_OUTBOX"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(file, json.dumps(sent).encode() + b"\n")
    finally:
        os.close(file)
    await asyncio.sleep(seconds)
    return "sent"


TOOLS = (Tool(look), Tool(wait), Tool(append), Tool(send))

agent = AgentDefinition(
    name="bench",
    description="Does what its task says, for benchmarks.",
    instructions=INSTRUCTIONS,
    input=Task,
    output=Report,
    prompt=lambda given: given.task,
    tools=TOOLS,
    limits=Limits(time=timedelta(hours=1), model_calls=100, tool_calls=100, tokens=10_000_000),
)
