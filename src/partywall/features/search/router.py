from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response

from partywall.core.errors import MissingRightError, TooManyRequestsError
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_response
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.search.dependencies import SearchServiceDep
from partywall.features.search.exceptions import SearchModelUnavailable, SearchTimeoutError, VectorIndexUnavailable
from partywall.features.search.schemas import SearchQuery, SearchResult

MODE_HEADER: Final = "X-Search-Mode"

router = APIRouter(prefix="/projects/{project_id}/search", tags=["search"])


@router.get(
    "",
    response_model=SearchResult,
    summary="Search a project's documents",
    description=(
        "Text search, vector search or both, best hits first. Offsets are in characters. The header `X-Search-Mode` "
        "names the mode used: `text` if the embedding model or the vector index of a hybrid search did not answer."
    ),
    responses=documented(
        ProjectNotFoundError,
        MissingRightError,
        SearchModelUnavailable,
        VectorIndexUnavailable,
        SearchTimeoutError,
        TooManyRequestsError,
    ),
)
async def search_documents(
    project_id: UUID, query: Annotated[SearchQuery, Query()], service: SearchServiceDep
) -> Response:
    answer = await service.search(project_id, query)
    return json_response(answer.result, headers={MODE_HEADER: answer.mode.value})
