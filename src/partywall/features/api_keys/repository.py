from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import ColumnElement, and_, func, insert, select, update

from partywall.core.db.keyset import After, Keyset
from partywall.core.db.scopes import keep_out
from partywall.core.db.session import AsyncReadSession, AsyncSession
from partywall.core.security.api_keys import NewKey
from partywall.core.tenancy import ExclusiveScope, Principal, ProjectScope
from partywall.features.api_keys.models import ApiKey

KEYSET: Final = Keyset({"created_at": ApiKey.created_at}, ApiKey.id)


@dataclass(frozen=True, slots=True)
class ApiKeyRepository:
    """The project's keys that are not revoked."""

    session: AsyncReadSession
    scope: ProjectScope

    async def page(self, sort: str, limit: int, offset: int, after: After | None) -> list[ApiKey]:
        query = KEYSET.page(select(ApiKey).where(self._ours()), sort, limit, offset, after)
        return list(await self.session.scalars(query))

    async def count(self) -> int:
        return await self.session.scalar(select(func.count()).select_from(ApiKey).where(self._ours())) or 0

    def _ours(self) -> ColumnElement[bool]:
        return and_(ApiKey.project_id == self.scope.project_id, ApiKey.revoked_at.is_(None))


@dataclass(frozen=True, slots=True)
class ApiKeyWriter:
    session: AsyncSession
    scope: ExclusiveScope

    async def add(self, key: NewKey, name: str, role: str, expires_at: datetime | None) -> ApiKey:
        made = await self.session.scalars(
            insert(ApiKey)
            .values(
                project_id=self.scope.project_id, name=name, prefix=key.prefix, secret_hash=key.secret_hash, role=role,
                created_by=str(self.scope.principal), expires_at=expires_at,
            )
            .returning(ApiKey)
        )  # fmt: skip
        return made.one()

    async def revoke(self, key_id: UUID) -> bool:
        await keep_out(self.session, self.scope, Principal.key(key_id))
        revoked = await self.session.scalar(
            update(ApiKey)
            .where(ApiKey.project_id == self.scope.project_id, ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
            .values(revoked_at=func.now())
            .returning(ApiKey.id)
        )
        return revoked is not None
