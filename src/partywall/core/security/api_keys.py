"""Project API keys: `pw_<12 characters for lookup>_<256 random bits>`. Only a hash of the whole key is stored."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import string
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, Text, Uuid, bindparam, column, func, select

from partywall.core.db.session import Sessions
from partywall.core.errors import InvalidTokenError
from partywall.core.security.authentication import NEVER, VerifiedCredential
from partywall.core.security.credential_cache import CredentialCache
from partywall.core.security.opaque_tokens import token_hash
from partywall.core.security.revocations import Revocation, Revoked, Tell, ignore_revocation
from partywall.core.tenancy import Principal

BEGINNING: Final = "pw_"
_PREFIX_LENGTH: Final = 12
_SECRET_BYTES: Final = 32
_FORM: Final = re.compile(r"(pw_[0-9A-Za-z]{12})_[0-9A-Za-z_-]{43}")
# An unknown key is compared with this, so that both cases take the same steps.
_NO_KEY: Final = bytes(hashlib.sha256().digest_size)

_FOUND = func.wall.key_credential(bindparam("prefix", type_=Text)).table_valued(
    column("project_id", Uuid), column("key_id", Uuid), column("secret_hash", LargeBinary),
    column("expires_at", DateTime(timezone=True)), name="found",
)  # fmt: skip
_FIND: Final = select(_FOUND.c.project_id, _FOUND.c.key_id, _FOUND.c.secret_hash, _FOUND.c.expires_at)
_ACCOUNT: Final = select(func.wall.owner_account(bindparam("project", type_=Uuid), type_=Uuid))
_USED: Final = select(func.wall.key_used(bindparam("project", type_=Uuid), bindparam("key", type_=Uuid)))


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key: `secret` is shown once, `prefix` may always be shown."""

    secret: str
    prefix: str
    secret_hash: bytes


def new_key() -> NewKey:
    alphabet = string.ascii_letters + string.digits
    prefix = BEGINNING + "".join(secrets.choice(alphabet) for _ in range(_PREFIX_LENGTH))
    secret = f"{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return NewKey(secret, prefix, token_hash(secret))


@dataclass(frozen=True, slots=True)
class _Found:
    project_id: UUID
    key_id: UUID
    secret_hash: bytes
    expires_at: datetime | None


class ApiKeys:
    """Verifies project keys. As for users, the database checks access to the project with every request."""

    def __init__(self, sessions: Sessions, tell: Tell = ignore_revocation) -> None:
        self._sessions = sessions
        self._tell = tell
        self._cache = CredentialCache[bytes, VerifiedCredential]()

    def cached(self, token: str) -> Principal | None:
        verified = self._cache.get(token_hash(token))
        return None if verified is None else verified.principal

    async def authenticate(self, token: str) -> Principal:
        return (await self.verify(token)).principal

    async def verify(self, token: str) -> VerifiedCredential:
        """Raises InvalidTokenError, the same for a key that is malformed, unknown, expired or revoked."""
        form = _FORM.fullmatch(token)
        if form is None:
            raise InvalidTokenError
        presented = token_hash(token)
        known = self._cache.get(presented)
        if known is not None:
            return known
        moment = self._cache.moment
        found = await self._find(form[1])
        matches = hmac.compare_digest(presented, _NO_KEY if found is None else found.secret_hash)
        if found is None or not matches:
            raise InvalidTokenError
        owner = await self._note_use(found)
        expires_at = NEVER if found.expires_at is None else found.expires_at.timestamp()
        verified = VerifiedCredential(Principal.key(found.key_id, owner), expires_at)
        self._cache.put(presented, verified, moment)
        return verified

    def forget(self, key_id: UUID) -> None:
        """Makes a revoked key invalid: here and where the message arrives at once, elsewhere within seconds."""
        self.drop(key_id)
        self._tell(Revocation(Revoked.API_KEY, key_id))

    def drop(self, key_id: UUID) -> None:
        """Drops the key from this process's cache."""
        self._cache.forget(lambda verified: verified.principal.id == key_id)

    async def _find(self, prefix: str) -> _Found | None:
        async with self._sessions.read() as session:
            row = (await session.execute(_FIND, {"prefix": prefix})).one_or_none()
        return None if row is None else _Found(row.project_id, row.key_id, row.secret_hash, row.expires_at)

    async def _note_use(self, found: _Found) -> UUID | None:
        """Records the use. Returns the account that the project, and so the key's use, counts for."""
        async with self._sessions.begin() as session:
            await session.execute(_USED, {"project": found.project_id, "key": found.key_id})
            account: UUID | None = await session.scalar(_ACCOUNT, {"project": found.project_id})
            return account
