from __future__ import annotations

from typing import Final

from partywall.core.errors import ForeignCursorError
from partywall.core.http.pagination import get_cursors
from partywall.core.schemas import Page
from partywall.features.documents import reader
from partywall.features.documents.schemas import DocumentSummary
from partywall.features.mcp.caller import Caller
from partywall.features.mcp.schemas import ListArguments, ReadArguments, SearchAnswer, SearchArguments, TextPage
from partywall.features.mcp.tool import ReportProgress, Tool
from partywall.features.search.dependencies import get_search_service


async def _search(caller: Caller, query: SearchArguments, _: ReportProgress) -> SearchAnswer:
    service = await get_search_service(caller.reader, caller.resources)
    answer = await service.search(caller.project_id, query)
    result = answer.result
    return SearchAnswer(items=result.items, facets=result.facets, reranked=result.reranked, mode=answer.mode)


async def _list(caller: Caller, wanted: ListArguments, _: ReportProgress) -> Page[DocumentSummary]:
    cursors = await get_cursors(caller.resources)
    try:
        page = await reader.list_documents(caller.reader, caller.project_id, wanted.query(), cursors)
    except ForeignCursorError as error:
        raise ForeignCursorError("/cursor") from error
    return Page[DocumentSummary].model_validate_json(page)


async def _read(caller: Caller, wanted: ReadArguments, _: ReportProgress) -> TextPage:
    found = await reader.get_text(caller.reader, caller.project_id, wanted.document_id, wanted.start, wanted.length)
    start = min(wanted.start, found.characters)
    end = start + len(found.text)
    return TextPage(
        document_id=wanted.document_id,
        title=found.title,
        version=found.version,
        text=found.text,
        start=start,
        end=end,
        characters=found.characters,
        next_start=end if end < found.characters else None,
    )


DOCUMENT_TOOLS: Final = (
    Tool(
        name="search_documents",
        title="Search documents",
        description="Searches the project's documents by words and by meaning, best first. `start` and `end` of a hit "
        "are in characters of the document, for read_document; `page` and `section` are for people, to cite it. "
        "`score` says how well a hit fits; with a low one the documents may hold no answer.",
        input=SearchArguments,
        output=SearchAnswer,
        work=_search,
    ),
    Tool(
        name="list_documents",
        title="List documents",
        description="Lists the project's documents without their content, newest first unless sorted otherwise.",
        input=ListArguments,
        output=Page[DocumentSummary],
        work=_list,
    ),
    Tool(
        name="read_document",
        title="Read a document",
        description="Reads a document's text, one page at a time. Continue at `next_start` until it is null.",
        input=ReadArguments,
        output=TextPage,
        work=_read,
    ),
)
