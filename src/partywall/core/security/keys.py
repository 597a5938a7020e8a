"""Signing keys of access tokens: created on first start, stored in the database with sealed private keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import orjson
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey
from sqlalchemy import ColumnElement, func, or_, select, text, update

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncReadSession, AsyncSession, Sessions
from partywall.core.security.models import SigningKey
from partywall.core.security.secrets import SecretBox

log = structlog.get_logger(__name__)

ALGORITHM: Final = "ES256"
SIGNING_KEYS: Final = "signing keys"  # the purpose for sealing private keys
# How long a new key is published before it signs, so that all processes and readers of the JWKS know it by then.
PUBLISHED_AHEAD: Final = timedelta(minutes=5)
_REFRESH_EVERY: Final = 60.0
_MISS_PAUSE: Final = 5.0
_LOCK: Final = text("SELECT pg_advisory_xact_lock(hashtext('partywall.signing_key'))")


@dataclass(frozen=True, slots=True)
class ActiveKey:
    key: ECKey
    active_at: datetime
    retired_at: datetime | None


@dataclass(frozen=True, slots=True)
class LoadedKeys:
    keys: Sequence[ActiveKey]
    at: float

    def current(self) -> list[ActiveKey]:
        now = utc_now()
        return [each for each in self.keys if each.retired_at is None or each.retired_at > now]

    def signing(self) -> ECKey:
        """The newest active key, or the next to become active if there is none."""
        now, current = utc_now(), self.current()
        active = [each for each in current if each.active_at <= now]
        newest = max(active, key=_since) if active else min(current, key=_since)
        return newest.key

    def verifying(self, kid: str) -> ECKey | None:
        return next((each.key for each in self.current() if each.key.kid == kid), None)

    def public(self) -> list[dict[str, str]]:
        """The public JWKs."""
        found = [each.key.as_dict(private=False) for each in self.current()]
        return [{name: str(value) for name, value in key.items()} for key in found]


def _since(key: ActiveKey) -> datetime:
    return key.active_at


def _make(box: SecretBox, active_at: datetime) -> SigningKey:
    key = ECKey.generate_key("P-256", parameters={"use": "sig", "alg": ALGORITHM}, auto_kid=True)
    return SigningKey(
        kid=str(key.kid),
        public_jwk=dict(key.as_dict(private=False)),
        sealed_private_jwk=box.seal(orjson.dumps(key.as_dict(private=True))),
        active_at=active_at,
    )


async def rotate(session: AsyncSession, box: SecretBox, *, active_at: datetime, until: datetime) -> str:
    """Adds a key that signs from `active_at`; earlier keys verify until `until`. Returns the new key's `kid`."""
    await session.execute(_LOCK)
    still = or_(SigningKey.retired_at.is_(None), SigningKey.retired_at > until)
    await session.execute(update(SigningKey).where(still).values(retired_at=until))
    made = _make(box, active_at)
    session.add(made)
    return made.kid


def _nothing() -> None:
    pass


@dataclass(slots=True)
class KeyRing:
    """The active keys, reloaded every minute and when a token names an unknown key.

    `on_loss` is called when a key has disappeared before it was retired.
    """

    sessions: Sessions
    box: SecretBox
    on_loss: Callable[[], None] = _nothing
    _loaded: LoadedKeys | None = None
    _missed_at: float = float("-inf")
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def used(self) -> bool:
        return self._loaded is not None

    async def load(self) -> LoadedKeys:
        """The active keys, at most a minute old; creates the first key if there is none."""
        loaded = self._loaded
        if loaded is None or time.monotonic() - loaded.at > _REFRESH_EVERY:
            async with self._lock:
                if self._loaded is loaded:
                    await self._replace()
                loaded = self._loaded
        assert loaded is not None
        return loaded

    async def find(self, kid: str) -> ECKey | None:
        """The key for `kid`, or None. Reloads for an unknown one, at a limited rate because of forged tokens."""
        loaded = await self.load()
        found = loaded.verifying(kid)
        if found is None and time.monotonic() - self._missed_at > _MISS_PAUSE:
            self._missed_at = time.monotonic()
            found = (await self.refresh()).verifying(kid)
        return found

    async def refresh(self) -> LoadedKeys:
        """Reloads the keys."""
        async with self._lock:
            return await self._replace()

    async def _replace(self) -> LoadedKeys:
        former, self._loaded = self._loaded, await self._read()
        if former is not None:
            kept = {each.key.kid for each in self._loaded.current()}
            if any(each.key.kid not in kept for each in former.current()):
                self.on_loss()
        return self._loaded

    async def _read(self) -> LoadedKeys:
        async with self.sessions.read() as session:
            keys = await self._usable(session)
        if not _lasting(keys):
            keys = await self._make_first()
        return LoadedKeys(keys, time.monotonic())

    async def _make_first(self) -> list[ActiveKey]:
        async with self.sessions.begin() as session:
            await session.execute(_LOCK)
            keys = await self._usable(session)
            if not _lasting(keys):
                session.add(_make(self.box, utc_now()))
                await session.flush()
                keys = await self._usable(session)
        return keys

    async def _usable(self, session: AsyncReadSession) -> list[ActiveKey]:
        rows = await session.scalars(select(SigningKey).where(_not_retired()).order_by(SigningKey.active_at))
        return [found for row in rows if (found := self._open(row)) is not None]

    def _open(self, row: SigningKey) -> ActiveKey | None:
        """Accepts only keys sealed under our secret, so that write access to the table is not enough to add one."""
        try:
            key = ECKey.import_key(orjson.loads(self.box.open(row.sealed_private_jwk)))
        except (ValueError, JoseError):
            log.warning("signing_key_unreadable", kid=row.kid)
            return None
        return ActiveKey(key, row.active_at, row.retired_at) if key.kid == row.kid else None


def _not_retired() -> ColumnElement[bool]:
    return or_(SigningKey.retired_at.is_(None), SigningKey.retired_at > func.now())


def _lasting(keys: Sequence[ActiveKey]) -> bool:
    return any(each.retired_at is None for each in keys)
