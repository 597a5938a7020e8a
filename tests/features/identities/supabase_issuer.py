"""A Supabase project on loopback: its published keys, and tokens as its Auth server makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, RSAKey
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from partywall.core.clock import unix_time
from tests.loopback import served

SECRET = "the legacy secret of a Supabase project"
type SigningKey = ECKey | RSAKey | OctKey


@dataclass
class SupabaseIssuer:
    url: str = ""
    away: bool = False
    asked: int = 0
    ec: ECKey = field(default_factory=lambda: ECKey.generate_key("P-256", parameters={"kid": str(uuid4())}))
    rsa: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, parameters={"kid": str(uuid4())}))

    @property
    def issuer(self) -> str:
        return f"{self.url}/auth/v1"

    async def keys(self, _: Request) -> Response:
        self.asked += 1
        if self.away:
            return Response(status_code=503)
        more = {"use": "sig", "key_ops": ["verify"], "ext": True}
        ec = {**self.ec.as_dict(private=False), "alg": "ES256", **more}
        rsa = {**self.rsa.as_dict(private=False), "alg": "RS256", **more}
        return JSONResponse({"keys": [ec, rsa]})

    def claims(self, subject: str, **changed: object) -> dict[str, object]:
        now = int(unix_time())
        usual = {
            "iss": self.issuer, "sub": subject, "aud": "authenticated", "exp": now + 3600, "iat": now,
            "email": f"{subject}@example.com", "phone": "", "role": "authenticated", "aal": "aal1",
            "app_metadata": {"provider": "email", "providers": ["email"]},
            "user_metadata": {"email": "forged@example.com", "email_verified": True, "role": "service_role"},
            "amr": [{"method": "password", "timestamp": now}], "session_id": str(uuid4()), "is_anonymous": False,
        }  # fmt: skip
        return {name: value for name, value in {**usual, **changed}.items() if value is not None}

    def token(self, subject: str, algorithm: str = "ES256", header: object = None, **changed: object) -> str:
        keys: dict[str, SigningKey] = {"ES256": self.ec, "RS256": self.rsa, "HS256": OctKey.import_key(SECRET)}
        return self.signed(self.claims(subject, **changed), keys[algorithm], algorithm, header)

    def signed(self, claims: dict[str, object], key: SigningKey, algorithm: str, header: object = None) -> str:
        own = {"alg": algorithm, "kid": key.kid or "legacy", "typ": "JWT"}
        more = header if isinstance(header, dict) else {}
        return jwt.encode({**own, **more}, claims, key, algorithms=[algorithm])


@asynccontextmanager
async def supabase_issuer() -> AsyncIterator[SupabaseIssuer]:
    running = SupabaseIssuer()
    routes = [Route("/auth/v1/.well-known/jwks.json", running.keys)]
    async with served(routes) as running.url:
        yield running
