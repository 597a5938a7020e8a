from __future__ import annotations

from collections import Counter
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query, Request, Response, status
from pydantic import JsonValue

from partywall.core.http.dependencies import ResourcesDep
from partywall.core.http.problems import documented
from partywall.core.http.responses import json_response
from partywall.core.identity_providers import ProviderUnavailableError
from partywall.core.security.one_time import OneTimeValuesUnavailableError
from partywall.features.accounts.dependencies import UserAgentDep
from partywall.features.accounts.exceptions import NO_STORE, RegistrationClosedError, TooManyAttemptsError
from partywall.features.accounts.schemas import TokenAnswer
from partywall.features.identities.dependencies import ExternalLoginsDep, IdentityLoginServiceDep, ProofDep
from partywall.features.identities.exceptions import (
    AccountDisabledError,
    AddressUnconfirmedError,
    AddressUnverifiedError,
    InvalidCodeError,
    LoginStateError,
    ProviderNotFoundError,
    ReturnAddressError,
)
from partywall.features.identities.schemas import LoginAnswer, LoginStart, Provider, ProviderList

router = APIRouter(prefix="/auth/oauth", tags=["accounts"])

ProviderName = Annotated[str, Path(description="A provider's name in the settings, such as google.")]

_REDIRECT: Final = status.HTTP_303_SEE_OTHER
_LOCATION: Final[dict[int | str, dict[str, JsonValue]]] = {
    _REDIRECT: {
        "description": "Where the browser is sent",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
    }
}
# The cookie belongs to this host alone, and no other can set it. Browsers accept the prefix over https only.
_HOST_ONLY: Final = "__Host-"


@router.get("", summary="List the identity providers", description="Those at which one can log in to this server.")
async def list_identity_providers(resources: ResourcesDep) -> ProviderList:
    return ProviderList(
        items=[Provider(name=name, title=title) for name, title in resources.identity_providers.titles()]
    )


@router.get(
    "/{provider}/authorize",
    status_code=_REDIRECT,
    response_class=Response,
    summary="Begin a login at an identity provider",
    description=(
        "For the browser's address bar. It returns to `return_to` with `code`, to be sent with the code verifier to"
        " `POST /auth/oauth/token` or `POST /users/me/identities`, or with `error` of RFC 6749; and with `state`."
    ),
    responses=_LOCATION
    | documented(
        ReturnAddressError, ProviderNotFoundError, TooManyAttemptsError, ProviderUnavailableError,
        OneTimeValuesUnavailableError,
    ),
)  # fmt: skip
async def begin_external_login(
    provider: ProviderName, wanted: Annotated[LoginStart, Query()], logins: ExternalLoginsDep
) -> Response:
    started = await logins.start(provider, wanted)
    answer = _redirect(started.url)
    secure = logins.callbacks.startswith("https://")
    answer.set_cookie(
        _prefix(logins.callbacks) + started.cookie, started.secret, max_age=int(logins.login_ttl.total_seconds()),
        path="/", secure=secure, httponly=True, samesite="lax",
    )  # fmt: skip
    return answer


@router.get(
    "/{provider}/callback",
    status_code=_REDIRECT,
    response_class=Response,
    summary="Receive an identity provider's answer",
    description="The provider sends the browser here. It is sent on to where the login was to return.",
    responses=_LOCATION
    | documented(
        LoginStateError, ProviderNotFoundError, TooManyAttemptsError, OneTimeValuesUnavailableError
    ),
)  # fmt: skip
async def end_external_login(
    provider: ProviderName, answer: Annotated[LoginAnswer, Query()], logins: ExternalLoginsDep, request: Request
) -> Response:
    times = Counter(name for name, _ in request.query_params.multi_items())
    if any(times[name] > 1 for name in LoginAnswer.model_fields):
        raise LoginStateError
    prefix = _prefix(logins.callbacks)
    ended = await logins.end(provider, answer, request.cookies, prefix)
    redirect = _redirect(ended.url)
    redirect.delete_cookie(prefix + ended.cookie, path="/", secure=prefix == _HOST_ONLY, httponly=True, samesite="lax")
    return redirect


@router.post(
    "/token",
    response_model=TokenAnswer,
    summary="Exchange the code of a login for tokens",
    description=(
        "Logs in to the account with this identity. An unknown identity is linked to the account with its address if"
        " both sides have verified it, or gets a new account if anyone may register."
    ),
    responses=documented(
        InvalidCodeError, AddressUnverifiedError, AccountDisabledError, RegistrationClosedError,
        AddressUnconfirmedError, TooManyAttemptsError, OneTimeValuesUnavailableError,
    ),
)  # fmt: skip
async def redeem_login_code(
    proved: ProofDep,
    service: IdentityLoginServiceDep,
    user_agent: UserAgentDep,
) -> Response:
    pair = await service.log_in(proved, user_agent)
    tokens = TokenAnswer(
        access_token=pair.access_token,
        token_type="bearer",  # noqa: S106 - a token type, not a secret
        expires_in=pair.expires_in,
        refresh_token=pair.refresh_token,
    )
    return json_response(tokens, headers=NO_STORE)


def _prefix(callbacks: str) -> str:
    return _HOST_ONLY if callbacks.startswith("https://") else ""


def _redirect(url: str) -> Response:
    return Response(status_code=_REDIRECT, headers={**NO_STORE, "Location": url})
