from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import CredentialDep, PersonDep, PrincipalSessionDep, ResourcesDep, SessionDep
from partywall.core.resources import Resources
from partywall.core.security.one_time import OneTimeValues
from partywall.core.security.revocation_check import bind_credential
from partywall.features.accounts.dependencies import ClientLimitsDep, SessionStarterDep
from partywall.features.identities.constants import LOGINS, PROOFS, SUPABASE
from partywall.features.identities.external_login import ExternalLogins
from partywall.features.identities.repository import ProvedIdentity
from partywall.features.identities.schemas import Redemption
from partywall.features.identities.service import IdentityLoginService, IdentityService


async def get_external_logins(resources: ResourcesDep, limits: ClientLimitsDep) -> ExternalLogins:
    settings = resources.settings.identities
    return ExternalLogins(
        providers=resources.identity_providers,
        logins=OneTimeValues(resources.cache, resources.secrets.box(LOGINS), "login"),
        proofs=OneTimeValues(resources.cache, resources.secrets.box(PROOFS), "proof"),
        limits=limits,
        return_addresses=frozenset(settings.return_addresses),
        callbacks=_public_url(resources) + "/api/v1/auth/oauth",
        login_ttl=settings.login_ttl,
        code_ttl=settings.code_ttl,
    )


def _public_url(resources: Resources) -> str:
    return str(resources.settings.http.public_url or "").rstrip("/")


ExternalLoginsDep = Annotated[ExternalLogins, Depends(get_external_logins)]


async def get_proof(body: Redemption, logins: ExternalLoginsDep) -> ProvedIdentity | None:
    """Takes it before the request opens a transaction."""
    return await logins.redeem(body.code, body.code_verifier)


async def get_own_proof(body: Redemption, _: PersonDep, logins: ExternalLoginsDep) -> ProvedIdentity | None:
    return await get_proof(body, logins)


ProofDep = Annotated[ProvedIdentity | None, Depends(get_proof)]
OwnProofDep = Annotated[ProvedIdentity | None, Depends(get_own_proof)]


async def get_identity_login_service(
    session: SessionDep, starter: SessionStarterDep, resources: ResourcesDep
) -> IdentityLoginService:
    return IdentityLoginService(session, starter, resources.settings.accounts.registration)


async def get_identity_service(
    session: PrincipalSessionDep, principal: PersonDep, credential: CredentialDep, resources: ResourcesDep
) -> IdentityService:
    bind_credential(session, credential)
    settings = resources.settings
    working = [*resources.identity_providers.names, *([SUPABASE] if settings.supabase.url else [])]
    return IdentityService(session, principal.id, working, settings.verification_required)


IdentityLoginServiceDep = Annotated[IdentityLoginService, Depends(get_identity_login_service, scope="function")]
IdentityServiceDep = Annotated[IdentityService, Depends(get_identity_service, scope="function")]
