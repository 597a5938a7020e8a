from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response, status

from partywall.core.errors import MissingRightError, QuotaExceededError
from partywall.core.http.dependencies import ReadProjectScopeDep, ReadSessionDep
from partywall.core.http.idempotency import IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.idempotent import idempotent
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_response
from partywall.core.rights import requires
from partywall.core.schemas import Page
from partywall.core.tenancy import ProjectNotFoundError
from partywall.features.api_keys import service as api_keys
from partywall.features.api_keys.dependencies import ApiKeyServiceDep
from partywall.features.api_keys.exceptions import ApiKeyNotFoundError
from partywall.features.api_keys.rights import KEY_MANAGE
from partywall.features.api_keys.schemas import ApiKey, ApiKeyCreate, ApiKeyQuery, CreatedApiKey

router = APIRouter(prefix="/projects/{project_id}/api-keys", tags=["api keys"])

NO_STORE = {"Cache-Control": "no-store"}


def _without_secret(body: bytes) -> bytes:
    return CreatedApiKey.model_validate_json(body).model_dump_json(exclude={"secret"}).encode()


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=CreatedApiKey,
    summary="Create a key",
    description="Only this answer contains the secret: the server stores its hash, and a replay under the same "
    "`Idempotency-Key` omits it. A key has the rights of its role, except those that only people have.",
    responses=documented(
        ProjectNotFoundError, MissingRightError, QuotaExceededError, IdempotencyKeyReusedError, RequestInProgressError
    ),
)
@idempotent(requires(KEY_MANAGE), keep=_without_secret)
async def create_api_key(body: ApiKeyCreate, service: ApiKeyServiceDep) -> Response:
    return json_response(await service.create(body), status.HTTP_201_CREATED, NO_STORE)


@router.get(
    "",
    summary="List the project's keys",
    description="Keys that are not revoked, with only the prefix of their secrets.",
    responses=documented(ProjectNotFoundError, MissingRightError),
)
async def list_api_keys(
    session: ReadSessionDep,
    scope: ReadProjectScopeDep,
    query: Annotated[ApiKeyQuery, Query()],
    cursors: CursorsDep,
) -> Page[ApiKey]:
    return await api_keys.list_api_keys(session, scope, query, cursors)


@router.delete(
    "/{key_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Revoke a key",
    description="Its next request is refused and its open streams end.",
    responses=documented(ProjectNotFoundError, MissingRightError, ApiKeyNotFoundError),
)
async def revoke_api_key(key_id: UUID, service: ApiKeyServiceDep) -> None:
    await service.revoke(key_id)
