from __future__ import annotations

from typing import Annotated, Final
from uuid import UUID

from fastapi import APIRouter, Query, Response

from partywall.core.db.long_reads import ReadTimeoutError
from partywall.core.errors import MissingRightError, TooManyRequestsError
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_response
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.search.dependencies import SearchServiceDep
from partywall.features.search.exceptions import SearchModelUnavailable, SearchTimeoutError, VectorIndexUnavailable
from partywall.features.search.schemas import SearchParameters, SearchQuery, SearchResult

MODE_HEADER: Final = "X-Search-Mode"

_ERRORS: Final = (
    ProjectNotFoundError, MissingRightError, SearchModelUnavailable, VectorIndexUnavailable, SearchTimeoutError,
    ReadTimeoutError, TooManyRequestsError,
)  # fmt: skip

router = APIRouter(prefix="/projects/{project_id}/search", tags=["search"])


@router.get(
    "",
    response_model=SearchResult,
    summary="Search a project's documents",
    description=(
        "Text search, vector search or both, best hits first. Offsets are in characters. The header `X-Search-Mode` "
        "names the mode used: `text` if the embedding model or the vector index of a hybrid search did not answer, "
        "or the model has no words in the script of the query."
    ),
    responses=documented(*_ERRORS),
)
async def search_documents(
    project_id: UUID, query: Annotated[SearchParameters, Query()], service: SearchServiceDep
) -> Response:
    return await _answer(project_id, query, service)


@router.post(
    "",
    response_model=SearchResult,
    summary="Search with a body",
    description="The same as with GET, for filters and queries that are too long for an address. It changes nothing.",
    responses=documented(*_ERRORS),
)
async def search_with_body(project_id: UUID, query: SearchQuery, service: SearchServiceDep) -> Response:
    return await _answer(project_id, query, service)


async def _answer(project_id: UUID, query: SearchQuery, service: SearchServiceDep) -> Response:
    answer = await service.search(project_id, query)
    return json_response(answer.result, headers={MODE_HEADER: answer.mode.value})
