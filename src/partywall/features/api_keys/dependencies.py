from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import LockingProjectScopeDep, ResourcesDep, SessionDep
from partywall.features.api_keys.service import ApiKeyService


async def get_api_key_service(
    session: SessionDep, scope: LockingProjectScopeDep, resources: ResourcesDep
) -> ApiKeyService:
    return ApiKeyService(session, scope, resources.api_keys)


ApiKeyServiceDep = Annotated[ApiKeyService, Depends(get_api_key_service, scope="function")]
