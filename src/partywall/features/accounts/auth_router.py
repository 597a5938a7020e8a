from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, assert_never
from uuid import UUID

from fastapi import APIRouter, Form, Query, Request, Response, status

from partywall.core.http.dependencies import PersonDep, PrincipalReadSessionDep
from partywall.core.http.fast_path.declaration import fast_form
from partywall.core.http.oauth import OAuthRoute, repeated_parameters
from partywall.core.http.pagination import CursorsDep
from partywall.core.http.problems import documented, problem_of
from partywall.core.http.responses import json_response
from partywall.core.resources import Resources
from partywall.core.schemas import Page
from partywall.features.accounts import service as accounts
from partywall.features.accounts.counted_password import locked_error
from partywall.features.accounts.dependencies import (
    CurrentSessionDep,
    LoginServiceDep,
    RefreshServiceDep,
    RegistrationLimit,
    RegistrationServiceDep,
    SessionServiceDep,
    UserAgentDep,
    refresh_service,
)
from partywall.features.accounts.exceptions import (
    NO_STORE,
    InvalidGrantError,
    InvalidRefreshTokenError,
    InvalidRequestError,
    LoginLockedError,
    OAuthError,
    RegistrationClosedError,
    SessionNotFoundError,
    TooManyAttemptsError,
    UnsupportedGrantTypeError,
)
from partywall.features.accounts.limits import ClientLimits
from partywall.features.accounts.login import LoginOutcome
from partywall.features.accounts.refresh import RefreshOutcome, Reused
from partywall.features.accounts.schemas import (
    Accepted,
    Registration,
    RevocationForm,
    Revoked,
    Session,
    SessionQuery,
    TokenAnswer,
    TokenForm,
)
from partywall.features.accounts.token_grant import GrantRefused, LockedOut, TokenPair


class FormRoute(OAuthRoute):
    malformed = InvalidRequestError


router = APIRouter(prefix="/auth", tags=["accounts"])
forms = APIRouter(prefix="/auth", tags=["accounts"], route_class=FormRoute)


@router.post(
    "/register",
    status_code=status.HTTP_202_ACCEPTED,
    dependencies=[RegistrationLimit],
    summary="Register",
    description="The answer and its timing do not depend on whether the address is known.",
    responses=documented(RegistrationClosedError, TooManyAttemptsError),
)
async def register_account(body: Registration, service: RegistrationServiceDep) -> Accepted:
    await service.register(body)
    return Accepted(status="accepted")


async def _refresh(request: Request, resources: Resources, client: str, fields: Mapping[str, str]) -> Response:
    """The most frequent case of `issue_token`."""
    service = refresh_service(resources, ClientLimits(resources.attempts, client))
    return _answer(request, await service.refresh(fields["refresh_token"]), InvalidRefreshTokenError())


@forms.post(
    "/token",
    response_model=TokenAnswer,
    summary="Get an access token",
    description=(
        "RFC 6749. `grant_type=password` takes an address and a password, `grant_type=refresh_token` a refresh token."
        " The answer contains the next refresh token. If the answer is lost, the same request returns the same token"
        " again. Once the next token has been used, presenting its predecessor ends the session."
    ),
    responses=documented(
        InvalidRequestError, UnsupportedGrantTypeError, InvalidGrantError, LoginLockedError, TooManyAttemptsError
    ),
)
@fast_form(_refresh, fixed={"grant_type": "refresh_token"}, names=("refresh_token",))
async def issue_token(
    request: Request,
    form: Annotated[TokenForm, Form()],
    login: LoginServiceDep,
    refresh: RefreshServiceDep,
    user_agent: UserAgentDep,
) -> Response:
    await _refuse_repeats(request)
    match form.grant_type:
        case "password" if form.username is not None and form.password is not None:
            return _answer(request, await login.log_in(form.username, form.password, user_agent), InvalidGrantError())
        case "refresh_token" if form.refresh_token is not None:
            return _answer(request, await refresh.refresh(form.refresh_token), InvalidRefreshTokenError())
        case None | "password" | "refresh_token":
            raise InvalidRequestError
        case _:
            raise UnsupportedGrantTypeError


@forms.post(
    "/revoke",
    summary="Revoke a token",
    description="RFC 7009: ends the session of a refresh or access token. An unknown token gets the same answer.",
    responses=documented(InvalidRequestError, TooManyAttemptsError),
)
async def revoke_token(
    request: Request, form: Annotated[RevocationForm, Form()], service: RefreshServiceDep
) -> Revoked:
    await _refuse_repeats(request)
    if form.token is None:
        raise InvalidRequestError
    await service.revoke(form.token)
    return Revoked(status="revoked")


@router.get("/sessions", summary="List the caller's sessions", description="Only sessions that can be refreshed.")
async def list_sessions(
    current: CurrentSessionDep,
    session: PrincipalReadSessionDep,
    principal: PersonDep,
    query: Annotated[SessionQuery, Query()],
    cursors: CursorsDep,
) -> Page[Session]:
    return await accounts.list_sessions(session, principal.id, current, query, cursors)


@router.delete(
    "/sessions/{session_id}",
    status_code=status.HTTP_204_NO_CONTENT,
    summary="End a session",
    description="Its refresh token is refused at once, its access tokens within seconds.",
    responses=documented(SessionNotFoundError),
)
async def revoke_session(session_id: UUID, service: SessionServiceDep) -> None:
    await service.revoke(session_id)


async def _refuse_repeats(request: Request) -> None:
    if await repeated_parameters(request):
        raise InvalidRequestError


def _answer(request: Request, outcome: LoginOutcome | RefreshOutcome, refusal: OAuthError) -> Response:
    """Return refusals instead of raising them: their counts and revocations must be committed."""
    match outcome:
        case TokenPair(access_token, expires_in, refresh_token):
            tokens = TokenAnswer(
                access_token=access_token,
                token_type="bearer",  # noqa: S106 - a token type, not a secret
                expires_in=expires_in,
                refresh_token=refresh_token,
            )
            return json_response(tokens, headers=NO_STORE)
        case GrantRefused() | Reused():
            return problem_of(request, refusal)
        case LockedOut():
            return problem_of(request, locked_error(outcome))
        case never:
            assert_never(never)
