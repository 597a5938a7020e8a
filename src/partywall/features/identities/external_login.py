"""The way through a provider and back: from a client's request to a code that proves an identity once."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from urllib.parse import urlencode

import structlog

from partywall.core.identity_providers import (
    ExternalIdentity,
    IdentityProvider,
    IdentityProviders,
    LoginRequest,
    ProviderRefusedError,
    ProviderUnavailableError,
)
from partywall.core.security.one_time import OneTimeValues, new_secret
from partywall.core.security.opaque_tokens import token_text
from partywall.features.accounts.limits import ClientLimits, Kind
from partywall.features.identities.exceptions import LoginStateError, ProviderNotFoundError, ReturnAddressError
from partywall.features.identities.repository import ProvedIdentity
from partywall.features.identities.schemas import LoginAnswer, LoginStart
from partywall.features.identities.verified_profile import usable_address, usable_name

log = structlog.get_logger(__name__)

_COOKIE: Final = "partywall-login-"
_NAMED: Final = 16
# Error codes of RFC 6749 for the client. No text of the provider is passed on.
DENIED: Final = "access_denied"
AWAY: Final = "temporarily_unavailable"
FAILED: Final = "server_error"


@dataclass(frozen=True, slots=True)
class StartedLogin:
    """Where to send the browser, and the cookie that binds the login to it."""

    url: str
    cookie: str
    secret: str


@dataclass(frozen=True, slots=True)
class EndedLogin:
    """Where to send the browser back, and the cookie to delete."""

    url: str
    cookie: str


@dataclass(frozen=True, slots=True)
class _Login:
    """What is kept between both ends of a login."""

    provider: str
    nonce: str
    code_verifier: str
    return_to: str
    code_challenge: str
    client_state: str | None


@dataclass(frozen=True, slots=True)
class ExternalLogins:
    """Waits for providers and for the cache: call it outside a transaction.

    `callbacks` is the address below which each provider has its own callback, so that no answer of one provider is
    taken for that of another.
    """

    providers: IdentityProviders
    logins: OneTimeValues
    proofs: OneTimeValues
    limits: ClientLimits
    return_addresses: frozenset[str]
    callbacks: str
    login_ttl: timedelta
    code_ttl: timedelta

    async def start(self, name: str, wanted: LoginStart) -> StartedLogin:
        """Raises ProviderNotFoundError, ReturnAddressError, TooManyAttemptsError or an UnavailableError."""
        provider = self._provider(name)
        if wanted.return_to not in self.return_addresses:
            raise ReturnAddressError
        await self.limits.admit(Kind.EXTERNAL_LOGIN)
        state, browser = new_secret(), new_secret()
        request = LoginRequest(self._callback(name), state, new_secret(), new_secret())
        url = await provider.authorization_url(request)
        login = [
            name, request.nonce, request.code_verifier, wanted.return_to, wanted.code_challenge, wanted.state,
        ]  # fmt: skip
        await self.logins.put(_in_browser(state, browser), [*login], self.login_ttl)
        return StartedLogin(url, cookie_of(state), browser)

    async def end(self, name: str, answer: LoginAnswer, cookies: Mapping[str, str], prefix: str) -> EndedLogin:
        """Checks a provider's answer. Its failures are reported to the client, too.

        Raises ProviderNotFoundError, TooManyAttemptsError or OneTimeValuesUnavailableError; LoginStateError if no login
        of this browser at this provider waits for the answer.
        """
        provider = self._provider(name)
        await self.limits.require_no_guessing()
        state = answer.state or ""
        login = await self._waiting(state, cookies.get(prefix + cookie_of(state), ""))
        if login is None or login.provider != name:
            await self.limits.count_guess()
            raise LoginStateError
        try:
            identity = await self._identity(provider, login, state, answer)
            result = {"code": await self._keep(login, identity)} if identity else {"error": DENIED}
        except ProviderRefusedError as error:
            log.warning("identity_not_proved", provider=name, reason=str(error))
            result = {"error": FAILED}
        except ProviderUnavailableError:
            result = {"error": AWAY}
        return EndedLogin(_with(login, result), cookie_of(state))

    async def redeem(self, code: str, code_verifier: str) -> ProvedIdentity | None:
        """The identity that the code proves, once. None if the code or the verifier is not valid.

        Raises TooManyAttemptsError or OneTimeValuesUnavailableError.
        """
        await self.limits.require_no_guessing()
        value = await self.proofs.take(code)
        if isinstance(value, list):
            challenge, *identity = value
            if hmac.compare_digest(str(challenge), challenge_of(code_verifier)):
                return ProvedIdentity(*identity)  # type: ignore[arg-type]  # as `_keep` has written it
        await self.limits.count_guess()
        return None

    async def _waiting(self, state: str, browser: str) -> _Login | None:
        if not state or not browser:
            return None
        value = await self.logins.take(_in_browser(state, browser))
        return _Login(*value) if isinstance(value, list) else None  # type: ignore[arg-type]  # as `start` has written it

    async def _identity(
        self, provider: IdentityProvider, login: _Login, state: str, answer: LoginAnswer
    ) -> ExternalIdentity | None:
        """None if the person has refused."""
        await provider.check_issuer(answer.iss)
        if answer.error == DENIED:
            return None
        if answer.error is not None or not answer.code:
            raise ProviderRefusedError("the provider answered an error, or no code")
        request = LoginRequest(self._callback(login.provider), state, login.nonce, login.code_verifier)
        return await provider.identify(request, answer.code)

    async def _keep(self, login: _Login, identity: ExternalIdentity) -> str:
        code = new_secret()
        value = [
            login.code_challenge, login.provider, identity.issuer, identity.subject, usable_address(identity.address),
            usable_name(identity.name),
        ]  # fmt: skip
        await self.proofs.put(code, [*value], self.code_ttl)
        return code

    def _provider(self, name: str) -> IdentityProvider:
        provider = self.providers.find(name)
        if provider is None:
            raise ProviderNotFoundError
        return provider

    def _callback(self, name: str) -> str:
        return f"{self.callbacks}/{name}/callback"


def cookie_of(state: str) -> str:
    """Each login has its own cookie, so that several tabs do not disturb each other."""
    return _COOKIE + hashlib.sha256(state.encode("utf-8", "replace")).hexdigest()[:_NAMED]


def challenge_of(code_verifier: str) -> str:
    return token_text(hashlib.sha256(code_verifier.encode("ascii", "replace")).digest())


def _in_browser(state: str, browser: str) -> str:
    return f"{state} {browser}"


def _with(login: _Login, result: Mapping[str, str]) -> str:
    state = {} if login.client_state is None else {"state": login.client_state}
    separator = "&" if "?" in login.return_to else "?"
    return f"{login.return_to}{separator}{urlencode({**result, **state})}"
