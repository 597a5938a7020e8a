from __future__ import annotations

from fastapi import APIRouter, Response

from partywall.core.errors import PreconditionFailedError
from partywall.core.http.dependencies import PersonDep, PrincipalReadSessionDep, ResourcesDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import IfMatch, IfNoneMatch, entity_tag, json_response, not_modified, unchanged
from partywall.features.accounts import service as accounts
from partywall.features.accounts.constants import JWKS_MAX_AGE
from partywall.features.accounts.dependencies import AccountServiceDep
from partywall.features.accounts.schemas import Jwk, JwkSet, User, UserPatch

router = APIRouter(prefix="/users", tags=["accounts"])
well_known = APIRouter(prefix="/.well-known", tags=["accounts"])


def _tag(found: accounts.VersionedUser) -> str:
    return entity_tag(found.revision, int(found.user.email_verified))


@router.get(
    "/me",
    response_model=User,
    summary="Get the caller's account",
    description="The account that the access token belongs to.",
)
async def get_me(session: PrincipalReadSessionDep, principal: PersonDep, if_none_match: IfNoneMatch = None) -> Response:
    found = await accounts.get_user(session, principal.id)
    tag = _tag(found)
    return not_modified(tag) if unchanged(if_none_match, tag) else json_response(found.user, headers={"ETag": tag})


@router.patch(
    "/me",
    response_model=User,
    summary="Change the caller's account",
    description="A JSON merge patch (RFC 7396); `null` removes the name.",
    responses=documented(PreconditionFailedError),
)
async def update_me(body: UserPatch, service: AccountServiceDep, if_match: IfMatch = None) -> Response:
    changed = await service.update(body, if_match)
    return json_response(changed.user, headers={"ETag": _tag(changed)})


@well_known.get(
    "/jwks.json",
    response_model=JwkSet,
    summary="Get the public keys",
    description="Keys that verify access tokens (RFC 7517). A new key is published here before it signs.",
)
async def get_jwks(resources: ResourcesDep) -> Response:
    keys = [Jwk.model_validate(each) for each in await resources.access_tokens.jwks()]
    return json_response(JwkSet(keys=keys), headers={"Cache-Control": f"public, max-age={JWKS_MAX_AGE}"})
