"""The signing keys of our own tokens: made on first start, kept in the database, private halves sealed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson
from joserfc.jwk import ECKey, KeySet
from sqlalchemy import func, or_, select, text, update

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession, Sessions
from partywall.core.security.models import SigningKey
from partywall.core.security.secrets import SecretBox

ALGORITHM: Final = "ES256"
_REFRESH_EVERY: Final = 60.0
_MISS_PAUSE: Final = 5.0
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext('partywall.signing_key'))")


@dataclass(frozen=True, slots=True)
class LoadedKeys:
    signing: ECKey
    verifying: KeySet
    at: float


def _make(box: SecretBox, active_at: datetime) -> SigningKey:
    key = ECKey.generate_key("P-256", parameters={"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return SigningKey(
        kid=str(key.kid),
        public_jwk=dict(key.as_dict(private=False)),
        sealed_private_jwk=box.seal(orjson.dumps(key.as_dict(private=True))),
        active_at=active_at,
    )


async def rotate(session: AsyncSession, box: SecretBox, *, overlap: timedelta) -> str:
    """Adds a key that signs at once and lets the former ones verify for `overlap` more; answers the new kid."""
    await session.execute(_LOCK)
    now = utc_now()
    await session.execute(update(SigningKey).where(SigningKey.retired_at.is_(None)).values(retired_at=now + overlap))
    made = _make(box, now)
    session.add(made)
    return made.kid


@dataclass(slots=True)
class KeyRing:
    """The keys in force, read again every minute and when a token names a key that is not known yet."""

    sessions: Sessions
    box: SecretBox
    _loaded: LoadedKeys | None = None
    _missed_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def load(self) -> LoadedKeys:
        """The keys in force, at most a minute old; makes the first key where there is none."""
        loaded = self._loaded
        if loaded is None or time.monotonic() - loaded.at > _REFRESH_EVERY:
            async with self._lock:
                if self._loaded is loaded:
                    self._loaded = await self._read()
                loaded = self._loaded
        assert loaded is not None
        return loaded

    async def load_for(self, kid: str) -> LoadedKeys:
        """Like `load`, reading again for an unknown kid, though not at the pace of a forger."""
        loaded = await self.load()
        known = any(key.kid == kid for key in loaded.verifying.keys)
        if not known and time.monotonic() - self._missed_at > _MISS_PAUSE:
            self._missed_at = time.monotonic()
            async with self._lock:
                self._loaded = loaded = await self._read()
        return loaded

    async def _read(self) -> LoadedKeys:
        async with self.sessions.begin() as session:
            rows = await self._in_force(session)
            if not any(row.retired_at is None for row in rows):
                await session.execute(_LOCK)
                rows = await self._in_force(session)
                if not any(row.retired_at is None for row in rows):
                    session.add(_make(self.box, utc_now()))
                    await session.flush()
                    rows = await self._in_force(session)
        newest = next(row for row in rows if row.retired_at is None)
        signing = ECKey.import_key(orjson.loads(self.box.open(newest.sealed_private_jwk)))
        verifying = KeySet([ECKey.import_key(dict(row.public_jwk)) for row in rows])  # type: ignore[arg-type]  # a JWK, typed as any JSON
        return LoadedKeys(signing, verifying, time.monotonic())

    async def _in_force(self, session: AsyncSession) -> list[SigningKey]:
        found = await session.scalars(
            select(SigningKey)
            .where(or_(SigningKey.retired_at.is_(None), SigningKey.retired_at > func.now()))
            .order_by(SigningKey.active_at.desc())
        )
        return list(found)
