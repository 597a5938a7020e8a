"""Answers a question from the project's documents. Every sentence cites a verified quote from one of them."""

from __future__ import annotations

from functools import partial
from typing import Final
from uuid import UUID

from pydantic_ai import ModelRetry, RunContext, Tool

from partywall.features.agents.builtin.citations import DocumentText, Span, claims, marks, unmarked
from partywall.features.agents.builtin.document_pages import MATERIAL, asked_in, existing, listed, read, search
from partywall.features.agents.builtin.schemas import Answer, Citation, Question
from partywall.features.agents.definition import AgentDefinition, Limits
from partywall.features.agents.deps import RunDeps
from partywall.features.documents.exceptions import DocumentNotFoundError
from partywall.features.documents.schemas import Document

# A quote with fewer letters and digits occurs in almost any text.
_LEAST_QUOTED: Final = 4

INSTRUCTIONS: Final = f"""\
Answer the question from the project's documents alone. Search first; read on where a passage is cut off.
{MATERIAL}

Every sentence of the answer ends with the number of the citation that supports it, such as [1], or of several; so do a
"Yes [1]." and each item of a list. Write no headings. Number the citations from 1 in the order of their use. A quote is
copied word for word from the document's text, without omissions, and as short as it can be while it says what the
sentence says.
Where the documents do not say, do not guess: `answered` is false, `answer` null, and there are no citations."""


def _prompt(given: Question) -> str:
    only = [] if given.document_ids is None else [f"Use these documents alone:\n{listed(given.document_ids)}"]
    return "\n\n".join([given.question, *only, *asked_in(given.language)])


async def _check(ctx: RunContext[RunDeps[Question]], output: Answer) -> Answer:
    if not output.answered or output.answer is None:
        if output.answered or output.answer is not None or output.citations:
            raise ModelRetry("Where `answered` is false, `answer` is null and there are no citations; else there are.")
        return output
    _refuse_unsupported(output.answer, [each.number for each in output.citations])
    checked: dict[int, Citation] = {}
    for id_ in dict.fromkeys(each.document_id for each in output.citations):
        checked |= await _cited(ctx, id_, [each for each in output.citations if each.document_id == id_])
    return output.model_copy(update={"citations": [checked[each.number] for each in output.citations]})


def _refuse_unsupported(answer: str, numbers: list[int]) -> None:
    """Raises ModelRetry."""
    used = marks(answer)
    if not numbers:
        raise ModelRetry("An answer has citations; without support in the documents, `answered` is false.")
    if len(set(numbers)) < len(numbers):
        raise ModelRetry("Two citations have the same number.")
    if unknown := used - set(numbers):
        raise ModelRetry(f"The answer uses numbers that no citation has: {sorted(unknown)}.")
    if unused := set(numbers) - used:
        raise ModelRetry(f"The answer does not use these citations: {sorted(unused)}.")
    if bare := unmarked(answer):
        raise ModelRetry(
            f"This sentence has no citation: {bare[0][:300]!r}. Support it or leave it out. Where it only ends there "
            "because an abbreviation or initial has a stop, write that without one."
        )
    if not claims(answer):
        raise ModelRetry("The answer says nothing beside its numbers.")


async def _cited(
    ctx: RunContext[RunDeps[Question]], document_id: UUID, citations: list[Citation]
) -> dict[int, Citation]:
    """Checks the citations of one document, so that only one whole text is in memory at a time."""
    readable = ctx.deps.input.readable
    try:
        if readable is not None and document_id not in readable:
            raise DocumentNotFoundError
        async with existing(ctx, document_id), ctx.deps.documents.whole(document_id) as document:
            return await ctx.deps.threads.run(partial(_looked_up, citations, document))
    except DocumentNotFoundError as error:
        raise ModelRetry(f"There is no document {document_id} to cite.") from error


def _looked_up(citations: list[Citation], document: Document) -> dict[int, Citation]:
    """The citations by number, with the text as in the document; raises ModelRetry for a quote that is not in it."""
    text = DocumentText(document.content, document.media_type)
    return {each.number: _filled(each, document, _place(each, text)) for each in citations}


def _place(citation: Citation, text: DocumentText) -> Span:
    if sum(each.isalnum() for each in citation.quote) < _LEAST_QUOTED:
        raise ModelRetry(f"The quote of citation {citation.number} is too short to support anything.")
    span = text.find(citation.quote)
    if span is None:
        raise ModelRetry(
            f"The quote of citation {citation.number} does not stand in the document {citation.document_id}. "
            "Copy it word for word, without omissions, or leave it out."
        )
    return span


def _filled(citation: Citation, document: Document, span: Span) -> Citation:
    return citation.model_copy(
        update={
            "quote": document.content[span.start : span.end],
            "title": document.title,
            "version": document.version,
            **span._asdict(),
        }
    )


agent = AgentDefinition(
    name="answer",
    description="Answers a question from the project's documents. Each sentence has citations, and each quote is "
    "verified against its document. If the documents do not answer the question, it says so.",
    instructions=INSTRUCTIONS,
    input=Question,
    output=Answer,
    prompt=_prompt,
    tools=(Tool(search), Tool(read)),
    check=_check,
    limits=Limits(model_calls=20, tool_calls=40, tokens=400_000),
    retries=3,
)
