from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import InvalidClaimError, JoseError
from joserfc.jwt import JWTClaimsRegistry, Token

from partywall.core.clock import unix_time
from partywall.core.errors import InvalidTokenError
from partywall.core.ids import new_id
from partywall.core.security.authentication import VerifiedCredential
from partywall.core.security.credential_cache import CredentialCache
from partywall.core.security.keys import ALGORITHM, KeyRing
from partywall.core.security.revocations import Revocation, Revoked, Tell, ignore_revocation
from partywall.core.tenancy import Principal

AUDIENCE: Final = "partywall"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the name of a kind of token
_MAX_TOKEN_LENGTH: Final = 4096
_HEADERS: Final = frozenset({"alg", "typ", "kid"})
_CLOCK_SKEW: Final = 30

type IsNotRevoked = Callable[[UUID, UUID], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class VerifiedToken(VerifiedCredential):
    """The contents of a verified access token."""

    session_id: UUID


@dataclass(frozen=True, slots=True)
class IssuedToken:
    token: str
    expires_in: int


class _Claims(JWTClaimsRegistry):
    """Allows for clock skew between the process that issued a token and the one that verifies it."""

    def validate_iat(self, value: object) -> None:
        if not isinstance(value, int) or value > self.now + _CLOCK_SKEW:
            raise InvalidClaimError("iat", "issued in the future")


class AccessTokens:
    """Issues and verifies access tokens: ES256, exact issuer, audience and type.

    `is_not_revoked` checks an account and its session when a token is first seen, then every few seconds; not on each
    request.
    """

    def __init__(
        self, keys: KeyRing, issuer: str, ttl: timedelta, is_not_revoked: IsNotRevoked, tell: Tell = ignore_revocation
    ) -> None:
        self._keys = keys
        self._issuer = issuer
        self._ttl = int(ttl.total_seconds())
        self._is_not_revoked = is_not_revoked
        self._tell = tell
        self._cache = CredentialCache[str, VerifiedToken]()
        self._claims = _Claims(
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            sid={"essential": True},
        )

    @property
    def ttl(self) -> timedelta:
        """How long a token is valid."""
        return timedelta(seconds=self._ttl)

    async def prepare(self) -> None:
        """Loads the keys, for a caller that will issue a token while it holds a connection."""
        await self._keys.load()

    async def issue(self, user_id: UUID, session_id: UUID) -> IssuedToken:
        key = (await self._keys.load()).signing()
        now = int(unix_time())
        claims = {
            "iss": self._issuer, "aud": AUDIENCE, "sub": str(user_id), "sid": str(session_id),
            "iat": now, "exp": now + self._ttl, "jti": str(new_id()),
        }  # fmt: skip
        header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": key.kid}
        return IssuedToken(jwt.encode(header, claims, key, algorithms=[ALGORITHM]), self._ttl)

    def cached(self, token: str) -> Principal | None:
        verified = self._cache.get(token)
        return None if verified is None else verified.principal

    async def authenticate(self, token: str) -> Principal:
        """The user of a valid token; raises InvalidTokenError without the reason."""
        return (await self.verify(token)).principal

    async def verify(self, token: str) -> VerifiedToken:
        """The principal and session of a valid token; raises InvalidTokenError."""
        known = self._cache.get(token)
        if known is not None:
            return known
        moment = self._cache.moment
        verified = await self._decode(token)
        if not await self._is_not_revoked(verified.principal.id, verified.session_id):
            raise InvalidTokenError
        self._cache.put(token, verified, moment)
        return verified

    def forget_session(self, session_id: UUID) -> None:
        """Makes a revoked session invalid: here and where the message arrives at once, elsewhere within seconds."""
        self.drop_session(session_id)
        self._tell(Revocation(Revoked.SESSION, session_id))

    def forget_account(self, account_id: UUID) -> None:
        """The same for all sessions of an account."""
        self.drop_account(account_id)
        self._tell(Revocation(Revoked.ACCOUNT, account_id))

    def drop_session(self, session_id: UUID) -> None:
        """Drops the session's tokens from this process's cache."""
        self._cache.forget(lambda verified: verified.session_id == session_id)

    def drop_account(self, account_id: UUID) -> None:
        self._cache.forget(lambda verified: verified.principal.id == account_id)

    def drop_all(self) -> None:
        self._cache.forget(lambda _: True)

    async def jwks(self) -> list[dict[str, str]]:
        """The active public keys."""
        return (await self._keys.load()).public()

    async def _decode(self, token: str) -> VerifiedToken:
        if len(token) > _MAX_TOKEN_LENGTH:
            raise InvalidTokenError
        try:
            key = await self._keys.find(_kid(token))
            if key is None:
                raise InvalidTokenError
            return self._read(jwt.decode(token, key, algorithms=[ALGORITHM]))
        except (JoseError, ValueError, TypeError, LookupError, AttributeError) as error:
            raise InvalidTokenError from error

    def _read(self, decoded: Token) -> VerifiedToken:
        self._claims.validate(decoded.claims)
        user_id, session_id = UUID(decoded.claims["sub"]), UUID(decoded.claims["sid"])
        return VerifiedToken(Principal.user(user_id), float(decoded.claims["exp"]), session_id)


def _kid(token: str) -> str:
    """The key id in the token's header; raises ValueError or TypeError unless the header has the form of ours."""
    header = jws.extract_compact(token.encode("ascii")).headers()
    kid = header.get("kid")
    if header.keys() != _HEADERS or header["alg"] != ALGORITHM or header["typ"] != TOKEN_TYPE:
        raise ValueError("not a header of ours")
    if not isinstance(kid, str):
        raise TypeError("kid is not a string")
    return kid
