from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import Final
from uuid import UUID

from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwt import JWTClaimsRegistry

from partywall.core.clock import unix_time
from partywall.core.errors import NotAuthenticatedError
from partywall.core.ids import new_id
from partywall.core.security.keys import ALGORITHM, KeyRing
from partywall.core.tenancy import Principal

AUDIENCE: Final = "partywall"
TOKEN_TYPE: Final = "at+jwt"  # noqa: S105 - the name of a kind of token
_LEEWAY: Final = 0
_MAX_TOKEN_LENGTH: Final = 4096


class TokenCache:
    """Verified tokens until they expire; the least recently used leave first."""

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._known: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    def get(self, token: str) -> Principal | None:
        entry = self._known.get(token)
        if entry is None:
            return None
        if entry[0] <= unix_time():
            del self._known[token]
            return None
        return entry[1]

    def put(self, token: str, expires_at: float, principal: Principal) -> None:
        self._known[token] = (expires_at, principal)
        if len(self._known) > self._size:
            self._known.popitem(last=False)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    token: str
    expires_in: int


class AccessTokens:
    """Issues and verifies our own access tokens: ES256, exact issuer, audience and type."""

    def __init__(self, keys: KeyRing, issuer: str, ttl: timedelta) -> None:
        self._keys = keys
        self._issuer = issuer
        self._ttl = int(ttl.total_seconds())
        self._cache = TokenCache()
        self._claims = JWTClaimsRegistry(
            leeway=_LEEWAY,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            iat={"essential": True},
            sub={"essential": True},
            sid={"essential": True},
        )

    async def issue(self, user_id: UUID, session_id: UUID) -> IssuedToken:
        keys = await self._keys.load()
        now = int(unix_time())
        claims = {
            "iss": self._issuer, "aud": AUDIENCE, "sub": str(user_id), "sid": str(session_id),
            "iat": now, "exp": now + self._ttl, "jti": str(new_id()),
        }  # fmt: skip
        header = {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": keys.signing.kid}
        return IssuedToken(jwt.encode(header, claims, keys.signing, algorithms=[ALGORITHM]), self._ttl)

    def cached(self, token: str) -> Principal | None:
        return self._cache.get(token)

    async def authenticate(self, token: str) -> Principal:
        """The user of a valid token; raises NotAuthenticatedError without saying what was wrong."""
        if len(token) > _MAX_TOKEN_LENGTH:
            raise NotAuthenticatedError
        try:
            header = jws.extract_compact(token.encode()).headers()
            keys = await self._keys.load_for(str(header.get("kid")))
            decoded = jwt.decode(token, keys.verifying, algorithms=[ALGORITHM])
            if decoded.header.get("typ") != TOKEN_TYPE:
                raise NotAuthenticatedError
            self._claims.validate(decoded.claims)
            principal = Principal.user(UUID(decoded.claims["sub"]))
        except (JoseError, ValueError, TypeError, AttributeError, UnicodeError) as error:
            raise NotAuthenticatedError from error
        self._cache.put(token, float(decoded.claims["exp"]), principal)
        return principal

    async def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys in force, as a JWK set."""
        keys = await self._keys.load()
        public = [key.as_dict(private=False) for key in keys.verifying.keys]
        return {"keys": [{name: str(value) for name, value in key.items()} for key in public]}
