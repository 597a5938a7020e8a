"""Access tokens of a Supabase project: a second trusted issuer, switched on by settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol
from uuid import UUID

import structlog
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OctKey
from joserfc.jwt import JWTClaimsRegistry, Token, decode

from partywall.core.clock import unix_time
from partywall.core.errors import InvalidTokenError, UnavailableError
from partywall.core.security.authentication import NEVER, VerifiedCredential
from partywall.core.security.credential_cache import CredentialCache
from partywall.core.security.remote_keys import KeyFetchError, RemoteKeys, UnreadableKeysError, UnverifiedTokenError
from partywall.core.tenancy import Principal

log = structlog.get_logger(__name__)

_LEGACY: Final = "HS256"
# The audience and the role of a user who has logged in. The project's own keys have the roles anon and service_role.
_AUTHENTICATED: Final = "authenticated"
_CLOCK_SKEW: Final = 30
_MOST_TOKEN_BYTES: Final = 8 * 1024
# Tokens have a kilobyte and more.
_CACHED: Final = 5_000


class IssuerUnavailableError(UnavailableError):
    """The keys of the issuer cannot be fetched, so its token can be neither accepted nor refused."""

    code = "issuer_unavailable"
    title = "The issuer of the token does not answer"

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "10"})


@dataclass(frozen=True, slots=True)
class SupabaseUser:
    """What a token says. `address` is whatever the project has on record."""

    subject: UUID
    session_id: UUID
    address: str | None
    expires_at: float


class SupabaseAccounts(Protocol):
    async def account_of(self, user: SupabaseUser) -> UUID | None:
        """The local account, made when the user is first seen; None if account or session are not valid."""
        ...


class SupabaseTokens:
    """Verifies tokens by the keys that the project publishes, and with the legacy secret only those that name its
    algorithm. What a user can write (`user_metadata`) is never read.
    """

    def __init__(self, issuer: str, keys: RemoteKeys, secret: str | None, accounts: SupabaseAccounts) -> None:
        self._keys = keys
        self._secret = None if secret is None else OctKey.import_key(secret)
        self._accounts = accounts
        self._cache = CredentialCache[str, VerifiedCredential](_CACHED)
        self._claims = JWTClaimsRegistry(
            leeway=_CLOCK_SKEW,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": _AUTHENTICATED},
            role={"essential": True, "value": _AUTHENTICATED},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            session_id={"essential": True},
        )

    def cached(self, token: str) -> Principal | None:
        verified = self._cache.get(token)
        return None if verified is None else verified.principal

    async def authenticate(self, token: str) -> Principal:
        return (await self.verify(token)).principal

    async def verify(self, token: str) -> VerifiedCredential:
        """Raises InvalidTokenError or IssuerUnavailableError."""
        known = self._cache.get(token)
        if known is not None:
            return known
        moment = self._cache.moment
        user = self._read(await self._decoded(token))
        account_id = await self._accounts.account_of(user)
        if account_id is None:
            raise InvalidTokenError
        verified = VerifiedCredential(Principal.user(account_id), user.expires_at, user.session_id)
        self._cache.put(token, verified, moment)
        return verified

    def drop_account(self, account_id: UUID) -> None:
        self._cache.forget(lambda verified: verified.principal.id == account_id)

    async def _decoded(self, token: str) -> Token:
        try:
            if _header(token).get("alg") == _LEGACY:
                return self._by_secret(token)
            return await self._keys.verify(token)
        except UnverifiedTokenError as error:
            raise InvalidTokenError from error
        except (KeyFetchError, UnreadableKeysError) as error:
            log.warning("supabase_keys_unavailable")
            raise IssuerUnavailableError from error

    def _by_secret(self, token: str) -> Token:
        if self._secret is None:
            raise UnverifiedTokenError("no legacy secret is configured")
        try:
            return decode(token, self._secret, algorithms=[_LEGACY])
        except (JoseError, ValueError, TypeError, LookupError) as error:
            raise UnverifiedTokenError("the signature is not valid") from error

    def _read(self, token: Token) -> SupabaseUser:
        claims = token.claims
        try:
            self._claims.validate(claims)
            if claims["aud"] != _AUTHENTICATED or claims["iat"] > unix_time() + _CLOCK_SKEW:
                raise InvalidTokenError
            if claims.get("is_anonymous", False) is not False:
                raise InvalidTokenError
            address, expires_at = claims.get("email"), min(float(claims["exp"]), NEVER)
            subject, session_id = UUID(claims["sub"]), UUID(claims["session_id"])
        except (JoseError, ValueError, TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise InvalidTokenError from error
        return SupabaseUser(subject, session_id, address if isinstance(address, str) else None, expires_at)


def names_type(token: str, kind: str) -> bool:
    """Whether the header of a token names this type; false for what is no token."""
    try:
        return _header(token).get("typ") == kind
    except UnverifiedTokenError:
        return False


def _header(token: str) -> dict[str, object]:
    if len(token) > _MOST_TOKEN_BYTES:
        raise UnverifiedTokenError("the token is too long")
    try:
        return dict(jws.extract_compact(token.encode("ascii")).headers())
    except (JoseError, ValueError, TypeError, AttributeError) as error:
        raise UnverifiedTokenError("not a token") from error
