from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Request, Response, status

from partywall.core.http.dependencies import PersonDep, PrincipalReadSessionDep
from partywall.core.http.idempotency import IdempotencyKeyReusedError, RequestInProgressError
from partywall.core.http.idempotent import idempotent
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_response
from partywall.core.schemas import Page
from partywall.core.security.one_time import OneTimeValuesUnavailableError
from partywall.features.accounts.exceptions import TooManyAttemptsError
from partywall.features.identities import service as identities
from partywall.features.identities.dependencies import IdentityServiceDep, OwnProofDep
from partywall.features.identities.exceptions import (
    AddressUnconfirmedError,
    IdentityNotFoundError,
    IdentityTakenError,
    InvalidCodeError,
    LastLoginError,
    TooManyIdentitiesError,
)
from partywall.features.identities.schemas import Identity, IdentityQuery

router = APIRouter(prefix="/users/me/identities", tags=["accounts"])


@router.get("", summary="List the caller's identities", description="Identities at providers, by which one can log in.")
async def list_identities(
    session: PrincipalReadSessionDep,
    principal: PersonDep,
    query: Annotated[IdentityQuery, Query()],
    cursors: CursorsDep,
) -> Page[Identity]:
    return await identities.list_identities(session, principal.id, query, cursors)


@router.post(
    "",
    status_code=status.HTTP_201_CREATED,
    response_model=Identity,
    summary="Link an identity to the caller's account",
    description="The code comes from `GET /auth/oauth/{provider}/authorize`, as for a login.",
    responses=documented(
        InvalidCodeError, AddressUnconfirmedError, IdentityTakenError, TooManyIdentitiesError,
        IdempotencyKeyReusedError, RequestInProgressError, TooManyAttemptsError, OneTimeValuesUnavailableError,
    ),
)  # fmt: skip
@idempotent()
async def link_identity(
    proved: OwnProofDep,
    service: IdentityServiceDep,
    request: Request,
) -> Response:
    linked = await service.link(proved)
    location = f"{request.url.path.rstrip('/')}/{linked.id}"
    return json_response(linked, status.HTTP_201_CREATED, {"Location": location})


@router.delete(
    "/{identity_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="Remove an identity from the caller's account",
    description="It can no longer log in. Sessions that it began do not end.",
    responses=documented(IdentityNotFoundError, LastLoginError),
)
async def remove_identity(identity_id: UUID, service: IdentityServiceDep) -> None:
    await service.remove(identity_id)
