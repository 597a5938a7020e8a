"""Summarises documents. Each key point names its document; the summary says how much of each was read."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import AfterValidator
from pydantic_ai import ModelRetry, RunContext, Tool

from partywall.core.schemas import storable
from partywall.features.agents.builtin.document_pages import MATERIAL, accounted, asked_in, listed, passages, read
from partywall.features.agents.builtin.schemas import (
    Passage,
    Summary,
    SummaryOrder,
)
from partywall.features.agents.definition import AgentDefinition, Limits
from partywall.features.agents.deps import RunDeps
from partywall.features.agents.exceptions import NothingFoundError
from partywall.features.search.schemas import QueryText, SearchQuery

INSTRUCTIONS: Final = f"""\
Summarise the documents that you are given, or those that a search finds. Read every one of them to its end, page by
page: `next` tells where the next page starts, and several pages can be asked for at once. When no more can be read,
summarise what you have.
{MATERIAL}

Say only what the documents say. Each key point names the one document that it comes from."""


def _prompt(given: SummaryOrder) -> str:
    what = (
        f"Summarise what the documents say about: {given.query}"
        if given.document_ids is None
        else f"Summarise these documents:\n{listed(given.document_ids)}"
    )
    focus = [] if given.focus is None else [f"What matters: {given.focus}"]
    return "\n\n".join([what, *focus, *asked_in(given.language)])


async def search(
    ctx: RunContext[RunDeps[SummaryOrder]], query: Annotated[QueryText, AfterValidator(storable)]
) -> list[Passage]:
    """Searches the documents by words and by meaning. Returns the passages that fit best, with where they begin.

    Where nothing fits, it returns those that fit what is to be summarised.

    Args:
        ctx: The run.
        query: Words or a question.
    """
    given = ctx.deps.input.query
    found = await passages(ctx, query)
    if found or given is None:
        return found
    if not (found := await passages(ctx, given)):
        raise NothingFoundError
    return found


async def _check(ctx: RunContext[RunDeps[SummaryOrder]], output: Summary) -> Summary:
    given = ctx.deps.input
    if given.query is not None and not await ctx.deps.documents.search(SearchQuery(q=given.query, limit=1)):
        raise NothingFoundError
    readings = await accounted(ctx)
    titles = {each.document_id: each.title for each in readings if each.read or not each.length}
    for point in output.key_points:
        if point.document_id not in titles:
            raise ModelRetry(
                f"A key point names the document {point.document_id}, which you have not read, or were not given."
            )
    points = [each.model_copy(update={"title": titles[each.document_id]}) for each in output.key_points]
    return output.model_copy(update={"key_points": points, "documents": readings})


agent = AgentDefinition(
    name="summarise",
    description="Summarises documents, or what a search finds, as a title, a text and key points that name their "
    "documents. Reports how much of each document was read.",
    instructions=INSTRUCTIONS,
    input=SummaryOrder,
    output=Summary,
    prompt=_prompt,
    tools=(Tool(search), Tool(read)),
    check=_check,
    limits=Limits(model_calls=40, tool_calls=100, tokens=1_500_000),
    retries=3,
)
