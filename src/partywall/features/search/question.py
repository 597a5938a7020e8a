"""Search for the code of installed features."""

from __future__ import annotations

from functools import partial
from uuid import UUID

from partywall.core.document_search import DocumentSearch, FoundDocument
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.features.search.schemas import SearchQuery
from partywall.features.search.service import SearchService


def document_search(resources: Resources) -> DocumentSearch:
    return partial(_search, resources)


async def _search(
    resources: Resources, principal: Principal, project_id: UUID, question: str, limit: int
) -> list[FoundDocument]:
    service = SearchService.of(resources.reader(principal), resources)
    answer = await service.search(project_id, SearchQuery(q=question, limit=limit))
    return [
        FoundDocument(
            hit.document_id, hit.title, hit.text, hit.page, hit.section, hit.external_id, hit.revision, hit.score
        )
        for hit in answer.result.items
    ]
