from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Request

from partywall.core.http.dependencies import (
    PersonDep,
    PrincipalSessionDep,
    ResourcesDep,
    SessionDep,
    bearer_token,
    client_address,
)
from partywall.core.resources import Resources
from partywall.features.accounts import refresh_tokens, verification_tokens
from partywall.features.accounts.constants import COUNTED_ADDRESSES, MAX_USER_AGENT
from partywall.features.accounts.counted_password import CountedPassword
from partywall.features.accounts.limits import ClientLimits, Kind
from partywall.features.accounts.lockout import of_one_network, of_unknown_networks
from partywall.features.accounts.login import LoginService
from partywall.features.accounts.login_counters import LoginCounters
from partywall.features.accounts.mailed_tokens import MailedTokenService
from partywall.features.accounts.password_change import PasswordChangeService
from partywall.features.accounts.refresh import RefreshService
from partywall.features.accounts.refresh_tokens import RefreshTokens
from partywall.features.accounts.registration import RegistrationService
from partywall.features.accounts.service import AccountService, SessionService
from partywall.features.accounts.session_repository import Rotation
from partywall.features.accounts.session_start import SessionStarter
from partywall.features.accounts.verification import VerificationService
from partywall.features.accounts.verification_tokens import VerificationTokens


async def get_client_limits(request: Request, resources: ResourcesDep) -> ClientLimits:
    return ClientLimits(resources.attempts, client_address(request, resources))


ClientLimitsDep = Annotated[ClientLimits, Depends(get_client_limits)]


async def limit_registrations(limits: ClientLimitsDep) -> None:
    await limits.admit(Kind.REGISTRATION)


async def get_registration_service(
    session: SessionDep, resources: ResourcesDep, limits: ClientLimitsDep
) -> RegistrationService:
    tokens = VerificationTokens(resources.secrets.signer(verification_tokens.PURPOSE))
    admission = resources.settings.accounts.registration
    addresses = resources.secrets.signer(COUNTED_ADDRESSES)
    return RegistrationService(session, resources.passwords, tokens, admission, limits.client, addresses)


async def get_verification_service(
    session: SessionDep, resources: ResourcesDep, limits: ClientLimitsDep
) -> VerificationService:
    addresses = resources.secrets.signer(COUNTED_ADDRESSES)
    return VerificationService(session, resources.sessions, resources.access_tokens, addresses, limits)


async def get_mailed_token_service(
    session: SessionDep, resources: ResourcesDep, limits: ClientLimitsDep
) -> MailedTokenService:
    addresses = resources.secrets.signer(COUNTED_ADDRESSES)
    return MailedTokenService(
        session, resources.sessions, resources.passwords, resources.access_tokens, addresses, limits
    )


async def get_session_starter(session: SessionDep, resources: ResourcesDep) -> SessionStarter:
    refresh = RefreshTokens(resources.secrets.signer(refresh_tokens.PURPOSE))
    return SessionStarter(session, resources.access_tokens, refresh, resources.settings.accounts.refresh_token_ttl)


SessionStarterDep = Annotated[SessionStarter, Depends(get_session_starter, scope="function")]


async def get_login_counters(resources: ResourcesDep) -> LoginCounters:
    settings = resources.settings.accounts
    rules = settings.max_failed_logins, settings.lockout
    return LoginCounters(of_one_network(*rules), of_unknown_networks(*rules), settings.known_network_retention)


LoginCountersDep = Annotated[LoginCounters, Depends(get_login_counters)]


async def get_counted_password(
    resources: ResourcesDep, counters: LoginCountersDep, limits: ClientLimitsDep
) -> CountedPassword:
    return CountedPassword(resources.sessions, resources.passwords, counters, limits.client)


CountedPasswordDep = Annotated[CountedPassword, Depends(get_counted_password)]


async def get_password_change_service(
    session: SessionDep,
    resources: ResourcesDep,
    principal: PersonDep,
    counted: CountedPasswordDep,
    counters: LoginCountersDep,
    limits: ClientLimitsDep,
) -> PasswordChangeService:
    return PasswordChangeService(
        session=session,
        sessions=resources.sessions,
        principal=principal,
        counted=counted,
        counters=counters,
        passwords=resources.passwords,
        access_tokens=resources.access_tokens,
        addresses=resources.secrets.signer(COUNTED_ADDRESSES),
        limits=limits,
    )


async def get_login_service(
    session: SessionDep,
    resources: ResourcesDep,
    limits: ClientLimitsDep,
    counted: CountedPasswordDep,
    counters: LoginCountersDep,
    starter: SessionStarterDep,
) -> LoginService:
    return LoginService(
        session=session,
        sessions=resources.sessions,
        passwords=counted,
        starter=starter,
        addresses=resources.secrets.signer(COUNTED_ADDRESSES),
        limits=limits,
        login_counters=counters,
        verification_required=resources.settings.verification_required,
    )


def refresh_service(resources: Resources, limits: ClientLimits) -> RefreshService:
    settings = resources.settings.accounts
    return RefreshService(
        rotation=Rotation(resources.reads, settings.refresh_token_ttl, settings.attempts_per_minute),
        sessions=resources.sessions,
        tokens=resources.access_tokens,
        refresh_tokens=RefreshTokens(resources.secrets.signer(refresh_tokens.PURPOSE)),
        limits=limits,
    )


async def get_refresh_service(resources: ResourcesDep, limits: ClientLimitsDep) -> RefreshService:
    return refresh_service(resources, limits)


async def get_account_service(session: PrincipalSessionDep, principal: PersonDep) -> AccountService:
    return AccountService(session, principal.id)


async def get_session_service(
    session: PrincipalSessionDep, principal: PersonDep, resources: ResourcesDep
) -> SessionService:
    return SessionService(session, principal.id, resources.access_tokens)


async def get_current_session(request: Request, principal: PersonDep, resources: ResourcesDep) -> UUID | None:
    """The session of the request's access token."""
    token = bearer_token(request.headers.get("authorization")) or ""
    verified = await resources.authenticator.verify(token)
    return verified.session_id if verified.principal == principal else None


async def get_user_agent(request: Request) -> str | None:
    """The printable part of the User-Agent header. It helps people recognise their sessions."""
    given = request.headers.get("user-agent", "")
    return "".join(each for each in given if each.isprintable())[:MAX_USER_AGENT] or None


RegistrationLimit = Depends(limit_registrations)
RegistrationServiceDep = Annotated[RegistrationService, Depends(get_registration_service, scope="function")]
VerificationServiceDep = Annotated[VerificationService, Depends(get_verification_service, scope="function")]
MailedTokenServiceDep = Annotated[MailedTokenService, Depends(get_mailed_token_service, scope="function")]
PasswordChangeServiceDep = Annotated[PasswordChangeService, Depends(get_password_change_service, scope="function")]
LoginServiceDep = Annotated[LoginService, Depends(get_login_service, scope="function")]
RefreshServiceDep = Annotated[RefreshService, Depends(get_refresh_service)]
AccountServiceDep = Annotated[AccountService, Depends(get_account_service, scope="function")]
SessionServiceDep = Annotated[SessionService, Depends(get_session_service, scope="function")]
CurrentSessionDep = Annotated[UUID | None, Depends(get_current_session)]
UserAgentDep = Annotated[str | None, Depends(get_user_agent)]
