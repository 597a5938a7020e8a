"""Dependencies of routes, with one alias each."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Final
from uuid import UUID

from fastapi import Depends, Request
from fastapi.security import HTTPBearer, OAuth2PasswordBearer
from fastapi.security.utils import get_authorization_scheme_param
from starlette.requests import HTTPConnection
from starlette.types import Scope

from partywall.core.backpressure import Backpressure
from partywall.core.db.scoped_access import ScopedReader, ScopedWriter
from partywall.core.db.scopes import open_scope, open_shared_scope
from partywall.core.db.session import AsyncReadSession, AsyncSession, bind_principal
from partywall.core.errors import NotAuthenticatedError, PersonRequiredError
from partywall.core.http.public_routes import is_public
from partywall.core.large_answers import LargeAnswers
from partywall.core.resources import Resources
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.security.revocation_check import bind_credential
from partywall.core.tenancy import Principal, PrincipalKind, ProjectScope, SharedScope, UnlockedScope
from partywall.core.tenant import set_current_tenant, unauthenticated

_bearer = HTTPBearer(auto_error=False, description="An access token, or a project key.")
# A second scheme, so that people can log in from /docs.
_password = OAuth2PasswordBearer("/api/v1/auth/token", refreshUrl="/api/v1/auth/token", auto_error=False)


async def get_resources(connection: HTTPConnection) -> Resources:
    resources: Resources = connection.app.state.resources
    return resources


ResourcesDep = Annotated[Resources, Depends(get_resources)]


def bearer_token(authorization: str | None) -> str | None:
    scheme, token = get_authorization_scheme_param(authorization)
    return token if scheme.lower() == "bearer" and token else None


def remember_principal(scope: Scope, principal: Principal) -> None:
    """Sets the principal for the log, and its tenant for the rest of the request."""
    scope["state"]["principal"] = str(principal)
    set_current_tenant(principal.tenant)


def client_address(connection: HTTPConnection, resources: Resources) -> str:
    peer = connection.client.host if connection.client else None
    return resources.clients.of(peer, connection.headers.getlist("x-forwarded-for"))


async def known_principal(resources: Resources, authorization: str | None, scope: Scope) -> Principal:
    """The principal, from the headers alone; raises NotAuthenticatedError. Further calls use a cached result."""
    token = bearer_token(authorization)
    if token is None:
        raise NotAuthenticatedError
    principal = resources.authenticator.cached(token)
    if principal is None:
        set_current_tenant(unauthenticated(client_address(HTTPConnection(scope), resources)))
        principal = await resources.authenticator.authenticate(token)
    remember_principal(scope, principal)
    return principal


async def require_principal(
    request: Request,
    resources: ResourcesDep,
    _: Annotated[object, Depends(_bearer)],
    __: Annotated[object, Depends(_password)],
) -> Principal | None:
    """Authenticates every route, except those that their feature lists as public."""
    if is_public(request):
        set_current_tenant(unauthenticated(client_address(request, resources)))
        return None
    return await known_principal(resources, request.headers.get("authorization"), request.scope)


async def get_principal(principal: Annotated[Principal | None, Depends(require_principal)]) -> Principal:
    if principal is None:
        raise NotAuthenticatedError
    return principal


PrincipalDep = Annotated[Principal, Depends(get_principal)]


async def get_person(principal: PrincipalDep) -> Principal:
    """Requires a user: resources of an account are not open to project keys."""
    if principal.kind is not PrincipalKind.USER:
        raise PersonRequiredError
    return principal


PersonDep = Annotated[Principal, Depends(get_person)]


async def get_session(resources: ResourcesDep) -> AsyncIterator[AsyncSession]:
    async with resources.sessions.begin() as session:
        yield session


async def get_read_session(resources: ResourcesDep) -> AsyncIterator[AsyncReadSession]:
    async with resources.sessions.read() as session:
        yield session


# Scope "function": the commit precedes the answer, so a failed commit is never a 200.
SessionDep = Annotated[AsyncSession, Depends(get_session, scope="function")]
ReadSessionDep = Annotated[AsyncReadSession, Depends(get_read_session, scope="function")]


async def get_principal_session(session: SessionDep, principal: PrincipalDep) -> AsyncSession:
    await bind_principal(session, principal)
    return session


async def get_principal_read_session(session: ReadSessionDep, principal: PrincipalDep) -> AsyncReadSession:
    await bind_principal(session, principal)
    return session


PrincipalSessionDep = Annotated[AsyncSession, Depends(get_principal_session, scope="function")]
PrincipalReadSessionDep = Annotated[AsyncReadSession, Depends(get_principal_read_session, scope="function")]


async def get_project_scope(project_id: UUID, session: SessionDep, principal: PrincipalDep) -> SharedScope:
    return await open_shared_scope(session, principal, project_id, accepting=True)


async def get_credential(request: Request, resources: ResourcesDep, _: PrincipalDep) -> VerifiedCredential:
    token = bearer_token(request.headers.get("authorization"))
    assert token is not None
    return await resources.authenticator.verify(token)


CredentialDep = Annotated[VerifiedCredential, Depends(get_credential)]


async def get_locking_project_scope(project_id: UUID, credential: CredentialDep, session: SessionDep) -> UnlockedScope:
    bind_credential(session, credential)
    return await open_scope(session, credential.principal, project_id)


async def get_read_project_scope(project_id: UUID, session: ReadSessionDep, principal: PrincipalDep) -> ProjectScope:
    return await open_scope(session, principal, project_id)


# The scope of a route that writes (binds SessionDep's transaction), of one that also locks the project exclusively, and
# of one that reads (binds ReadSessionDep's).
ProjectScopeDep = Annotated[SharedScope, Depends(get_project_scope, scope="function")]
LockingProjectScopeDep = Annotated[UnlockedScope, Depends(get_locking_project_scope, scope="function")]
ReadProjectScopeDep = Annotated[ProjectScope, Depends(get_read_project_scope, scope="function")]


async def get_large_answers(resources: ResourcesDep) -> LargeAnswers:
    return resources.answers


async def get_backpressure(resources: ResourcesDep) -> Backpressure:
    return resources.backpressure


BackpressureDep = Annotated[Backpressure, Depends(get_backpressure)]

LargeAnswersDep = Annotated[LargeAnswers, Depends(get_large_answers)]


async def get_scoped_reader(resources: ResourcesDep, principal: PrincipalDep) -> ScopedReader:
    return resources.reader(principal)


IDEMPOTENCY_KEY: Final = "idempotency-key"


async def get_keyed_session(request: Request, resources: ResourcesDep) -> AsyncIterator[AsyncSession | None]:
    """A transaction for the idempotency record and the work; None for a request without a key."""
    if IDEMPOTENCY_KEY not in request.headers:
        yield None
        return
    async with resources.sessions.begin() as session:
        yield session


KeyedSessionDep = Annotated[AsyncSession | None, Depends(get_keyed_session, scope="function")]


async def get_scoped_writer(resources: ResourcesDep, principal: PrincipalDep, session: KeyedSessionDep) -> ScopedWriter:
    """Writes in a single statement, unless the request's idempotency record must be in the same transaction."""
    return resources.writer(principal, session)


ScopedReaderDep = Annotated[ScopedReader, Depends(get_scoped_reader)]
ScopedWriterDep = Annotated[ScopedWriter, Depends(get_scoped_writer, scope="function")]
