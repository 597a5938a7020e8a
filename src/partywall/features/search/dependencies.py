from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import ResourcesDep, ScopedReaderDep
from partywall.features.search.service import SearchService


async def get_search_service(reader: ScopedReaderDep, resources: ResourcesDep) -> SearchService:
    return SearchService.of(reader, resources)


SearchServiceDep = Annotated[SearchService, Depends(get_search_service)]
