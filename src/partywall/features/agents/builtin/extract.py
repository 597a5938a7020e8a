"""Extracts objects from documents and validates each against the caller's JSON Schema."""

from __future__ import annotations

import json
from functools import partial
from threading import Event
from typing import Final

from pydantic_ai import ModelRetry, RunContext, Tool

from partywall.core.json_schema.checker import Checker
from partywall.core.json_schema.patterns import forgotten_patterns
from partywall.core.schemas import JsonObject
from partywall.core.shared_threads import SharedThreads
from partywall.features.agents.builtin.document_pages import MATERIAL, accounted, asked_in, listed, read
from partywall.features.agents.builtin.schemas import (
    Extracted,
    Extraction,
    ExtractionOrder,
)
from partywall.features.agents.definition import AgentDefinition, Limits
from partywall.features.agents.deps import RunDeps

INSTRUCTIONS: Final = f"""\
Extract objects from the documents that you are given. Read every one of them to its end, page by page: `next` tells
where the next page starts, and several pages can be asked for at once. When no more can be read, use what you have.
{MATERIAL}

Each object fits the JSON Schema that you are given and holds only what its document says; invent nothing to fill a
field. A document may hold several objects, or none."""


def _prompt(given: ExtractionOrder) -> str:
    schema = json.dumps(given.schema_, ensure_ascii=False)
    what = [] if given.instructions is None else [given.instructions]
    ids = f"Extract from these documents:\n{listed(given.document_ids)}"
    return "\n\n".join([*what, ids, f"Each object fits this JSON Schema:\n{schema}", *asked_in(given.language)])


async def _check(ctx: RunContext[RunDeps[ExtractionOrder]], output: Extraction) -> Extraction:
    given = ctx.deps.input
    for item in output.items:
        if item.document_id not in given.document_ids:
            raise ModelRetry(f"The document {item.document_id} is not among those that you were given.")
    if wrong := await _wrong_in(ctx.deps.threads, output.items, given.schema_):
        raise ModelRetry("These objects do not fit the JSON Schema:\n" + "\n".join(wrong))
    return output.model_copy(update={"documents": await accounted(ctx)})


async def _wrong_in(threads: SharedThreads, items: list[Extracted], schema: JsonObject) -> list[str]:
    """Errors of the items. Stops its thread when the caller is cancelled or times out."""
    stop = Event()
    try:
        return await threads.run(partial(_misfits, items, schema, stop))
    finally:
        stop.set()


def _misfits(items: list[Extracted], schema: JsonObject, stop: Event, most: int = 5) -> list[str]:
    wrong: list[str] = []
    with forgotten_patterns():
        checker = Checker(schema, stop)
        for index, item in enumerate(items):
            wrong += [f"items[{index}].object{error.removeprefix('$')}" for error in checker.errors(item.object)]
            if len(wrong) >= most:
                break
    return wrong[:most]


agent = AgentDefinition(
    name="extract",
    description="Extracts objects from documents and validates each against a JSON Schema from the caller. Reports "
    "how much of each document was read.",
    instructions=INSTRUCTIONS,
    input=ExtractionOrder,
    output=Extraction,
    prompt=_prompt,
    tools=(Tool(read),),
    check=_check,
    limits=Limits(model_calls=40, tool_calls=100, tokens=1_500_000),
    retries=3,
)
